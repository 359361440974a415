"""Tables: what is kept, as SQLAlchemy maps it?"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from cloudgate.manager.storage.types import UtcDateTime

REVISION = BigInteger().with_variant(Integer, "sqlite")


LIST = JSON(none_as_null=True)


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: UtcDateTime,
        str: Text,
        dict[str, Any]: JSON(none_as_null=True),
    }


class Account(Base):
    """Somebody who may use the API."""

    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[str] = mapped_column(default="")
    """Empty until a password is set: nobody logs on with none."""
    kind: Mapped[str] = mapped_column(String(16), default="User")
    restores_all_vms: Mapped[bool] = mapped_column(default=False)

    roles: Mapped[list["AccountRole"]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by="AccountRole.role_id"
    )
    factor: Mapped["SecondFactor | None"] = relationship(
        lazy="joined", cascade="all, delete-orphan"
    )
    passkeys: Mapped[list["Passkey"]] = relationship(
        lazy="selectin",
        cascade="all, delete-orphan",
        order_by="Passkey.created_at",
        back_populates="account",
    )


class AccountRole(Base):
    """A role that an account has. Roles themselves are fixed, and known by published GUIDs."""

    __tablename__ = "account_roles"

    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    role_id: Mapped[UUID] = mapped_column(primary_key=True)

    factor_required: Mapped["RequiredFactor | None"] = relationship(
        lazy="joined",
        viewonly=True,
        primaryjoin="foreign(AccountRole.role_id) == RequiredFactor.role_id",
    )


class SecondFactor(Base):
    """What an account shows besides its password."""

    __tablename__ = "second_factors"

    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    sealed_secret: Mapped[str]
    confirmed: Mapped[bool]
    """Whether a code of it was shown: before, nothing asks for it."""
    last_step: Mapped[int] = mapped_column(BigInteger)
    """Of the newest code that was used: `cloudgate.manager.sessions.totp`."""
    recovery_marks: Mapped[list[str]] = mapped_column(LIST)
    """Of the recovery codes that are left."""


class Passkey(Base):
    """What an account signs in with in place of a password, or beside one."""

    __tablename__ = "passkeys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(100))
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    """In base64url: the authenticator's name for it."""
    public_key: Mapped[str]
    """Attested credential data (Web Authentication, 6.5.2), in base64url."""
    origin: Mapped[str] = mapped_column(String(300))
    """Of the page that it was made on."""
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """The largest that it has shown; 0 of one that does not count."""
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship(lazy="joined", back_populates="passkeys")


class RequiredFactor(Base):
    """A role whose accounts have to have a second factor."""

    __tablename__ = "required_factors"

    role_id: Mapped[UUID] = mapped_column(primary_key=True)


class AccountIdentity(Base):
    """Whom a provider of single sign-on knows an account as."""

    __tablename__ = "account_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    """Its name for the person, which it never gives to another (OpenID Connect Core, 2)."""

    account: Mapped[Account] = relationship(lazy="joined")


class SpentChallenge(Base):
    """Something to sign in with that is good once, and was used; kept until it has ended."""

    __tablename__ = "spent_challenges"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime] = mapped_column(index=True)


class LogonSession(Base):
    """A logon session; gone when it was idle for too long."""

    __tablename__ = "logon_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    version: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime] = mapped_column(index=True)
    tenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_tenants.id", ondelete="CASCADE"), index=True
    )
    """Of the tenant that the account has logged on for; it sees less."""
    came_by: Mapped[str | None] = mapped_column(String(32))
    """What was shown in place of a password; None for a password."""

    account: Mapped[Account] = relationship(lazy="joined")


class TenantSession(Base):
    """A session of a tenant, or its user, for itself alone; gone when it was idle for too long."""

    __tablename__ = "tenant_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("cloud_tenants.id", ondelete="CASCADE"), index=True
    )
    subtenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subtenants.id", ondelete="CASCADE"), index=True
    )
    """Of the user; None for the tenant itself."""
    password_mark: Mapped[str] = mapped_column(String(64))
    """Of the password that it was begun by: with another one it is over."""
    version: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime] = mapped_column(index=True)


class ApiToken(Base):
    """What a program shows in place of a logon; `cloudgate.manager.sessions.tokens`."""

    __tablename__ = "api_tokens"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    role_id: Mapped[UUID]
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship(lazy="joined")


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
    """The last batch of usage that was counted; it is heard again when its answer was lost."""
    usage_told_until: Mapped[datetime | None]
    """Up to when its line would have been full with what it has told: `manager.usage.plausible`."""
    warning: Mapped[str] = mapped_column(default="")
    """What an operator should look at; empty when nothing."""
    facts: Mapped[dict[str, Any] | None]
    """The last `cloudgate.protocol.HostFacts` it reported."""
    seen_at: Mapped[datetime | None]
    seen_addresses: Mapped[str] = mapped_column(default="", server_default="")
    """From where it speaks, as seen here: `cloudgate.manager.registries.seen_addresses`."""
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
    pool_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("gateway_pools.id", ondelete="SET NULL"), index=True
    )
    """None for a gateway that every tenant without pools may use."""

    pool: Mapped["GatewayPool | None"] = relationship(lazy="joined", back_populates="gateways")
    managed_server: Mapped[ManagedServer] = relationship(lazy="joined")
    backup_server: Mapped[BackupServer] = relationship(lazy="joined")


class CloudCertificate(Base):
    """A certificate that an operator brought, with its key sealed."""

    __tablename__ = "cloud_certificates"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    gateway_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_gateways.id", ondelete="CASCADE"), unique=True
    )
    """The gateway that shows it; None for all that have none of their own."""
    name: Mapped[str] = mapped_column(default="")
    chain_pem: Mapped[str]
    sealed_key: Mapped[str]


class CertificateOrder(Base):
    """What an ACME server is asked for, again whenever what it gave is soon to end."""

    __tablename__ = "certificate_orders"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    gateway_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_gateways.id", ondelete="CASCADE")
    )
    certificate_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_certificates.id", ondelete="CASCADE"), unique=True
    )
    """What it gave; None until it has given something."""
    wish: Mapped[dict[str, Any]]
    sealed_account_key: Mapped[str]
    next_attempt_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    """In a row."""
    problem: Mapped[str] = mapped_column(default="")
    """Why the last attempt failed; empty when it did not."""


class GatewayPool(Base):
    """Gateways set apart for certain tenants."""

    __tablename__ = "gateway_pools"
    __table_args__ = (Index("ix_gateway_pools_name", "backup_server_id", "name", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    backup_server_id: Mapped[UUID] = mapped_column(ForeignKey("backup_servers.id"))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(default="")

    backup_server: Mapped[BackupServer] = relationship(lazy="joined")
    gateways: Mapped[list[CloudGateway]] = relationship(
        lazy="selectin", order_by="CloudGateway.name", back_populates="pool"
    )
    tenants: Mapped[list["CloudTenant"]] = relationship(
        secondary="pool_tenants",
        lazy="selectin",
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
    """`cloudgate.manager.protection.rules.Known`; None before the first look."""

    backup_server: Mapped[BackupServer] = relationship(lazy="joined")


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
    """Tunnels that were opened before this moment are to end."""
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


class TenantAuthority(Base):
    """Who signs tenants' certificates; `cloudgate.manager.security.tenant_authority`."""

    __tablename__ = "tenant_authorities"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    certificate_pem: Mapped[str]
    sealed_key: Mapped[str]


class TenantCertificate(Base):
    """A certificate by which a tenant or its user comes in, kept until it ends."""

    __tablename__ = "tenant_certificates"
    __table_args__ = (
        Index("ix_tenant_certificates_tenant", "tenant_id", "ends_at"),
        Index("ix_tenant_certificates_end", "ends_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    """Also its serial number."""
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("cloud_tenants.id", ondelete="CASCADE"))
    subtenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subtenants.id", ondelete="CASCADE")
    )
    """Of the user whose it is; None where it is the tenant's own."""
    certificate_pem: Mapped[str]
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256, in hexadecimal digits."""
    issued_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    password_mark: Mapped[str] = mapped_column(String(64), default="")
    """Of the hash of the password by which somebody got it, or the first of those that it renews:
    it is good as long as that is. Empty where the provider has issued that."""
    revoked_at: Mapped[datetime | None]

    tenant: Mapped[CloudTenant] = relationship(lazy="joined")
    subtenant: Mapped[Subtenant | None] = relationship(lazy="joined")


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


class Counter(Base):
    """A number that only grows."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(REVISION)


class InstallationMark(Base):
    """Something that is to be known of the installation: `cloudgate.manager.core.marks`."""

    __tablename__ = "installation_marks"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str]


class Maintenance(Base):
    """The provider is at work; there is one row while it is."""

    __tablename__ = "maintenance"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime]
    message: Mapped[str]
    restores_allowed: Mapped[bool]


class Usage(Base):
    """What somebody used of a gateway in a stretch of time, by one target."""

    __tablename__ = "usage"
    __table_args__ = (
        Index("ix_usage_tenant", "tenant_id", "at"),
        Index("ix_usage_stretch", "minutes", "at"),
        Index("ix_usage_at", "at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    """The beginning of the stretch."""
    minutes: Mapped[int]
    """Its length: a minute, an hour or a day."""
    tenant_id: Mapped[UUID]
    """Also of a tenant that is not there any more: it may still have to be billed."""
    subtenant_id: Mapped[UUID | None]
    managed_server_id: Mapped[UUID]
    gateway_name: Mapped[str] = mapped_column(String(255))
    target: Mapped[str] = mapped_column(String(261))
    tunnels: Mapped[int] = mapped_column(BigInteger)
    bytes_up: Mapped[int] = mapped_column(BigInteger)
    bytes_down: Mapped[int] = mapped_column(BigInteger)


class UsageTotal(Base):
    """What a tenant used in all, also of one that is not there any more: the sum of its `Usage`."""

    __tablename__ = "usage_totals"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    tunnels: Mapped[int] = mapped_column(BigInteger)
    bytes_up: Mapped[int] = mapped_column(BigInteger)
    bytes_down: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]
    """The minute in which it last used something."""


class Task(Base):
    """The record of a change that takes time."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_open", "finished_at", "deadline_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    operation: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    deadline_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    success: Mapped[bool | None]
    message: Mapped[str] = mapped_column(default="")
    hidden: Mapped[bool] = mapped_column(default=False)
    """A client removed the record; the work goes on."""
    account_id: Mapped[UUID | None] = mapped_column(index=True)
    """Who began it; nobody who logs on when None, or somebody of an earlier release."""
    backup_server_id: Mapped[UUID | None]
    gateway_id: Mapped[UUID | None] = mapped_column(index=True)
    """The gateway whose host has to report before the task is done."""
    directory_revision: Mapped[int | None] = mapped_column(REVISION)
    """The tenant directory that gateways have to report before the task is done."""
    drains: Mapped[bool] = mapped_column(default=False)
    """Tunnels that lost their place by it have to end before the task is done."""
    certificate_order_id: Mapped[UUID | None]
    """The order that has to succeed or fail before the task is done."""
    related_type: Mapped[str] = mapped_column(String(64), default="")
    related_path: Mapped[str] = mapped_column(default="")
    """Below the API's root; empty when there is nothing to link to."""
    related_name: Mapped[str] = mapped_column(default="")
    audit: Mapped[dict[str, Any] | None]
    """What goes into the audit log once the task has ended."""
    trace: Mapped[str] = mapped_column(String(55), default="")
    """Of the request that asked for it, as W3C Trace Context has it; empty of a task by itself."""
    received_at: Mapped[datetime | None]
    """When that request came."""
    steps: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    """What happened when, once the task has ended; see `registries.task_timelines`."""


class AuditEvent(Base):
    """A change that was made or refused. Rows are never changed: the database sees to that."""

    __tablename__ = "audit_events"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  as SQLAlchemy wants it

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    account: Mapped[str] = mapped_column(String(255), index=True)
    address: Mapped[str] = mapped_column(String(64))
    """The IP address that the request came from; empty for what the manager does by itself."""
    code: Mapped[int]
    """The number by which the original's events are known; 0 for those that it has none for."""
    severity: Mapped[str] = mapped_column(String(16))
    operation: Mapped[str] = mapped_column(String(64))
    text: Mapped[str]
    object_type: Mapped[str] = mapped_column(String(64))
    object_id: Mapped[UUID | None] = mapped_column(index=True)
    object_name: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    success: Mapped[bool]
    message: Mapped[str] = mapped_column(default="")
    """The reason, where it did not succeed."""
    hash: Mapped[str] = mapped_column(String(64), default="")
    """Of all this and of the entry before: `cloudgate.manager.audit.chain`."""


class AuditChain(Base):
    """Where the chain of the audit log begins and ends; one row."""

    __tablename__ = "audit_chain"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(REVISION)
    """Of the last entry."""
    hash: Mapped[str] = mapped_column(String(64))
    anchor_number: Mapped[int] = mapped_column(REVISION)
    """Of the last entry that was removed because of its age."""
    anchor_hash: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(64))
    """Of all this, by a key outside the database; empty right after an upgrade."""


class NotificationReceiver(Base):
    """Somebody who is told of what has happened: by mail, or a program by HTTPS."""

    __tablename__ = "notification_receivers"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    address: Mapped[str]
    """A mail address, or a URL."""
    role: Mapped[str] = mapped_column(String(64), default="")
    """What an account of that role may see is what it is told; empty for a tenant's."""
    backup_server_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("backup_servers.id", ondelete="CASCADE")
    )
    """Of the one site that it is told of; None for all."""
    tenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("cloud_tenants.id", ondelete="CASCADE")
    )
    """Of the tenant that it is told about itself; None for an operator's."""
    events: Mapped[list[str] | None] = mapped_column(LIST)
    """Kinds of events; None for all."""
    quiet_from: Mapped[str] = mapped_column(String(5), default="")
    quiet_until: Mapped[str] = mapped_column(String(5), default="")
    """As HH:MM in UTC; both empty without quiet hours."""
    digest_minutes: Mapped[int] = mapped_column(default=0)
    """How long what happens is collected; 0 for not at all."""
    enabled: Mapped[bool] = mapped_column(default=True)
    secret: Mapped[str] = mapped_column(default="")
    """Sealed; what calls are signed with."""
    authority_pem: Mapped[str] = mapped_column(default="")
    """Whom to trust that it is the receiver; the public authorities when empty."""

    backup_server: Mapped[BackupServer | None] = relationship(lazy="joined")
    tenant: Mapped[CloudTenant | None] = relationship(lazy="joined")


class NotificationCondition(Base):
    """Something that is so, and that receivers were told of."""

    __tablename__ = "notification_conditions"

    key: Mapped[str] = mapped_column(String(512), primary_key=True)
    since: Mapped[datetime]
    level: Mapped[int]
    document: Mapped[dict[str, Any]]
    """As it was told last, for the all-clear."""


class NotificationDelivery(Base):
    """An event that one receiver is to be told of, or was."""

    __tablename__ = "notification_deliveries"
    __table_args__ = (
        Index("ix_notification_deliveries_due", "finished_at", "due_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    receiver_id: Mapped[UUID] = mapped_column(
        ForeignKey("notification_receivers.id", ondelete="CASCADE"), index=True
    )
    event: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None]
    """When it was tried first; None before."""
    finished_at: Mapped[datetime | None]
    success: Mapped[bool | None]
    problem: Mapped[str] = mapped_column(default="")
    """Why the last attempt failed; empty when none did."""
