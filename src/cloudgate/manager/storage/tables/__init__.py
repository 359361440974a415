"""Tables: what is kept, as SQLAlchemy maps it?"""

from cloudgate.manager.storage.tables.accounts import (
    Account,
    AccountIdentity,
    AccountRole,
    ApiToken,
    LogonSession,
    Passkey,
    RequiredFactor,
    SecondFactor,
    SpentChallenge,
    TenantSession,
)
from cloudgate.manager.storage.tables.base import Base
from cloudgate.manager.storage.tables.certificates import (
    CertificateOrder,
    CloudCertificate,
    TenantAuthority,
    TenantCertificate,
)
from cloudgate.manager.storage.tables.cloud import (
    CloudGateway,
    CloudTenant,
    DirectoryRevision,
    FormerName,
    GatewayPool,
    PoolStay,
    PoolTenant,
    RemovedTenant,
    Subtenant,
    TenantResource,
)
from cloudgate.manager.storage.tables.infrastructure import (
    BackupServer,
    Credentials,
    ManagedServer,
    PasswordKey,
    Repository,
)
from cloudgate.manager.storage.tables.notifications import (
    NotificationCondition,
    NotificationDelivery,
    NotificationReceiver,
)
from cloudgate.manager.storage.tables.records import (
    AuditChain,
    AuditEvent,
    Counter,
    InstallationMark,
    Maintenance,
    Task,
)
from cloudgate.manager.storage.tables.usage import HeldBackTime, Usage, UsageTotal

__all__ = (
    "Account",
    "AccountIdentity",
    "AccountRole",
    "ApiToken",
    "AuditChain",
    "AuditEvent",
    "BackupServer",
    "Base",
    "CertificateOrder",
    "CloudCertificate",
    "CloudGateway",
    "CloudTenant",
    "Counter",
    "Credentials",
    "DirectoryRevision",
    "FormerName",
    "GatewayPool",
    "HeldBackTime",
    "InstallationMark",
    "LogonSession",
    "Maintenance",
    "ManagedServer",
    "NotificationCondition",
    "NotificationDelivery",
    "NotificationReceiver",
    "Passkey",
    "PasswordKey",
    "PoolStay",
    "PoolTenant",
    "RemovedTenant",
    "Repository",
    "RequiredFactor",
    "SecondFactor",
    "SpentChallenge",
    "Subtenant",
    "Task",
    "TenantAuthority",
    "TenantCertificate",
    "TenantResource",
    "TenantSession",
    "Usage",
    "UsageTotal",
)
