"""Kinds: which kinds of things does the API keep, and where?"""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""A thing as the API says it."""


@dataclass(frozen=True)
class Kind:
    """A kind of thing that the API keeps."""

    word: str
    """What it is called, such as ``gateway``."""
    many: str
    type: str
    """What the API calls it, such as ``CloudGateway``."""
    path: str
    """Of its collection below ``/api``."""
    array: str
    """The property of the collection that holds the entities."""
    named: bool = True
    """Whether it may be named by name, not only by id."""
    inside: str = ""
    """What it belongs to, such as ``tenant``, below which its path is then."""


BACKUP_SERVER = Kind(
    "backup-server", "backup servers", "BackupServer", "/backupServers", "BackupServers"
)
SERVER = Kind("server", "managed servers", "ManagedServer", "/managedServers", "ManagedServers")
REPOSITORY = Kind("repository", "repositories", "Repository", "/repositories", "Repositories")
GATEWAY = Kind("gateway", "gateways", "CloudGateway", "/cloud/gateways", "CloudGateways")
POOL = Kind("pool", "gateway pools", "CloudGatewayPool", "/cloud/gatewayPools", "CloudGatewayPools")
TENANT = Kind("tenant", "tenants", "CloudTenant", "/cloud/tenants", "CloudTenants")
CERTIFICATE = Kind(
    "certificate",
    "certificates that were brought",
    "CloudCertificate",
    "/cloud/certificates",
    "CloudCertificates",
    named=False,
)
TASK = Kind("task", "tasks", "Task", "/tasks", "Tasks", named=False)
RECEIVER = Kind(
    "notification",
    "receivers of notifications",
    "NotificationReceiver",
    "/notifications/receivers",
    "NotificationReceivers",
)
ACCOUNT = Kind(
    "account", "accounts", "EnterpriseAccount", "/security/accounts", "EnterpriseAccounts"
)
ROLE = Kind("role", "roles", "EnterpriseRole", "/security/roles", "EnterpriseRoleEntitys")
TOKEN = Kind("token", "API tokens", "ApiToken", "/security/tokens", "ApiTokens")
QUOTA = Kind(
    "quota", "quotas", "CloudTenantResource", "resources", "CloudTenantResources", inside="tenant"
)
SUBTENANT = Kind(
    "user", "subtenants", "CloudSubtenant", "subtenants", "CloudSubtenants", inside="tenant"
)
