"""Kinds: which kinds of things does the API keep, where, and what may be said of a change to one?

A test holds them to the table of the API's routes. Types are said where a client has a kind as a
member: commands load this before they know whether anything is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
"""A thing as the API says it."""
DRAIN = "drainSeconds"
END = "endTunnels"


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
    action: str = ""
    """Of the call that makes one, where it has a name."""
    by_task: bool = False
    """Whether changes take time."""
    queried: str = ""
    """Where the query service shows it, of `Entities` or `Resources`; empty where it does not."""
    parameters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What may be said besides, by the verb of the call."""

    @property
    def spoken(self) -> str:
        """Its word in a sentence."""
        return self.word.replace("-", " ")


BACKUP_SERVER = Kind(
    "backup-server",
    "backup servers",
    "BackupServer",
    "/backupServers",
    "BackupServers",
    action="create",
    queried="backup_servers",
)
SERVER = Kind(
    "server",
    "managed servers",
    "ManagedServer",
    "/managedServers",
    "ManagedServers",
    queried="managed_servers",
)
REPOSITORY = Kind(
    "repository",
    "repositories",
    "Repository",
    "/repositories",
    "Repositories",
    queried="repositories",
)
GATEWAY = Kind(
    "gateway",
    "gateways",
    "CloudGateway",
    "/cloud/gateways",
    "CloudGateways",
    by_task=True,
    queried="cloud_gateways",
    parameters={"PUT": frozenset({DRAIN}), "DELETE": frozenset({DRAIN})},
)
POOL = Kind(
    "pool",
    "gateway pools",
    "CloudGatewayPool",
    "/cloud/gatewayPools",
    "CloudGatewayPools",
    by_task=True,
    queried="cloud_gateway_pools",
    parameters=dict.fromkeys(("POST", "PUT", "DELETE"), frozenset({DRAIN})),
)
TENANT = Kind(
    "tenant",
    "tenants",
    "CloudTenant",
    "/cloud/tenants",
    "CloudTenants",
    by_task=True,
    queried="cloud_tenants",
    parameters={"PUT": frozenset({END})},
)
CERTIFICATE = Kind(
    "certificate",
    "certificates that were brought",
    "CloudCertificate",
    "/cloud/certificates",
    "CloudCertificates",
    named=False,
)
TASK = Kind("task", "tasks", "Task", "/tasks", "Tasks", named=False, queried="tasks")
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
    "quota",
    "quotas",
    "CloudTenantResource",
    "resources",
    "CloudTenantResources",
    inside="tenant",
    by_task=True,
    parameters={"DELETE": frozenset({END})},
)
SUBTENANT = Kind(
    "user",
    "subtenants",
    "CloudSubtenant",
    "subtenants",
    "CloudSubtenants",
    inside="tenant",
    by_task=True,
    parameters={"PUT": frozenset({END})},
)
