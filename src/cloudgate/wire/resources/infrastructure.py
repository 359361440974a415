"""Infrastructure resources: what is a site made of? Servers and repositories."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import Entity


@dataclass(frozen=True, kw_only=True)
class BackupServerSpec(ResourceType):
    """Body of POST /backupServers?action=create and of PUT /backupServers/{id}."""

    href: str | None = attribute()
    type: str | None = attribute()
    description: str | None = element()
    dns_name_or_ip_address: str | None = element()
    port: int | None = element(quoted_number=True)
    username: str | None = element()
    password: str | None = element()
    wcf_port: int | None = element()
    vbr_certificate_thumbprint: str | None = element()


@dataclass(frozen=True, kw_only=True)
class BackupServer(Entity):
    """A provider's site."""

    description: str | None = element()
    port: int | None = element()
    version: str | None = element()
    wcf_port: int | None = element(omit_absent=True)
    vbr_certificate_thumbprint: str | None = element(omit_absent=True)


@dataclass(frozen=True, kw_only=True)
class BackupServers(ResourceType):
    """All backup servers."""

    backup_servers: tuple[BackupServer, ...] = repeated("BackupServer")


@dataclass(frozen=True, kw_only=True)
class CreateManagedServerSpec(ResourceType):
    """Body of POST /managedServers. Extension: the original has no such call."""

    href: str | None = attribute()
    type: str | None = attribute()
    name: str | None = element()
    description: str | None = element()
    backup_server_uid: str | None = element()


@dataclass(frozen=True, kw_only=True)
class ManagedServer(Entity):
    """A machine that has joined the infrastructure."""

    description: str | None = element()
    managed_server_type: str | None = element()
    join_token: str | None = element(omit_absent=True)
    """Extension: in the answer to POST only."""
    join_token_expiration_date: datetime | None = element(omit_absent=True)
    join_fingerprint: str | None = element(omit_absent=True)
    """Extension: SHA-256 of the manager's certificate authority, for the machine to know it by."""
    state: str | None = element(omit_absent=True)
    """Extension, as all that follow: ``Online``, ``Offline``, or ``Expected`` before it joined."""
    online_since: datetime | None = element(omit_absent=True)
    last_seen: datetime | None = element(omit_absent=True)
    version: str | None = element(omit_absent=True)
    """Of the host service."""
    envoy_version: str | None = element(omit_absent=True)
    host_addresses: str | None = element(omit_absent=True)
    """The machine's IP addresses, with commas between them."""
    warning: str | None = element(omit_absent=True)


@dataclass(frozen=True, kw_only=True)
class ManagedServers(ResourceType):
    """All managed servers."""

    managed_servers: tuple[ManagedServer, ...] = repeated("ManagedServer")


@dataclass(frozen=True, kw_only=True)
class UsageProbe(ResourceType):
    """How it is measured what each tenant keeps in a repository. Extension.

    ``{tenant}`` stands for the tenant's name in Path, Url, Bucket and Prefix, ``{tenantId}`` for
    its GUID.
    """

    method: str | None = element()
    managed_server_uid: str | None = element(omit_absent=True)
    """The machine that has the directory."""
    path: str | None = element(omit_absent=True)
    url: str | None = element(omit_absent=True)
    region: str | None = element(omit_absent=True)
    bucket: str | None = element(omit_absent=True)
    prefix: str | None = element(omit_absent=True)
    username: str | None = element(omit_absent=True)
    """With S3, the access key id."""
    password: str | None = element(omit_absent=True)
    """With S3, the secret access key. Never in an answer."""
    ca_file: str | None = element(omit_absent=True)
    """Whom to trust that it is the server, as PEM; the public authorities when left out."""
    interval_minutes: int | None = element(omit_absent=True)
    warning: str | None = element(omit_absent=True)
    """What could not be measured the last time, and what to do; in answers only."""


@dataclass(frozen=True, kw_only=True)
class BackupProtection(ResourceType):
    """How a repository keeps what is deleted there, which is looked at. Extension."""

    method: str | None = element()
    url: str | None = element(omit_absent=True)
    """Of a restic repository of the provider's own, or of an S3 server."""
    region: str | None = element(omit_absent=True)
    bucket: str | None = element(omit_absent=True)
    username: str | None = element(omit_absent=True)
    """With S3, the access key id."""
    password: str | None = element(omit_absent=True)
    """With S3, the secret access key. Never in an answer."""
    ca_file: str | None = element(omit_absent=True)
    """Whom to trust that it is the server, as PEM; the public authorities when left out."""
    protected: bool | None = element(omit_absent=True)
    """Whether it was seen to be so within a day. In answers only, as all that follow."""
    days: int | None = element(omit_absent=True)
    """For how long what is deleted is kept; left out for ever."""
    checked_time: datetime | None = element(omit_absent=True)
    warning: str | None = element(omit_absent=True)


@dataclass(frozen=True, kw_only=True)
class CreateRepositorySpec(ResourceType):
    """Body of POST /repositories. Extension: the original has no such call."""

    href: str | None = attribute()
    type: str | None = attribute()
    name: str | None = element()
    description: str | None = element()
    kind: str | None = element()
    endpoint: str | None = element()
    address: str | None = element()
    backup_server_uid: str | None = element()
    usage_probe: UsageProbe | None = element(omit_absent=True)
    capacity: int | None = element(omit_absent=True)
    """In bytes, as its provider states it; 0 for not stated."""
    quota_warning_percents: tuple[int, ...] | None = listed(
        "Percent", extension=True, omit_absent=True
    )
    quota_grace_percent: int | None = element(extension=True, omit_absent=True)
    quota_enforced: bool | None = element(extension=True, omit_absent=True)
    backup_protection: BackupProtection | None = element(extension=True, omit_absent=True)


@dataclass(frozen=True, kw_only=True)
class Repository(Entity):
    """A storage service. What follows Kind are extensions."""

    capacity: int | None = element(omit_absent=True)
    """In bytes, where somebody has stated it, or measured it. In PUT it states it, unless it is
    what was shown."""
    free_space: int | None = element(omit_absent=True)
    kind: str | None = element()
    description: str | None = element()
    endpoint: str | None = element()
    address: str | None = element()
    usage_probe: UsageProbe | None = element(omit_absent=True)
    warning: str | None = element(omit_absent=True)
    """What keeps programs from it; in answers only."""
    quota_warning_percents: tuple[int, ...] | None = listed(
        "Percent", extension=True, omit_absent=True
    )
    """Levels of use of a quota that are a warning; in PUT, none at all without any."""
    quota_grace_percent: int | None = element(extension=True, omit_absent=True)
    """So much more than its quota a tenant may use, before new tunnels only bring data back."""
    quota_enforced: bool | None = element(extension=True, omit_absent=True)
    """Whether they ever only do that."""
    backup_protection: BackupProtection | None = element(extension=True, omit_absent=True)
    """How it keeps what is deleted there; what a tenant's BackupProtectionEnabled needs."""


@dataclass(frozen=True, kw_only=True)
class Repositories(ResourceType):
    """All repositories."""

    repositories: tuple[Repository, ...] = repeated("Repository", array="Repositories")
