"""Surface: what do users of the client import? All of it, from `cloudgate.client`."""

from cloudgate.client.asynchronous_client import AsyncClient, AsyncTenantClient
from cloudgate.client.blocking_client import Client, TenantClient
from cloudgate.client.core.refusals import RefusedError
from cloudgate.client.core.retries import Retries, UnreachedError, UntrustedError
from cloudgate.client.core.tasks import TaskFailedError, TaskLeftError, Watcher
from cloudgate.errors import (
    AccessDeniedError,
    ChangedMeanwhileError,
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
)
from cloudgate.wire.resources.cloud.gateways import CloudGateway, CreateCloudGatewaySpec
from cloudgate.wire.resources.cloud.pools import CloudGatewayPool, CreateCloudGatewayPoolSpec
from cloudgate.wire.resources.cloud.tenants import (
    BackupResource,
    CloudTenant,
    CloudTenantResource,
    CreateCloudTenantResourceSpec,
    CreateCloudTenantSpec,
    LeaseOptions,
    RepositoryQuota,
    RotatePasswordSpec,
)
from cloudgate.wire.resources.infrastructure import (
    BackupServer,
    CreateManagedServerSpec,
    CreateRepositorySpec,
    ManagedServer,
    Repository,
)
from cloudgate.wire.resources.sessions import Task

__all__ = [
    "AccessDeniedError",
    "AsyncClient",
    "AsyncTenantClient",
    "BackupResource",
    "BackupServer",
    "ChangedMeanwhileError",
    "Client",
    "CloudGateway",
    "CloudGatewayPool",
    "CloudTenant",
    "CloudTenantResource",
    "CloudgateError",
    "CreateCloudGatewayPoolSpec",
    "CreateCloudGatewaySpec",
    "CreateCloudTenantResourceSpec",
    "CreateCloudTenantSpec",
    "CreateManagedServerSpec",
    "CreateRepositorySpec",
    "InvalidRequestError",
    "LeaseOptions",
    "ManagedServer",
    "NotAuthenticatedError",
    "NotFoundError",
    "RefusedError",
    "Repository",
    "RepositoryQuota",
    "Retries",
    "RotatePasswordSpec",
    "Task",
    "TaskFailedError",
    "TaskLeftError",
    "TenantClient",
    "TooManyRequestsError",
    "UnavailableError",
    "UnreachedError",
    "UntrustedError",
    "Watcher",
]
