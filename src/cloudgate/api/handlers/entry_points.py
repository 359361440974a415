"""Entry points: what does a client find at the API's root, and at that of its cloud part?"""

from collections.abc import Iterator

from cloudgate.api.access import EVERYBODY, PROVIDERS
from cloudgate.api.http import links
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Outcome, Route, Routes, shows
from cloudgate.wire import schema
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.sessions import (
    CloudConnectService,
    EnterpriseManager,
    SupportedVersion,
)

VERSIONS = ("v1", "v1_1", "v1_2", "v1_3", "v1_4", "v1_5", "v1_6", "v1_7")
_REFERENCES = (
    ("/backupServers", "BackupServer"),
    ("/managedServers", "ManagedServer"),
    ("/jobs", "Job"),
    ("/failoverPlans", "FailoverPlan"),
    ("/hierarchyRoots", "HierarchyRoot"),
    ("/repositories", "Repository"),
    ("/backups", "Backup"),
    ("/restorePoints", "RestorePoint"),
    ("/vmRestorePoints", "VmRestorePoint"),
    ("/vAppRestorePoints", "VAppRestorePoint"),
    ("/replicas", "Replica"),
    ("/vmReplicaPoints", "VmReplicaPoint"),
    ("/catalog/vms", "CatalogVm"),
    ("/backupSessions", "BackupJobSession"),
    ("/restoreSessions", "RestoreSession"),
    ("/replicaSessions", "ReplicaJobSession"),
    ("/backupTaskSessions", "BackupTaskSession"),
    ("/replicaTaskSessions", "ReplicaTaskSession"),
    ("/security", "EnterpriseSecuritySettings"),
    ("/wanAccelerators", "WanAccelerator"),
    ("/backupFiles", "BackupFile"),
    ("/externalRepositories", "ExternalRepository"),
)
"""In the published order."""
_WITHOUT_ENTITY_LINK = frozenset({"/security", "/backupFiles", "/externalRepositories"})
_CLOUD = (
    ("/cloud/gateways", "CloudGateway"),
    ("/cloud/tenants", "CloudTenant"),
    ("/cloud/hardwarePlans", "CloudHardwarePlan"),
    ("/cloud/publicIpAddresses", "CloudPublicIpAddress"),
    ("/cloud/cloudFailoverPlans", "CloudFailoverPlan"),
    ("/cloud/vmReplicaPoints", "CloudVmReplicaPoint"),
    ("/cloud/replicas", "CloudReplica"),
    ("/cloud/vlans", "VlanConfiguration"),
    ("/cloud/failoverSessions", "CloudFailoverSession"),
    ("/cloud/gatewayPools", "CloudGatewayPool"),
)
_CLOUD_OF_TENANTS = (
    ("/cloud/cloudFailoverPlans", "CloudFailoverPlan"),
    ("/cloud/vmReplicaPoints", "CloudVmReplicaPoint"),
    ("/cloud/replicas", "CloudReplica"),
)
_CREATED_IN_CLOUD = (
    "/cloud/gateways",
    "/cloud/tenants",
    "/cloud/hardwarePlans",
    "/cloud/publicIpAddresses",
    "/cloud/gatewayPools",
)


ROUTES = Routes(EVERYBODY)
ROUTES_OF_CLOUD = Routes(EVERYBODY)


@ROUTES.add(Route(verb="GET", path="/", answers=shows(EnterpriseManager), needs_session=False))
def get_root(call: Call) -> Answer:
    """The root of the API; needs no session."""
    logon = f"{call.root}/sessionMngr/?v="
    versions = tuple(
        SupportedVersion(name=name, links=(links.create_link(logon + name, "LogonSession"),))
        for name in VERSIONS
    )
    found = (
        links.down_link(f"{call.root}/logonSessions", "LogonSessionList"),
        links.create_link(f"{logon}latest", "LogonSession"),
    )
    return Answer(resource=EnterpriseManager(links=found, supported_versions=versions))


@ROUTES.add(
    Route(
        verb="GET", path="/schema", answers=Outcome(document="application/xml"), needs_session=False
    )
)
def get_schema(_call: Call) -> Answer:
    """The XML schema that bodies are held to; needs no session."""
    return Answer(document=schema.schema_bytes())


def ways_on(root: str) -> Iterator[Link]:
    """What a session leads to, in the published order, and nothing else: some count places."""
    for path, kind in _REFERENCES:
        service = kind == "EnterpriseSecuritySettings"
        yield links.down_link(root + path, kind if service else f"{kind}ReferenceList")
    yield links.down_link(f"{root}/tasks", "TaskList")
    yield links.down_link(f"{root}/querySvc", "QueryService")
    yield links.down_link(f"{root}/lookupSvc", "LookupService")
    yield Link(rel="Down", href=f"{root}/reports/summary", name="Summary", type="Report")
    for path, kind in _REFERENCES:
        if path not in _WITHOUT_ENTITY_LINK:
            yield links.down_link(root + path + links.ENTITY, f"{kind}List")
        if path == "/managedServers":
            yield links.create_link(f"{root}/backupServers?action=create")
    yield links.down_link(f"{root}/vCloud", "VCloudService")
    yield links.down_link(f"{root}/backupFiles{links.ENTITY}", "BackupFileList")
    yield links.down_link(f"{root}/agents", "AgentsService")
    yield links.down_link(f"{root}/selfService/vSphere", "VSphereSelfService")
    yield links.down_link(f"{root}/externalRepositories{links.ENTITY}", "ExternalRepositoryList")
    yield links.down_link(f"{root}/nas", "NasService")


@ROUTES_OF_CLOUD.add(
    Route(
        verb="GET",
        path="/cloud",
        answers=shows(CloudConnectService),
        roles=PROVIDERS,
        for_tenants=True,
    )
)
def get_cloud(call: Call) -> Answer:
    """The start of the Cloud Connect part."""
    root = call.root
    shown = _CLOUD_OF_TENANTS if call.session.tenant_id else _CLOUD
    created = () if call.session.tenant_id else _CREATED_IN_CLOUD
    found = (
        Link(rel="Up", href=f"{root}/logonSessions/{call.session.id}", type="LogonSession"),
        *(links.down_link(root + path, f"{kind}ReferenceList") for path, kind in shown),
        *(links.down_link(root + path + links.ENTITY, f"{kind}List") for path, kind in shown),
        *(links.create_link(root + path) for path in created),
    )
    return Answer(
        resource=CloudConnectService(href=f"{root}/cloud", type="CloudConnectService", links=found)
    )
