"""Which calls does the API have? The whole list."""

from cloudgate.api.handlers import (
    absent,
    backup_servers,
    gateway_pools,
    gateways,
    managed_servers,
    reports,
    repositories,
    sessions,
    subtenants,
    tasks,
    tenants,
)
from cloudgate.api.routes import Route
from cloudgate.wire.resources.gateways import CloudGateway, CreateCloudGatewaySpec
from cloudgate.wire.resources.infrastructure import (
    BackupServerSpec,
    CreateManagedServerSpec,
    CreateRepositorySpec,
    Repository,
)
from cloudgate.wire.resources.pools import CloudGatewayPool, CreateCloudGatewayPoolSpec
from cloudgate.wire.resources.subtenants import CloudSubtenant, CloudSubtenantCreateSpec
from cloudgate.wire.resources.tenants import (
    CloudTenant,
    CreateCloudTenantResourceSpec,
    CreateCloudTenantSpec,
)

ROUTES = [
    Route(verb="GET", path="/", handler=sessions.get_root, needs_session=False),
    Route(verb="GET", path="/schema", handler=sessions.get_schema, needs_session=False),
    Route(verb="POST", path="/sessionMngr", handler=sessions.post_session, needs_session=False),
    Route(verb="GET", path="/logonSessions", handler=sessions.get_sessions),
    Route(verb="GET", path="/logonSessions/{id}", handler=sessions.get_session),
    Route(verb="DELETE", path="/logonSessions/{id}", handler=sessions.delete_session),
    Route(verb="GET", path="/tasks", handler=tasks.get_tasks),
    Route(verb="GET", path="/tasks/{id}", handler=tasks.get_task),
    Route(verb="DELETE", path="/tasks/{id}", handler=tasks.delete_task),
    Route(verb="GET", path="/backupServers", handler=backup_servers.get_backup_servers),
    Route(
        verb="POST",
        path="/backupServers",
        action="create",
        handler=backup_servers.post_backup_server,
        bodies=(BackupServerSpec,),
    ),
    Route(verb="GET", path="/backupServers/{id}", handler=backup_servers.get_backup_server),
    Route(
        verb="PUT",
        path="/backupServers/{id}",
        handler=backup_servers.put_backup_server,
        bodies=(BackupServerSpec,),
    ),
    Route(verb="DELETE", path="/backupServers/{id}", handler=backup_servers.delete_backup_server),
    Route(
        verb="POST",
        path="/backupServers/{id}",
        action="collect",
        handler=backup_servers.collect,
    ),
    Route(verb="GET", path="/managedServers", handler=managed_servers.get_managed_servers),
    Route(
        verb="GET",
        path="/backupServers/{id}/managedServers",
        handler=managed_servers.get_servers_of_site,
    ),
    Route(
        verb="GET",
        path="/backupServers/{id}/repositories",
        handler=repositories.get_repositories_of_site,
    ),
    Route(
        verb="POST",
        path="/managedServers",
        handler=managed_servers.post_managed_server,
        bodies=(CreateManagedServerSpec,),
    ),
    Route(verb="GET", path="/managedServers/{id}", handler=managed_servers.get_managed_server),
    Route(
        verb="DELETE",
        path="/managedServers/{id}",
        handler=managed_servers.delete_managed_server,
    ),
    Route(verb="GET", path="/repositories", handler=repositories.get_repositories),
    Route(
        verb="POST",
        path="/repositories",
        handler=repositories.post_repository,
        bodies=(CreateRepositorySpec,),
    ),
    Route(verb="GET", path="/repositories/{id}", handler=repositories.get_repository),
    Route(
        verb="PUT",
        path="/repositories/{id}",
        handler=repositories.put_repository,
        bodies=(Repository, CreateRepositorySpec),
    ),
    Route(verb="DELETE", path="/repositories/{id}", handler=repositories.delete_repository),
    Route(verb="GET", path="/cloud", handler=sessions.get_cloud),
    Route(verb="GET", path="/cloud/gateways", handler=gateways.get_gateways),
    Route(
        verb="POST",
        path="/cloud/gateways",
        handler=gateways.post_gateway,
        bodies=(CreateCloudGatewaySpec,),
    ),
    Route(verb="GET", path="/cloud/gateways/{id}", handler=gateways.get_gateway),
    Route(
        verb="PUT",
        path="/cloud/gateways/{id}",
        handler=gateways.put_gateway,
        bodies=(CloudGateway,),
    ),
    Route(verb="DELETE", path="/cloud/gateways/{id}", handler=gateways.delete_gateway),
    Route(verb="GET", path="/cloud/gatewayPools", handler=gateway_pools.get_pools),
    Route(
        verb="POST",
        path="/cloud/gatewayPools",
        handler=gateway_pools.post_pool,
        bodies=(CreateCloudGatewayPoolSpec,),
    ),
    Route(verb="GET", path="/cloud/gatewayPools/{id}", handler=gateway_pools.get_pool),
    Route(
        verb="PUT",
        path="/cloud/gatewayPools/{id}",
        handler=gateway_pools.put_pool,
        bodies=(CloudGatewayPool,),
    ),
    Route(verb="DELETE", path="/cloud/gatewayPools/{id}", handler=gateway_pools.delete_pool),
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}/gateways",
        handler=gateway_pools.get_gateways_of_pool,
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}/tenants",
        handler=gateway_pools.get_tenants_of_pool,
    ),
    Route(verb="GET", path="/cloud/tenants", handler=tenants.get_tenants),
    Route(
        verb="POST",
        path="/cloud/tenants",
        handler=tenants.post_tenant,
        bodies=(CreateCloudTenantSpec,),
    ),
    Route(verb="GET", path="/cloud/tenants/{id}", handler=tenants.get_tenant),
    Route(
        verb="PUT", path="/cloud/tenants/{id}", handler=tenants.put_tenant, bodies=(CloudTenant,)
    ),
    Route(verb="DELETE", path="/cloud/tenants/{id}", handler=tenants.delete_tenant),
    Route(verb="GET", path="/cloud/tenants/{id}/resources", handler=tenants.get_resources),
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/resources",
        handler=tenants.post_resource,
        bodies=(CreateCloudTenantResourceSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources/{resource}",
        handler=tenants.get_resource,
    ),
    Route(
        verb="DELETE",
        path="/cloud/tenants/{id}/resources/{resource}",
        handler=tenants.delete_resource,
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/gatewayPools",
        handler=gateway_pools.get_pools_of_tenant,
    ),
    Route(verb="GET", path="/cloud/tenants/{id}/subtenants", handler=subtenants.get_subtenants),
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/subtenants",
        handler=subtenants.post_subtenant,
        bodies=(CloudSubtenantCreateSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        handler=subtenants.get_subtenant,
    ),
    Route(
        verb="PUT",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        handler=subtenants.put_subtenant,
        bodies=(CloudSubtenant,),
    ),
    Route(
        verb="DELETE",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        handler=subtenants.delete_subtenant,
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/freelicenseCounters",
        handler=subtenants.get_free_license_counters,
    ),
    Route(verb="GET", path="/reports/summary", handler=reports.get_reports),
    Route(verb="GET", path="/reports/summary/overview", handler=reports.get_overview),
    Route(verb="GET", path="/reports/summary/vms_overview", handler=reports.get_vms_overview),
    Route(verb="GET", path="/reports/summary/job_statistics", handler=reports.get_job_statistics),
    Route(verb="GET", path="/reports/summary/processed_vms", handler=reports.get_processed_vms),
    Route(verb="GET", path="/reports/summary/repository", handler=reports.get_repositories),
    *absent.ROUTES,
]
