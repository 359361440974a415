"""Infrastructure: which sites, servers, repositories and credentials are there?"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloudgate.manager.storage.tables.base import REVISION, Base

__all__ = ("BackupServer", "Credentials", "ManagedServer", "PasswordKey", "Repository")


class BackupServer(Base):
    """A provider's site."""

    __tablename__ = "backup_servers"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(default="")
    port: Mapped[int]
    user_name: Mapped[str] = mapped_column(default="")
    wcf_port: Mapped[int | None]
    certificate_thumbprint: Mapped[str] = mapped_column(default="")
    site_revision: Mapped[int] = mapped_column(REVISION, default=0)
    """Of what all its gateways have to know besides the tenants: `cloudgate.protocol.Site`."""
    pool_drain_seconds: Mapped[int | None]
    """How long tunnels may go on that have no place at their gateway; None for the usual time."""
    pool_drain: Mapped[str] = mapped_column(String(32), default="")
    """Names the operator's last word on that."""


class ManagedServer(Base):
    """A machine that has joined, or is expected to."""

    __tablename__ = "managed_servers"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    backup_server_id: Mapped[UUID] = mapped_column(ForeignKey("backup_servers.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(default="")
    kind: Mapped[str] = mapped_column(String(32))
    local: Mapped[bool] = mapped_column(default=False)
    """It is the manager's own machine, and found as ``localhost`` too."""
    join_token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    join_token_expires_at: Mapped[datetime | None]
    credential_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    """None before it has joined, and after its credential was revoked."""
    credential_made_at: Mapped[datetime | None]
    next_credential_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Of a credential that the host was given and has not used yet."""
    machine: Mapped[str] = mapped_column(String(64), default="")
    """Which machine speaks with the credential: `cloudgate.protocol.HostFacts.machine`."""
    online_since: Mapped[datetime | None]
    usage_batch: Mapped[str] = mapped_column(String(32), default="")
    """The last batch of usage that was counted, which is all that the release before knows of them:
    see `CountedBatch`."""
    usage_told_until: Mapped[datetime | None]
    """Up to when its line would have been full with what it told: `manager.usage.plausibility`."""
    warning: Mapped[str] = mapped_column(default="")
    """What an operator should look at; empty when nothing."""
    facts: Mapped[dict[str, Any] | None]
    """The last `cloudgate.protocol.HostFacts` it reported."""
    seen_at: Mapped[datetime | None]
    seen_addresses: Mapped[str] = mapped_column(default="", server_default="")
    """From where it speaks, as seen here: `cloudgate.manager.servers.observed_addresses`."""
    scope: Mapped[dict[str, Any] | None]
    """What its host may know of tenants: `cloudgate.manager.servers.tenant_scope`."""
    assignment_revision: Mapped[int] = mapped_column(REVISION, default=0)
    reported_revision: Mapped[int | None] = mapped_column(REVISION)
    """The newest assignment that a report was about while it was the newest."""
    reported_state: Mapped[str] = mapped_column(String(16), default="")
    """What that report said; empty before it."""
    live_tunnels: Mapped[int] = mapped_column(default=0)
    """By the last report. Columns are what queries filter by; all else is in `report`."""
    report: Mapped[dict[str, Any] | None]
    """The last `cloudgate.protocol.Report`, as `cloudgate.manager.servers.facts` reads it."""

    backup_server: Mapped[BackupServer] = relationship(lazy="joined")


class Credentials(Base):
    """A user name and its password, for parts of the infrastructure; the password is sealed."""

    __tablename__ = "credentials"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    backup_server_id: Mapped[UUID] = mapped_column(
        ForeignKey("backup_servers.id", ondelete="CASCADE"), index=True
    )
    user_name: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    sealed_password: Mapped[str] = mapped_column(default="")

    backup_server: Mapped[BackupServer] = relationship(lazy="joined")


class PasswordKey(Base):
    """A password that backups are encrypted with, sealed, and a hint to it."""

    __tablename__ = "password_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    backup_server_id: Mapped[UUID] = mapped_column(
        ForeignKey("backup_servers.id", ondelete="CASCADE"), index=True
    )
    hint: Mapped[str] = mapped_column(default="")
    sealed_password: Mapped[str]
    modified_at: Mapped[datetime]

    backup_server: Mapped[BackupServer] = relationship(lazy="joined")


class Repository(Base):
    """A storage service on the provider's side."""

    __tablename__ = "repositories"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    backup_server_id: Mapped[UUID] = mapped_column(ForeignKey("backup_servers.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(default="")
    kind: Mapped[str] = mapped_column(String(64))
    endpoint: Mapped[str] = mapped_column(String(261))
    address: Mapped[str] = mapped_column(String(261))
    capacity_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """As its provider states it; None where nobody has."""
    measured_capacity_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of the file system or quota that it is on, as its probe last measured it; None before."""
    measured_free_bytes: Mapped[int | None] = mapped_column(BigInteger)
    usage_probe: Mapped[dict[str, Any] | None]
    """`cloudgate.manager.probes.rules.Probe`; None where nobody measures how much is in it."""
    sealed_probe_password: Mapped[str] = mapped_column(default="")
    quota_rules: Mapped[dict[str, Any] | None]
    """`cloudgate.manager.quotas.rules.QuotaRules`; None until somebody sets one."""
    protection: Mapped[dict[str, Any] | None]
    """`cloudgate.manager.protection.rules.Protection`; None where nobody says how what is deleted
    is kept."""
    sealed_protection_password: Mapped[str] = mapped_column(default="")
    protection_known: Mapped[dict[str, Any] | None]
    """`cloudgate.manager.protection.rules.ProtectionRecord`; None before the first look."""

    backup_server: Mapped[BackupServer] = relationship(lazy="joined")
