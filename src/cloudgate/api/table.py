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
from cloudgate.api.handlers.description import Description
from cloudgate.api.routes import (
    DONE,
    Outcome,
    Parameter,
    Route,
    adds,
    shows,
    shows_either,
    starts,
)
from cloudgate.wire.resources.base import EntityRef, EntityReferences
from cloudgate.wire.resources.gateways import CloudGateway, CloudGateways, CreateCloudGatewaySpec
from cloudgate.wire.resources.infrastructure import (
    BackupServer,
    BackupServers,
    BackupServerSpec,
    CreateManagedServerSpec,
    CreateRepositorySpec,
    ManagedServer,
    ManagedServers,
    Repositories,
    Repository,
)
from cloudgate.wire.resources.pools import (
    CloudGatewayPool,
    CloudGatewayPools,
    CreateCloudGatewayPoolSpec,
)
from cloudgate.wire.resources.reports import (
    JobStatisticsReportFrame,
    OverviewReportFrame,
    ProcessedVmsReportFrame,
    RepositoryReportFrame,
    SummaryReport,
    VmsOverviewReportFrame,
)
from cloudgate.wire.resources.sessions import (
    CloudConnectService,
    EnterpriseManager,
    LogonSession,
    LogonSessions,
    Task,
    Tasks,
)
from cloudgate.wire.resources.subtenants import (
    CloudSubtenant,
    CloudSubtenantCreateSpec,
    CloudSubtenants,
    CloudTenantFreeLicenseCounters,
)
from cloudgate.wire.resources.tenants import (
    CloudTenant,
    CloudTenantResource,
    CloudTenantResources,
    CloudTenants,
    CreateCloudTenantResourceSpec,
    CreateCloudTenantSpec,
)

TASK = starts(Task)
TASK_ID = "^task-[0-9]+$"
LOGGED_ON = Outcome(
    status=201, kinds=(LogonSession,), headers=(sessions.HEADER, "Location", "Set-Cookie")
)
VERSION = Parameter(
    name="v", description="Version of the API; all are the same here.", values=sessions.ACCEPTED
)

ROUTES = [
    Route(
        verb="GET",
        path="/",
        handler=sessions.get_root,
        answers=shows(EnterpriseManager),
        needs_session=False,
    ),
    Route(
        verb="GET",
        path="/schema",
        handler=sessions.get_schema,
        answers=Outcome(document="application/xml"),
        needs_session=False,
    ),
    Route(
        verb="POST",
        path="/sessionMngr",
        handler=sessions.post_session,
        query=(VERSION,),
        answers=LOGGED_ON,
        needs_session=False,
    ),
    Route(
        verb="GET",
        path="/logonSessions",
        handler=sessions.get_sessions,
        answers=shows(LogonSessions),
    ),
    Route(
        verb="GET",
        path="/logonSessions/{id}",
        handler=sessions.get_session,
        answers=shows(LogonSession),
    ),
    Route(verb="DELETE", path="/logonSessions/{id}", handler=sessions.delete_session, answers=DONE),
    Route(verb="GET", path="/tasks", handler=tasks.get_tasks, answers=shows(Tasks)),
    Route(
        verb="GET",
        path="/tasks/{id}",
        handler=tasks.get_task,
        identifier=TASK_ID,
        answers=shows(Task),
    ),
    Route(
        verb="DELETE",
        path="/tasks/{id}",
        handler=tasks.delete_task,
        identifier=TASK_ID,
        answers=DONE,
    ),
    Route(
        verb="GET",
        path="/backupServers",
        handler=backup_servers.get_backup_servers,
        answers=shows_either(EntityReferences, BackupServers),
    ),
    Route(
        verb="POST",
        path="/backupServers",
        action="create",
        handler=backup_servers.post_backup_server,
        answers=adds(),
        bodies=(BackupServerSpec,),
    ),
    Route(
        verb="GET",
        path="/backupServers/{id}",
        handler=backup_servers.get_backup_server,
        answers=shows_either(EntityRef, BackupServer),
    ),
    Route(
        verb="PUT",
        path="/backupServers/{id}",
        handler=backup_servers.put_backup_server,
        answers=DONE,
        bodies=(BackupServerSpec,),
    ),
    Route(
        verb="DELETE",
        path="/backupServers/{id}",
        handler=backup_servers.delete_backup_server,
        answers=DONE,
    ),
    Route(
        verb="POST",
        path="/backupServers/{id}",
        action="collect",
        handler=backup_servers.collect,
        answers=TASK,
    ),
    Route(
        verb="GET",
        path="/managedServers",
        handler=managed_servers.get_managed_servers,
        answers=shows_either(EntityReferences, ManagedServers),
    ),
    Route(
        verb="GET",
        path="/backupServers/{id}/managedServers",
        handler=managed_servers.get_servers_of_site,
        answers=shows_either(EntityReferences, ManagedServers),
    ),
    Route(
        verb="GET",
        path="/backupServers/{id}/repositories",
        handler=repositories.get_repositories_of_site,
        answers=shows_either(EntityReferences, Repositories),
    ),
    Route(
        verb="POST",
        path="/managedServers",
        handler=managed_servers.post_managed_server,
        answers=adds(ManagedServer),
        bodies=(CreateManagedServerSpec,),
    ),
    Route(
        verb="GET",
        path="/managedServers/{id}",
        handler=managed_servers.get_managed_server,
        answers=shows_either(EntityRef, ManagedServer),
    ),
    Route(
        verb="DELETE",
        path="/managedServers/{id}",
        handler=managed_servers.delete_managed_server,
        answers=DONE,
    ),
    Route(
        verb="GET",
        path="/repositories",
        handler=repositories.get_repositories,
        answers=shows_either(EntityReferences, Repositories),
    ),
    Route(
        verb="POST",
        path="/repositories",
        handler=repositories.post_repository,
        answers=adds(Repository),
        bodies=(CreateRepositorySpec,),
    ),
    Route(
        verb="GET",
        path="/repositories/{id}",
        handler=repositories.get_repository,
        answers=shows_either(EntityRef, Repository),
    ),
    Route(
        verb="PUT",
        path="/repositories/{id}",
        handler=repositories.put_repository,
        answers=DONE,
        bodies=(Repository, CreateRepositorySpec),
    ),
    Route(
        verb="DELETE",
        path="/repositories/{id}",
        handler=repositories.delete_repository,
        answers=DONE,
    ),
    Route(
        verb="GET", path="/cloud", handler=sessions.get_cloud, answers=shows(CloudConnectService)
    ),
    Route(
        verb="GET",
        path="/cloud/gateways",
        handler=gateways.get_gateways,
        answers=shows_either(EntityReferences, CloudGateways),
    ),
    Route(
        verb="POST",
        path="/cloud/gateways",
        handler=gateways.post_gateway,
        answers=TASK,
        bodies=(CreateCloudGatewaySpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/gateways/{id}",
        handler=gateways.get_gateway,
        answers=shows_either(EntityRef, CloudGateway),
    ),
    Route(
        verb="PUT",
        path="/cloud/gateways/{id}",
        handler=gateways.put_gateway,
        answers=TASK,
        bodies=(CloudGateway,),
    ),
    Route(
        verb="DELETE", path="/cloud/gateways/{id}", handler=gateways.delete_gateway, answers=TASK
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools",
        handler=gateway_pools.get_pools,
        answers=shows_either(EntityReferences, CloudGatewayPools),
    ),
    Route(
        verb="POST",
        path="/cloud/gatewayPools",
        handler=gateway_pools.post_pool,
        answers=TASK,
        bodies=(CreateCloudGatewayPoolSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}",
        handler=gateway_pools.get_pool,
        answers=shows_either(EntityRef, CloudGatewayPool),
    ),
    Route(
        verb="PUT",
        path="/cloud/gatewayPools/{id}",
        handler=gateway_pools.put_pool,
        answers=TASK,
        bodies=(CloudGatewayPool,),
    ),
    Route(
        verb="DELETE",
        path="/cloud/gatewayPools/{id}",
        handler=gateway_pools.delete_pool,
        answers=TASK,
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}/gateways",
        handler=gateway_pools.get_gateways_of_pool,
        answers=shows_either(EntityReferences, CloudGateways),
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}/tenants",
        handler=gateway_pools.get_tenants_of_pool,
        answers=shows_either(EntityReferences, CloudTenants),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants",
        handler=tenants.get_tenants,
        answers=shows_either(EntityReferences, CloudTenants),
    ),
    Route(
        verb="POST",
        path="/cloud/tenants",
        handler=tenants.post_tenant,
        answers=TASK,
        bodies=(CreateCloudTenantSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}",
        handler=tenants.get_tenant,
        answers=shows_either(EntityRef, CloudTenant),
    ),
    Route(
        verb="PUT",
        path="/cloud/tenants/{id}",
        handler=tenants.put_tenant,
        answers=TASK,
        bodies=(CloudTenant,),
    ),
    Route(verb="DELETE", path="/cloud/tenants/{id}", handler=tenants.delete_tenant, answers=TASK),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources",
        handler=tenants.get_resources,
        answers=shows(CloudTenantResources),
    ),
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/resources",
        handler=tenants.post_resource,
        answers=TASK,
        bodies=(CreateCloudTenantResourceSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources/{resource}",
        handler=tenants.get_resource,
        answers=shows(CloudTenantResource),
    ),
    Route(
        verb="DELETE",
        path="/cloud/tenants/{id}/resources/{resource}",
        handler=tenants.delete_resource,
        answers=TASK,
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/gatewayPools",
        handler=gateway_pools.get_pools_of_tenant,
        answers=shows(EntityReferences),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/subtenants",
        handler=subtenants.get_subtenants,
        answers=shows(CloudSubtenants),
    ),
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/subtenants",
        handler=subtenants.post_subtenant,
        answers=TASK,
        bodies=(CloudSubtenantCreateSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        handler=subtenants.get_subtenant,
        answers=shows(CloudSubtenant),
    ),
    Route(
        verb="PUT",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        handler=subtenants.put_subtenant,
        answers=TASK,
        bodies=(CloudSubtenant,),
    ),
    Route(
        verb="DELETE",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        handler=subtenants.delete_subtenant,
        answers=TASK,
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/freelicenseCounters",
        handler=subtenants.get_free_license_counters,
        answers=shows(CloudTenantFreeLicenseCounters),
    ),
    Route(
        verb="GET",
        path="/reports/summary",
        handler=reports.get_reports,
        answers=shows(SummaryReport),
    ),
    Route(
        verb="GET",
        path="/reports/summary/overview",
        handler=reports.get_overview,
        answers=shows(OverviewReportFrame),
    ),
    Route(
        verb="GET",
        path="/reports/summary/vms_overview",
        handler=reports.get_vms_overview,
        answers=shows(VmsOverviewReportFrame),
    ),
    Route(
        verb="GET",
        path="/reports/summary/job_statistics",
        handler=reports.get_job_statistics,
        answers=shows(JobStatisticsReportFrame),
    ),
    Route(
        verb="GET",
        path="/reports/summary/processed_vms",
        handler=reports.get_processed_vms,
        answers=shows(ProcessedVmsReportFrame),
    ),
    Route(
        verb="GET",
        path="/reports/summary/repository",
        handler=reports.get_repositories,
        answers=shows(RepositoryReportFrame),
    ),
    *absent.ROUTES,
]

_DESCRIPTION = Description(ROUTES)
ROUTES += [
    Route(
        verb="GET",
        path="/openapi.json",
        handler=_DESCRIPTION.get_openapi,
        needs_session=False,
        answers=Outcome(document="application/json"),
    ),
    Route(
        verb="GET",
        path="/docs",
        handler=_DESCRIPTION.get_docs,
        needs_session=False,
        answers=Outcome(document="text/html"),
    ),
]
