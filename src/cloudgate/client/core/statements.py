"""Statements: what may be done with each kind of thing, and by which types? As the routes say.

A test holds them to the table of the API's routes.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cloudgate.client.core import kinds
from cloudgate.client.core.kinds import Kind
from cloudgate.wire.description import Described
from cloudgate.wire.resources.cloud.certificates import CloudCertificate, CreateCloudCertificateSpec
from cloudgate.wire.resources.cloud.gateways import CloudGateway, CreateCloudGatewaySpec
from cloudgate.wire.resources.cloud.pools import CloudGatewayPool, CreateCloudGatewayPoolSpec
from cloudgate.wire.resources.cloud.subtenants import CloudSubtenant, CloudSubtenantCreateSpec
from cloudgate.wire.resources.cloud.tenants import (
    CloudTenant,
    CloudTenantResource,
    CreateCloudTenantResourceSpec,
    CreateCloudTenantSpec,
)
from cloudgate.wire.resources.infrastructure import (
    BackupServer,
    BackupServerSpec,
    CreateManagedServerSpec,
    CreateRepositorySpec,
    ManagedServer,
    Repository,
)
from cloudgate.wire.resources.notifications import (
    CreateNotificationReceiverSpec,
    NotificationReceiver,
)
from cloudgate.wire.resources.security import (
    EnterpriseAccount,
    EnterpriseAccountCreateSpec,
    EnterpriseAccountPasswordSpec,
    EnterpriseRole,
)
from cloudgate.wire.resources.sessions import Task
from cloudgate.wire.resources.tokens import ApiToken, CreateApiTokenSpec

Entity = TypeVar("Entity", bound=Described)
Spec = TypeVar("Spec", bound=Described)
Change = TypeVar("Change", bound=Described)
DRAIN = "drainSeconds"
END = "endTunnels"


@dataclass(frozen=True, kw_only=True)
class Statement(Generic[Entity, Spec, Change]):
    """What may be done with a kind of thing; a type is None where nothing of that sort may be."""

    kind: Kind
    entity: type[Entity]
    spec: type[Spec] | None = None
    """What a new one is made of."""
    change: type[Change] | None = None
    """What an edit is told; what is None in it stays as it is."""
    action: str = ""
    """Of the call that makes one, where it has a name."""
    by_task: bool = False
    """Whether changes take time."""
    queried: str = ""
    """Where the query service shows it, of `Entities` or `Resources`; empty where it does not."""
    parameters: dict[str, frozenset[str]] = field(default_factory=dict)
    """What may be said besides, by the verb of the call."""


BACKUP_SERVERS = Statement(
    kind=kinds.BACKUP_SERVER,
    entity=BackupServer,
    spec=BackupServerSpec,
    change=BackupServerSpec,
    action="create",
    queried="backup_servers",
)
SERVERS: Statement[ManagedServer, CreateManagedServerSpec, Described] = Statement(
    kind=kinds.SERVER,
    entity=ManagedServer,
    spec=CreateManagedServerSpec,
    queried="managed_servers",
)
REPOSITORIES = Statement(
    kind=kinds.REPOSITORY,
    entity=Repository,
    spec=CreateRepositorySpec,
    change=Repository,
    queried="repositories",
)
GATEWAYS = Statement(
    kind=kinds.GATEWAY,
    entity=CloudGateway,
    spec=CreateCloudGatewaySpec,
    change=CloudGateway,
    by_task=True,
    queried="cloud_gateways",
    parameters={"PUT": frozenset({DRAIN}), "DELETE": frozenset({DRAIN})},
)
POOLS = Statement(
    kind=kinds.POOL,
    entity=CloudGatewayPool,
    spec=CreateCloudGatewayPoolSpec,
    change=CloudGatewayPool,
    by_task=True,
    queried="cloud_gateway_pools",
    parameters=dict.fromkeys(("POST", "PUT", "DELETE"), frozenset({DRAIN})),
)
TENANTS = Statement(
    kind=kinds.TENANT,
    entity=CloudTenant,
    spec=CreateCloudTenantSpec,
    change=CloudTenant,
    by_task=True,
    queried="cloud_tenants",
    parameters={"PUT": frozenset({END})},
)
QUOTAS: Statement[CloudTenantResource, CreateCloudTenantResourceSpec, Described] = Statement(
    kind=kinds.QUOTA,
    entity=CloudTenantResource,
    spec=CreateCloudTenantResourceSpec,
    by_task=True,
    parameters={"DELETE": frozenset({END})},
)
SUBTENANTS = Statement(
    kind=kinds.SUBTENANT,
    entity=CloudSubtenant,
    spec=CloudSubtenantCreateSpec,
    change=CloudSubtenant,
    by_task=True,
    parameters={"PUT": frozenset({END})},
)
CERTIFICATES: Statement[CloudCertificate, CreateCloudCertificateSpec, Described] = Statement(
    kind=kinds.CERTIFICATE, entity=CloudCertificate, spec=CreateCloudCertificateSpec
)
TASKS: Statement[Task, Described, Described] = Statement(
    kind=kinds.TASK, entity=Task, queried="tasks"
)
RECEIVERS = Statement(
    kind=kinds.RECEIVER,
    entity=NotificationReceiver,
    spec=CreateNotificationReceiverSpec,
    change=NotificationReceiver,
)
ACCOUNTS = Statement(
    kind=kinds.ACCOUNT,
    entity=EnterpriseAccount,
    spec=EnterpriseAccountCreateSpec,
    change=EnterpriseAccountPasswordSpec,
)
ROLES: Statement[EnterpriseRole, Described, Described] = Statement(
    kind=kinds.ROLE, entity=EnterpriseRole
)
TOKENS: Statement[ApiToken, CreateApiTokenSpec, Described] = Statement(
    kind=kinds.TOKEN, entity=ApiToken, spec=CreateApiTokenSpec
)
