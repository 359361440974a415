"""Query sources: what can be asked for, and by which parameters? As published."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Integer, String, case, cast, func, literal, not_, null, select
from sqlalchemy.orm import contains_eager

from cloudgate import __version__
from cloudgate.manager.pools.operations import WITH_MEMBERS
from cloudgate.manager.queries.fields import Field, Fields, Kind
from cloudgate.manager.queries.pages import Source
from cloudgate.manager.repositories import space
from cloudgate.manager.storage import tenant_rows
from cloudgate.manager.storage.tables import (
    AuditEvent,
    BackupServer,
    CloudGateway,
    CloudTenant,
    Credentials,
    GatewayPool,
    ManagedServer,
    PasswordKey,
    Repository,
    Subtenant,
    Task,
    TenantResource,
)

MANAGED_SERVER_TYPES = (
    "ESX", "VC", "Linux", "Local", "Windows", "ESXi", "HvServer", "HvCluster", "Scvmm",
    "BackupServer", "SanHost", "SmbServer", "SmbCluster", "VcdSystem", "Cloud", "AzureWinServer",
    "VmSnapshotStorageHost", "ConfigurationService", "ExternalInfrastructureProxy", "NdmpServer",
    "ExternalInfrastructureServer",
)  # fmt: skip


def _uid(column: Any, resource_type: str, name: str = "UID") -> Field:
    return Field(name, Kind.IDENTIFIER, column, resource_type=resource_type)


def _text(name: str, column: Any) -> Field:
    return Field(name, Kind.TEXT, column)


def _free_text(name: str, column: Any) -> Field:
    return Field(name, Kind.TEXT, column, is_name=False)


def _site(uid_name: str = "BackupServerUid") -> tuple[Field, Field]:
    return (
        _uid(BackupServer.id, "BackupServer", uid_name),
        _text("BackupServerName", BackupServer.name),
    )


def _with_site(model: Any) -> Any:
    return select(model).join(model.backup_server).options(contains_eager(model.backup_server))


GATEWAYS: Source[Any] = Source(
    Fields(
        "CloudGateway",
        (
            _uid(CloudGateway.id, "CloudGateway"),
            _text("Name", CloudGateway.name),
            Field("Enabled", Kind.BOOLEAN, CloudGateway.confirmed["enabled"].as_boolean()),
            _free_text("Description", CloudGateway.confirmed["description"].as_string()),
            *_site("BackupServerUId"),
        ),
        {},
    ),
    _with_site(CloudGateway).where(CloudGateway.confirmed.is_not(None)),
    CloudGateway.id,
)
POOLS: Source[Any] = Source(
    Fields(
        "CloudGatewayPool",
        (
            _uid(GatewayPool.id, "CloudGatewayPool"),
            _text("Name", GatewayPool.name),
            _free_text("Description", GatewayPool.description),
            *_site(),
        ),
        {},
    ),
    _with_site(GatewayPool).options(*WITH_MEMBERS),
    GatewayPool.id,
)
TENANTS: Source[Any] = Source(
    Fields(
        "CloudTenant",
        (
            _uid(CloudTenant.id, "CloudTenant"),
            Field("Name", Kind.TEXT, CloudTenant.name, folded=CloudTenant.login),
            Field("Enabled", Kind.BOOLEAN, CloudTenant.enabled),
            *_site("BackupServerUId"),
            Field(
                "Type",
                Kind.ENUMERATION,
                literal("Standalone"),
                values=("vCD", "Standalone", "ActiveDirectory"),
            ),
            _text("OrganizationReference", literal("")),
        ),
        {},
    ),
    tenant_rows.SELECT,
    CloudTenant.id,
    is_whole_table=True,
    read=tenant_rows.read,
)
SUBTENANTS: Source[Any] = Source(
    Fields(
        "CloudSubtenant",
        (
            _uid(Subtenant.id, "CloudSubtenant"),
            Field("Name", Kind.TEXT, Subtenant.name, folded=Subtenant.login),
            _uid(CloudTenant.id, "CloudTenant", "CloudTenantUid"),
            Field("CloudTenantName", Kind.TEXT, CloudTenant.name, folded=CloudTenant.login),
            Field("Disabled", Kind.BOOLEAN, not_(Subtenant.enabled)),
            Field("Unlimited", Kind.BOOLEAN, Subtenant.unlimited),
            Field(
                "Quota",
                Kind.NUMBER,
                func.coalesce(Subtenant.quota_mb, TenantResource.quota_mb),
            ),
            Field("UsedQuota", Kind.NUMBER, cast(null(), Integer)),
            _uid(TenantResource.id, "CloudTenantResource", "BackupResourceId"),
            *_site("BackupServerUID"),
        ),
        {},
    ),
    select(Subtenant)
    .join(Subtenant.tenant)
    .join(CloudTenant.backup_server)
    .join(Subtenant.resource)
    .options(
        contains_eager(Subtenant.tenant).contains_eager(CloudTenant.backup_server),
        contains_eager(Subtenant.resource),
    ),
    Subtenant.id,
    is_whole_table=True,
)
BACKUP_SERVERS: Source[Any] = Source(
    Fields(
        "BackupServer",
        (
            _uid(BackupServer.id, "BackupServer"),
            _text("Name", BackupServer.name),
            _free_text("Description", BackupServer.description),
            _text("IpOrDnsName", BackupServer.name),
            Field("Port", Kind.NUMBER, BackupServer.port),
            _text("Version", literal(__version__)),
        ),
        {},
    ),
    select(BackupServer),
    BackupServer.id,
)
MANAGED_SERVERS: Source[Any] = Source(
    Fields(
        "ManagedServer",
        (
            _uid(ManagedServer.id, "ManagedServer"),
            _text("Name", ManagedServer.name),
            _free_text("Description", ManagedServer.description),
            Field(
                "ManagedServerType",
                Kind.ENUMERATION,
                ManagedServer.kind,
                values=MANAGED_SERVER_TYPES,
            ),
        ),
        {},
    ),
    select(ManagedServer),
    ManagedServer.id,
)
REPOSITORIES: Source[Any] = Source(
    Fields(
        "Repository",
        (
            _uid(Repository.id, "Repository"),
            _text("Name", Repository.name),
            Field("FreeSpace", Kind.NUMBER, space.FREE),
            Field("Capacity", Kind.NUMBER, space.CAPACITY),
            *_site(),
        ),
        {},
    ),
    _with_site(Repository),
    Repository.id,
)
CREDENTIALS: Source[Any] = Source(
    Fields(
        "Credentials",
        (
            _text("Username", Credentials.user_name),
            _free_text("Description", Credentials.description),
            *_site(),
            _uid(Credentials.id, "Credentials", "CredentialsId"),
        ),
        {},
    ),
    _with_site(Credentials),
    Credentials.id,
)
PASSWORDS: Source[Any] = Source(
    Fields(
        "Passwords",
        (
            _uid(PasswordKey.id, "PasswordKey", "PasswordKeyID"),
            _free_text("Hint", PasswordKey.hint),
            *_site(),
        ),
        {},
    ),
    _with_site(PasswordKey),
    PasswordKey.id,
)
TASKS: Source[Any] = Source(
    Fields(
        "Task",
        (
            Field(
                "TaskId",
                Kind.TEXT,
                literal("task-") + cast(Task.number, String),
                order=Task.number,
            ),
            Field(
                "State",
                Kind.ENUMERATION,
                case((Task.finished_at.is_(None), "Running"), else_="Finished"),
                values=("Running", "OperationFinished", "Finished"),
            ),
            _text("Operation", Task.operation),
        ),
        {"TaskUid": "TaskId"},
    ),
    select(Task).where(Task.hidden.is_(False)),
    Task.number,
)
AUDIT_EVENTS: Source[Any] = Source(
    Fields(
        "AuditEvent",
        (
            Field("Number", Kind.NUMBER, AuditEvent.number),
            Field("Time", Kind.TIME, AuditEvent.at),
            _text("Account", AuditEvent.account),
            _text("Address", AuditEvent.address),
            Field("Code", Kind.NUMBER, AuditEvent.code),
            Field("Severity", Kind.ENUMERATION, AuditEvent.severity, values=("Info", "Warning")),
            _text("Operation", AuditEvent.operation),
            _free_text("Text", AuditEvent.text),
            _text("ObjectType", AuditEvent.object_type),
            Field("ObjectId", Kind.IDENTIFIER, AuditEvent.object_id),
            _text("ObjectName", AuditEvent.object_name),
            Field("Success", Kind.BOOLEAN, AuditEvent.success),
        ),
        {},
    ),
    select(AuditEvent),
    AuditEvent.number,
)
SOURCES: Mapping[str, Source[Any]] = {
    "CloudGateway": GATEWAYS,
    "CloudGatewayPool": POOLS,
    "CloudTenant": TENANTS,
    "CloudSubtenant": SUBTENANTS,
    "BackupServer": BACKUP_SERVERS,
    "ManagedServer": MANAGED_SERVERS,
    "Repository": REPOSITORIES,
    "Credentials": CREDENTIALS,
    "Passwords": PASSWORDS,
    "Task": TASKS,
}
"""By the name of the query type."""
