"""Absent resources: what of the original is there no notion of here? The whole list.

Existing programs read these collections: they are there, and truthfully empty. Creating something
in them is refused with 501, which says so.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from cloudgate.api.access import ADMINISTRATORS, EVERYBODY, PROVIDERS, RESTORERS
from cloudgate.api.compatibility.published import CALLS, PublishedCall
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import GUID, Route, fails, segments, shows, shows_either
from cloudgate.errors import NotFoundError, NotOfferedError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.repositories.operations import get_repository
from cloudgate.manager.servers.backup_servers import get_backup_server
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.tenants.operations import get_tenant
from cloudgate.wire.description import ResourceType
from cloudgate.wire.resources import absent
from cloudgate.wire.resources.base import EntityReferences, Error, Link, Resource


@dataclass(frozen=True)
class CollectionAccess:
    """Who may read in a collection, who may add to it, and who may change what is in it."""

    read: frozenset[Role] = PROVIDERS | RESTORERS
    add: frozenset[Role] = PROVIDERS
    change: frozenset[Role] = PROVIDERS

    def to(self, verb: str) -> frozenset[Role]:
        """Who may do what a verb does."""
        return {"GET": self.read, "POST": self.add}.get(verb, self.change)


TO_PROVIDERS = CollectionAccess(PROVIDERS)
OF_SITES = CollectionAccess(PROVIDERS, PROVIDERS, ADMINISTRATORS)
OF_PLANS = CollectionAccess(ADMINISTRATORS | RESTORERS, ADMINISTRATORS, ADMINISTRATORS)
TO_RESTORERS = CollectionAccess(*3 * (PROVIDERS | RESTORERS,))
TO_EVERYBODY = CollectionAccess(EVERYBODY, EVERYBODY, EVERYBODY)


@dataclass(frozen=True)
class Absent:
    """A collection that is always empty."""

    path: str
    """Below the API's root."""
    kind: str
    """Resource type of what would be in it."""
    entities: type[ResourceType]
    what: str
    """As an error message names what would be in it."""
    is_key: bool = True
    """Whether what would be in it has a reference form."""
    is_named: bool = False
    """Whether what would be in it is found by its name, not by an id."""
    opened: CollectionAccess = CollectionAccess()
    for_tenants: bool = False
    """Whether a session that was opened for a tenant sees it, and what would be in it."""


COLLECTIONS = (
    Absent("/jobs", "Job", absent.Jobs, "jobs"),
    Absent("/failoverPlans", "FailoverPlan", absent.FailoverPlans, "failover plans"),
    Absent("/hierarchyRoots", "HierarchyRoot", absent.HierarchyRoots, "virtualization hosts"),
    Absent("/backups", "Backup", absent.Backups, "backups"),
    Absent("/restorePoints", "RestorePoint", absent.RestorePoints, "restore points"),
    Absent("/vmRestorePoints", "VmRestorePoint", absent.VmRestorePoints, "restore points"),
    Absent("/vAppRestorePoints", "VAppRestorePoint", absent.VAppRestorePoints, "restore points"),
    Absent("/replicas", "Replica", absent.Replicas, "replicas"),
    Absent("/vmReplicaPoints", "VmReplicaPoint", absent.VmReplicaPoints, "replicas"),
    Absent("/vAppReplicaPoints", "VAppReplicaPoint", absent.VAppReplicaPoints, "replicas"),
    Absent("/cdpPolicies", "CdpPolicy", absent.CdpPolicies, "CDP policies"),
    Absent("/cdpReplicas", "CdpReplica", absent.CdpReplicas, "CDP policies"),
    Absent("/cdpReplica/vApps", "VAppCdpReplica", absent.VAppCdpReplicas, "CDP policies"),
    Absent("/cdpReplicaSessions", "CdpReplicaSession", absent.CdpReplicaSessions, "CDP policies"),
    Absent(
        "/cdpReplicaTaskSessions",
        "CdpReplicaTaskSession",
        absent.CdpReplicaTaskSessions,
        "CDP policies",
    ),
    Absent(
        "/systemSessions", "SystemSession", absent.SystemSessions, "system sessions", is_key=False
    ),
    Absent(
        "/vCloud/orgConfigs",
        "VCloudOrganizationConfig",
        absent.VCloudOrganizationConfigs,
        "VMware Cloud Director",
    ),
    Absent(
        "/selfService/vSphere/Configs",
        "VSphereSelfServiceConfig",
        absent.VSphereSelfServiceConfigs,
        "the self-service of VMware vSphere",
    ),
    Absent("/catalog/vms", "CatalogVm", absent.CatalogVms, "catalogues of files", is_named=True),
    Absent("/backupSessions", "BackupJobSession", absent.BackupJobSessions, "jobs"),
    Absent(
        "/restoreSessions",
        "RestoreSession",
        absent.RestoreSessions,
        "restores",
        opened=TO_EVERYBODY,
    ),
    Absent("/replicaSessions", "ReplicaJobSession", absent.ReplicaJobSessions, "replicas"),
    Absent("/backupTaskSessions", "BackupTaskSession", absent.BackupTaskSessions, "jobs"),
    Absent("/replicaTaskSessions", "ReplicaTaskSession", absent.ReplicaTaskSessions, "replicas"),
    Absent("/wanAccelerators", "WanAccelerator", absent.WanAccelerators, "WAN accelerators"),
    Absent("/backupFiles", "BackupFile", absent.BackupFiles, "backups"),
    Absent(
        "/externalRepositories",
        "ExternalRepository",
        absent.ExternalRepositories,
        "external repositories",
    ),
    Absent(
        "/cloud/hardwarePlans",
        "CloudHardwarePlan",
        absent.CloudHardwarePlans,
        "hardware plans",
        opened=TO_PROVIDERS,
    ),
    Absent(
        "/cloud/publicIpAddresses",
        "CloudPublicIpAddress",
        absent.CloudPublicIpAddresses,
        "public IP addresses",
        opened=TO_PROVIDERS,
    ),
    Absent(
        "/cloud/cloudFailoverPlans",
        "CloudFailoverPlan",
        absent.CloudFailoverPlans,
        "failover plans",
        opened=OF_PLANS,
        for_tenants=True,
    ),
    Absent(
        "/cloud/vmReplicaPoints",
        "CloudVmReplicaPoint",
        absent.CloudVmReplicaPoints,
        "replicas",
        opened=TO_PROVIDERS,
        for_tenants=True,
    ),
    Absent(
        "/cloud/replicas",
        "CloudReplica",
        absent.CloudReplicas,
        "replicas",
        opened=TO_PROVIDERS,
        for_tenants=True,
    ),
    Absent(
        "/cloud/vlans",
        "VlanConfiguration",
        absent.VlanConfigurations,
        "networks for replicas",
        opened=TO_PROVIDERS,
    ),
    Absent(
        "/cloud/failoverSessions",
        "CloudFailoverSession",
        absent.CloudFailoverSessions,
        "failover plans",
        opened=TO_RESTORERS,
    ),
    Absent(
        "/cloud/tenants/{id}/computeResources",
        "CloudTenantComputeResource",
        absent.CloudTenantComputeResources,
        "hardware plans",
        is_key=False,
        opened=TO_PROVIDERS,
    ),
    Absent(
        "/cloud/tenants/{id}/vCloudComputeResources",
        "CloudTenantVCloudComputeResource",
        absent.CloudTenantVCloudComputeResources,
        "VMware Cloud Director",
        is_key=False,
        opened=TO_PROVIDERS,
    ),
    Absent("/agents/jobs", "AgentBackupJob", absent.AgentBackupJobs, "agents"),
    Absent(
        "/agents/protectionGroups", "AgentProtectionGroup", absent.AgentProtectionGroups, "agents"
    ),
    Absent("/agents/restorePoints", "AgentRestorePoint", absent.AgentRestorePoints, "agents"),
    Absent("/agents/agentRestorePoints", "AgentRestorePoint", absent.AgentRestorePoints, "agents"),
    Absent("/agents/backups", "Backup", absent.Backups, "agents"),
    Absent("/agents/backupFiles", "BackupFile", absent.BackupFiles, "agents"),
    Absent("/agents/backupSessions", "BackupJobSession", absent.BackupJobSessions, "agents"),
    Absent(
        "/agents/discoveredComputers", "DiscoveredComputer", absent.DiscoveredComputers, "agents"
    ),
    Absent("/nas/jobs", "NASJob", absent.NASJobs, "file shares"),
    Absent("/nas/backupSessions", "BackupJobSession", absent.BackupJobSessions, "file shares"),
    Absent("/nas/fileServers", "FileServer", absent.FileServers, "file shares"),
    Absent("/backupServers/{id}/jobs", "Job", absent.Jobs, "jobs", opened=OF_SITES),
    Absent(
        "/backupServers/{id}/externalRepositories",
        "ExternalRepository",
        absent.ExternalRepositories,
        "external repositories",
        opened=OF_SITES,
    ),
    Absent("/repositories/{id}/backups", "Backup", absent.Backups, "backups", opened=TO_PROVIDERS),
    Absent(
        "/repositories/{id}/replicas", "Replica", absent.Replicas, "replicas", opened=TO_PROVIDERS
    ),
)
ANYTHING = "^.+$"
_USUAL = ("GET", "PUT", "DELETE")
_OWNERS: tuple[tuple[str, Callable[[UnitOfWork, UUID], object], str], ...] = (
    ("/backupServers/{id}/", get_backup_server, "BackupServer"),
    ("/repositories/{id}/", get_repository, "Repository"),
    ("/cloud/tenants/{id}/", get_tenant, "CloudTenant"),
)
SERVICES: tuple[tuple[str, type[Resource]], ...] = (
    ("/vCloud", absent.VCloudService),
    ("/agents", absent.AgentsService),
    ("/selfService/vSphere", absent.VSphereSelfService),
    ("/nas", absent.NasService),
)


def _list(collection: Absent) -> Callable[[Call], Answer]:
    def get_nothing(call: Call) -> Answer:
        _find_owner(call, collection.path)
        whole = call.wants_entity or not collection.is_key
        return Answer(resource=collection.entities() if whole else EntityReferences())

    return _described(get_nothing, f"All {collection.what}: there are none here.")


def _find_owner(call: Call, path: str) -> None:
    """Whatever a collection belongs to has to be there, though the collection is empty.

    Raises:
        NotFoundError: it is not.
    """
    for owners, find, kind in _OWNERS:
        if path.startswith(owners):
            identifier = call.identifier(kind)
            with call.reading() as work:
                find(work, identifier)


def _show(collection: Absent) -> Callable[[Call], Answer]:
    def get_unknown(call: Call) -> Answer:
        if collection.is_named:
            found = call.path["item"][:100]
            raise NotFoundError(f"There is no {collection.kind} named {found!r}.")
        identifier = call.identifier(collection.kind, "item")
        raise NotFoundError(f"There is no {collection.kind} with the id {identifier}.")

    return _described(get_unknown, f"One {collection.kind}: there is none here.")


def _refuse(collection: Absent) -> Callable[[Call], Answer]:
    def refuse(_call: Call) -> Answer:
        raise NotOfferedError(f"Cloudgate does not offer {collection.what}.")

    return _described(refuse, f"Not offered: {collection.what}.")


def _serve(path: str, kind: type[Resource]) -> Callable[[Call], Answer]:
    def get_service(call: Call) -> Answer:
        up = Link(
            rel="Up", href=f"{call.root}/logonSessions/{call.session.id}", type="LogonSession"
        )
        return Answer(resource=kind(href=call.root + path, type=kind.__name__, links=(up,)))

    return _described(get_service, "A part of the API that has nothing in it here.")


def _described(handler: Callable[[Call], Answer], text: str) -> Callable[[Call], Answer]:
    handler.__doc__ = text
    return handler


def _routes(collection: Absent) -> tuple[Route, ...]:
    one = f"{collection.path}/{{item}}"
    nothing = shows_either(EntityReferences, collection.entities)
    if not collection.is_key:
        nothing = shows(collection.entities)
    refused = fails(501, Error)
    return (
        Route(
            verb="GET",
            path=collection.path,
            handler=_list(collection),
            answers=nothing,
            roles=collection.opened.to("GET"),
            for_tenants=collection.for_tenants,
        ),
        Route(
            verb="POST",
            path=collection.path,
            handler=_refuse(collection),
            answers=refused,
            roles=collection.opened.to("POST"),
            for_tenants=collection.for_tenants,
        ),
        *(_route(collection, verb, one) for verb in ("GET", "PUT", "DELETE")),
        *(_route(collection, verb, path) for verb, path in _calls_within(collection)),
    )


def _calls_within(collection: Absent) -> Iterator[tuple[str, str]]:
    """Verb and path of the published calls about one thing of a collection, but for the usual."""
    start = f"{collection.path}/{{item}}"
    start_parts = segments(start)
    depth = len(start_parts)
    seen = set()
    for published, parts in _published()[start_parts[0]]:
        if len(parts) < depth or not _is_like(parts[:depth], start_parts):
            continue
        path = "/".join([start, *_named(parts[depth:])])
        usual = len(parts) == depth and published.verb in _USUAL
        if not usual and (published.verb, path) not in seen:
            seen.add((published.verb, path))
            yield published.verb, path


@cache
def _published() -> Mapping[str, Sequence[tuple[PublishedCall, list[str]]]]:
    """The published calls with the parts of their paths, by the first of these."""
    found = defaultdict(list)
    for published in CALLS:
        parts = segments(published.path)
        found["".join(parts[:1])].append((published, parts))
    return found


def _is_like(parts: list[str], others: list[str]) -> bool:
    """Whether two paths are the same, whatever their variables are called."""
    return all(
        one == other or (one.startswith("{") and other.startswith("{"))
        for one, other in zip(parts, others, strict=True)
    )


def _named(parts: list[str]) -> Iterator[str]:
    """Variables get names of their own."""
    names = iter(("{part}", "{piece}", "{rest}"))
    for part in parts:
        yield next(names) if part.startswith("{") else part


def _route(collection: Absent, verb: str, path: str) -> Route:
    """A call about what is not there: reading finds nothing, doing is not offered."""
    is_doing = verb == "POST"
    handler = _refuse(collection) if is_doing else _show(collection)
    return Route(
        verb=verb,
        path=path,
        handler=handler,
        answers=fails(501 if is_doing else 404, Error),
        # What is refused whatever it is, is not looked at.
        identifier=ANYTHING if is_doing or collection.is_named else GUID,
        roles=collection.opened.to(verb),
        for_tenants=collection.for_tenants and path == f"{collection.path}/{{item}}",
    )


def _refuse_machines(_call: Call) -> Answer:
    """Not offered: backups of machines."""
    raise NotOfferedError("Cloudgate does not offer backups of machines.")


ROUTES = [
    *(
        Route(
            verb="POST",
            path="/backupServers/{id}",
            action=action,
            handler=_refuse_machines,
            answers=fails(501, Error),
            roles=PROVIDERS,
        )
        for action in ("veeamzip", "quickbackup")
    ),
    *(route for collection in COLLECTIONS for route in _routes(collection)),
    *(
        Route(
            verb="GET",
            path=path,
            handler=_serve(path, kind),
            answers=shows(kind),
            roles=PROVIDERS | RESTORERS,
        )
        for path, kind in SERVICES
    ),
]
