"""Cloud: which gateways, pools and tenants are there, and what changed for gateways to hear of?"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cloudgate.manager.storage.tables.base import LIST, REVISION, Base
from cloudgate.manager.storage.tables.infrastructure import BackupServer, ManagedServer, Repository

__all__ = (
    "CloudGateway",
    "CloudTenant",
    "DirectoryRevision",
    "FormerName",
    "GatewayPool",
    "PoolStay",
    "PoolTenant",
    "RemovedTenant",
    "Subtenant",
    "TenantResource",
)


class CloudGateway(Base):
    """The gateway role of a managed server: what is wanted, and what was last known to hold."""

    __tablename__ = "cloud_gateways"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    managed_server_id: Mapped[UUID] = mapped_column(ForeignKey("managed_servers.id"), unique=True)
    backup_server_id: Mapped[UUID] = mapped_column(ForeignKey("backup_servers.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    wanted: Mapped[dict[str, Any]]
    """`cloudgate.manager.gateways.rules.GatewaySettings`."""
    confirmed: Mapped[dict[str, Any] | None]
    """The settings that the host last reported to be in force; None until the first report."""
    removing: Mapped[bool] = mapped_column(default=False)
    certificate_pem: Mapped[str] = mapped_column(default="")
    drain_seconds: Mapped[int | None]
    """How long tunnels may go on once the gateway is closed; None for the usual time."""
    drain: Mapped[str] = mapped_column(String(32), default="")
    """Names the drain: `cloudgate.protocol.Assignment.drain`."""
    told_address: Mapped[str] = mapped_column(default="", server_default="")
    """Where a release before this one told tenants to dial, by the word of its machine alone."""
    certificate_warning: Mapped[str] = mapped_column(default="")
    reach_warning: Mapped[str] = mapped_column(default="")
    """Why tenants may not reach it, as far as that was seen from the manager; else empty."""
    reached_address: Mapped[str | None] = mapped_column(default="")
    """Where a manager reached it last, as ``host:port``; empty where none has dialled it yet.

    None where `reach_warning` alone says whether it was reached, which is all that a manager of a
    release before writes.
    """
    pool_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("gateway_pools.id", ondelete="SET NULL"), index=True
    )
    """None for a gateway that every tenant without pools may use."""

    pool: Mapped["GatewayPool | None"] = relationship(lazy="joined", back_populates="gateways")
    managed_server: Mapped[ManagedServer] = relationship(lazy="joined")
    backup_server: Mapped[BackupServer] = relationship(lazy="joined")


class GatewayPool(Base):
    """Gateways set apart for certain tenants."""

    __tablename__ = "gateway_pools"
    __table_args__ = (Index("ix_gateway_pools_name", "backup_server_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    backup_server_id: Mapped[UUID] = mapped_column(ForeignKey("backup_servers.id"))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(default="")

    backup_server: Mapped[BackupServer] = relationship(lazy="joined")
    # A pool comes with each of its gateways and tenants: what else is in it may be thousands.
    gateways: Mapped[list[CloudGateway]] = relationship(
        lazy="select", order_by="CloudGateway.name", back_populates="pool"
    )
    tenants: Mapped[list["CloudTenant"]] = relationship(
        secondary="pool_tenants",
        lazy="select",
        order_by="CloudTenant.name",
        back_populates="pools",
    )


class PoolTenant(Base):
    """A pool that a tenant may use."""

    __tablename__ = "pool_tenants"

    pool_id: Mapped[UUID] = mapped_column(
        ForeignKey("gateway_pools.id", ondelete="CASCADE"), primary_key=True
    )
    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("cloud_tenants.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class CloudTenant(Base):
    """A customer."""

    __tablename__ = "cloud_tenants"
    __table_args__ = (
        Index("ix_cloud_tenants_login", "backup_server_id", "login", unique=True),
        Index("ix_cloud_tenants_feed", "backup_server_id", "directory_revision"),
        Index("ix_cloud_tenants_order", "login", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    backup_server_id: Mapped[UUID] = mapped_column(ForeignKey("backup_servers.id"))
    name: Mapped[str] = mapped_column(String(128))
    login: Mapped[str] = mapped_column(String(384))
    """The name, casefolded: what tells tenants apart."""
    description: Mapped[str] = mapped_column(default="")
    password_hash: Mapped[str] = mapped_column(default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    expires_at: Mapped[datetime | None]
    limits: Mapped[dict[str, Any] | None]
    """`cloudgate.manager.tenants.limits.Limits`; None until somebody sets one."""
    public_ip_count: Mapped[int] = mapped_column(default=0)
    backup_protection_enabled: Mapped[bool] = mapped_column(default=False)
    """What it deletes is to be kept by all of its repositories."""
    backup_protection_period: Mapped[int] = mapped_column(default=1)
    failover_to_others: Mapped[bool] = mapped_column(default=False)
    tunnels_end_before: Mapped[datetime | None]
    """Its tunnels that were opened before this moment are to end."""
    target_ends: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """By ``host:port``: its tunnels there that were opened before this moment are to end, too."""
    networks: Mapped[list[str] | None] = mapped_column(LIST)
    """From which it may come, in CIDR notation; None for anywhere."""
    outside_end_before: Mapped[datetime | None]
    """Its tunnels from elsewhere that were opened before this moment are to end."""
    old_password_hash: Mapped[str] = mapped_column(default="")
    """Of the password that was replaced and is good beside the new one; empty without one."""
    old_password_until: Mapped[datetime | None]
    old_password_used_at: Mapped[datetime | None]
    """When a gateway last let it in by that; None before."""
    egress_month: Mapped[str] = mapped_column(String(7), default="")
    """In which it last brought data back, such as 2026-11; empty before that was counted."""
    egress_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """How much it brought back in that month."""
    may_change_password: Mapped[bool] = mapped_column(default=False)
    """Whether it and its users may change their own passwords."""
    may_use_portal: Mapped[bool] = mapped_column(default=True)
    """Whether it and its users may see what they have, in sessions of their own."""
    may_get_certificates: Mapped[bool] = mapped_column(default=False)
    """Whether it and its users may get certificates for themselves, and renew them."""
    last_active_at: Mapped[datetime | None]
    directory_revision: Mapped[int] = mapped_column(REVISION)

    backup_server: Mapped[BackupServer] = relationship(lazy="joined")
    resources: Mapped[list["TenantResource"]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by="TenantResource.position"
    )
    pools: Mapped[list[GatewayPool]] = relationship(
        secondary="pool_tenants",
        lazy="selectin",
        order_by="GatewayPool.name",
        back_populates="tenants",
    )


class TenantResource(Base):
    """A tenant's quota on a repository."""

    __tablename__ = "tenant_resources"
    __table_args__ = (Index("ix_tenant_resources_once", "tenant_id", "repository_id", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("cloud_tenants.id", ondelete="CASCADE"))
    repository_id: Mapped[UUID] = mapped_column(ForeignKey("repositories.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    name: Mapped[str] = mapped_column(String(128))
    quota_mb: Mapped[int] = mapped_column(BigInteger)
    used_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """As last measured; None before."""
    measured_at: Mapped[datetime | None]
    measuring_warning: Mapped[str] = mapped_column(default="")
    """Why it could not be measured the last time; empty when it could."""
    measure_after: Mapped[datetime | None]
    """When it is measured next, where the repository has a probe; at once when None."""

    repository: Mapped[Repository] = relationship(lazy="joined")


class Subtenant(Base):
    """A user of a tenant, with a part of one of its quotas."""

    __tablename__ = "subtenants"
    __table_args__ = (Index("ix_subtenants_login", "tenant_id", "login", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("cloud_tenants.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(128))
    login: Mapped[str] = mapped_column(String(384))
    """The name, casefolded: what tells the tenant's users apart."""
    description: Mapped[str] = mapped_column(default="")
    password_hash: Mapped[str] = mapped_column(default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    resource_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenant_resources.id", ondelete="CASCADE"), index=True
    )
    quota_name: Mapped[str] = mapped_column(default="")
    quota_mb: Mapped[int | None] = mapped_column(BigInteger)
    """None where none was given."""
    unlimited: Mapped[bool] = mapped_column(default=False)
    """Not limited within the tenant's quota, whatever its own is."""
    networks: Mapped[list[str] | None] = mapped_column(LIST)
    """From which it may come within its tenant's, in CIDR notation; None for all of these."""
    tunnels_end_before: Mapped[datetime | None]
    outside_end_before: Mapped[datetime | None]
    """As the tenant's, for its own tunnels."""
    old_password_hash: Mapped[str] = mapped_column(default="")
    old_password_until: Mapped[datetime | None]
    old_password_used_at: Mapped[datetime | None]
    """As the tenant's."""

    tenant: Mapped[CloudTenant] = relationship(lazy="joined")
    resource: Mapped[TenantResource] = relationship(lazy="joined")


class RemovedTenant(Base):
    """A tenant that hosts may still know and have to forget."""

    __tablename__ = "removed_tenants"
    __table_args__ = (Index("ix_removed_tenants_feed", "backup_server_id", "directory_revision"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    backup_server_id: Mapped[UUID] = mapped_column(
        ForeignKey("backup_servers.id", ondelete="CASCADE")
    )
    directory_revision: Mapped[int] = mapped_column(REVISION)


class PoolStay(Base):
    """A pool that a tenant may use or could use, by revisions of the tenant directory."""

    __tablename__ = "pool_stays"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    pool_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    """Nil for the gateways that are in no pool."""
    since: Mapped[int] = mapped_column(REVISION)
    until: Mapped[int | None] = mapped_column(REVISION)
    """None while it may."""


class FormerName(Base):
    """What a tenant or subtenant was called that is not there any more: usage has to be billed."""

    __tablename__ = "former_names"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))


class DirectoryRevision(Base):
    """A revision of the tenant directory that there was, of the last weeks.

    A host that knows another one has it of a database that is gone.
    """

    __tablename__ = "directory_revisions"

    revision: Mapped[int] = mapped_column(REVISION, primary_key=True, autoincrement=False)
