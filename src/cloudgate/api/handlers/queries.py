"""Queries: what do the query service, the lookup service and the audit log answer?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from cloudgate.api.access import ADMINISTRATORS, PROVIDERS, RESTORERS, may_ask_for
from cloudgate.api.handlers import tasks
from cloudgate.api.handlers.cloud import gateways, pools, subtenants, tenants
from cloudgate.api.handlers.common import PAGED, document_of
from cloudgate.api.handlers.infrastructure import (
    backup_servers,
    credentials,
    managed_servers,
    repositories,
)
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Parameter, Route, Routes, shows
from cloudgate.errors import AccessDeniedError, InvalidRequestError
from cloudgate.manager.audit.chain import verify
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.queries import pages, sources
from cloudgate.manager.queries.filter import parse
from cloudgate.manager.queries.pages import Page, Query, Source, read_names, read_page
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.audit import AuditEvent, AuditEvents, AuditVerification
from cloudgate.wire.resources.base import EntityRef, Link
from cloudgate.wire.resources.queries import (
    Entities,
    HierarchyItems,
    LookupSvc,
    PagingInfo,
    QueryResult,
    QuerySvc,
    Resources,
)

Reference = Callable[[str, Any], EntityRef]
Whole = Callable[[str, Any], Any]


ROUTES_OF_AUDIT = Routes(ADMINISTRATORS)
ROUTES = Routes(ADMINISTRATORS)


@dataclass(frozen=True)
class QueryType:
    """A type that can be asked for."""

    name: str
    field: str
    """Of `Entities`, or of `Resources` for a type that has no reference form."""
    whole: Whole | None = None
    """Makes the entity of a row; None where `wholes` does, or there is nothing of the type here."""
    reference: Reference | None = None
    names_do: bool = True
    """Whether the reference is made of what the thing and its backup server are called."""
    sort: str = "name"
    """What the links of /querySvc sort by."""
    wholes: Callable[[UnitOfWork, str, Sequence[Any]], tuple[Any, ...]] | None = None
    """Makes the entities of all rows at once, where more than the rows is needed for that."""
    is_listed: bool = True
    """Whether /querySvc names it. It does not name extensions."""


TYPES = (
    QueryType("VmRestorePoint", "vm_restore_points"),
    QueryType("VAppRestorePoint", "vapp_restore_points"),
    QueryType("VmReplicaPoint", "vm_replica_points"),
    QueryType("Task", "tasks", tasks.task_resource, sort="TaskUid"),
    QueryType("Job", "jobs"),
    QueryType("RestorePoint", "restore_points"),
    QueryType("BackupTaskSession", "backup_task_sessions"),
    QueryType("ReplicaTaskSession", "replica_task_sessions"),
    QueryType("RestoreSession", "restore_sessions"),
    QueryType(
        "Repository",
        "repositories",
        reference=repositories.repository_reference,
        wholes=repositories.repository_entities,
    ),
    QueryType("Backup", "backups"),
    QueryType("Replica", "replicas"),
    QueryType("HierarchyRoot", "hierarchy_roots"),
    QueryType("BackupJobSession", "backup_job_sessions"),
    QueryType("ReplicaJobSession", "replica_job_sessions"),
    QueryType(
        "BackupServer",
        "backup_servers",
        backup_servers.server_entity,
        backup_servers.server_reference,
        names_do=False,
    ),
    QueryType(
        "ManagedServer",
        "managed_servers",
        managed_servers.server_entity,
        managed_servers.server_reference,
    ),
    QueryType("FailoverPlan", "failover_plans"),
    QueryType("WanAccelerator", "wan_accelerators"),
    QueryType(
        "CloudGateway",
        "cloud_gateways",
        reference=gateways.gateway_reference,
        wholes=gateways.gateway_entities,
    ),
    QueryType(
        "CloudTenant",
        "cloud_tenants",
        reference=tenants.tenant_reference,
        wholes=tenants.tenant_entities,
    ),
    QueryType(
        "Passwords",
        "password_key_info_list",
        credentials.password_resource,
        sort="BackupServerUid",
    ),
    QueryType(
        "Credentials",
        "credentials_list",
        credentials.credentials_resource,
        sort="BackupServerUid",
    ),
    QueryType("CloudReplica", "cloud_replicas"),
    QueryType("BackupFile", "backup_files"),
    QueryType("VCloudOrganizationConfig", "vcloud_organization_configs"),
    QueryType(
        "CloudSubtenant", "cloud_subtenants", sort="Name", wholes=subtenants.subtenant_resources
    ),
    QueryType("CloudHardwarePlan", "cloud_hardware_plans", sort="Name"),
    QueryType("CloudPublicIpAddress", "cloud_public_ip_addresses", sort="Name"),
    QueryType("AgentBackupJob", "agent_backup_jobs"),
    QueryType("AgentRestorePoint", "agent_restore_points"),
    QueryType("AgentProtectionGroup", "agent_protection_groups"),
    QueryType("DiscoveredComputer", "discovered_computers"),
    QueryType("CloudFailoverPlan", "cloud_failover_plans"),
    QueryType(
        "CloudGatewayPool",
        "cloud_gateway_pools",
        pools.pool_entity,
        pools.pool_reference,
    ),
    QueryType("VSphereSelfServiceConfig", "vsphere_self_service_configs"),
    QueryType("ExternalRepository", "external_repositories"),
    QueryType("NasJob", "nas_jobs"),
    QueryType("FileServer", "file_servers"),
    QueryType("VAppReplicaPoint", "vapp_replica_points"),
    QueryType("CdpPolicy", "cdp_policies", is_listed=False),
    QueryType("CdpReplica", "cdp_replicas", is_listed=False),
    QueryType("CdpReplicaSession", "cdp_replica_sessions", is_listed=False),
    QueryType("CdpReplicaTaskSession", "cdp_replica_task_sessions", is_listed=False),
    QueryType("CloudFailoverSession", "cloud_failover_sessions", is_listed=False),
    QueryType("CloudVmReplicaPoint", "cloud_vm_replica_points", is_listed=False),
    QueryType("NasObject", "nas_objects", is_listed=False),
    QueryType("ObjectInJob", "objects_in_job", is_listed=False),
    QueryType("ObjectInAgentBackupJob", "objects_in_agent_backup_job", is_listed=False),
    QueryType("VlanConfiguration", "vlan_configurations", is_listed=False),
)
"""In the order in which /querySvc lists them; what it does not list is documented elsewhere."""
_BY_NAME: Mapping[str, QueryType] = {each.name.lower(): each for each in TYPES}


QUERIED = Parameter(
    name="type",
    description="What to look for.",
    values=tuple(each.name for each in TYPES),
    required=True,
)


@ROUTES.add(
    Route(verb="GET", path="/querySvc", answers=shows(QuerySvc), roles=PROVIDERS | RESTORERS)
)
def get_query_service(call: Call) -> Answer:
    """What can be asked for."""
    found = tuple(
        Link(
            rel="Down",
            href=f"{call.root}/query?type={each.name}&format=Entities&sortAsc={each.sort}"
            "&pageSize=15&page=1",
        )
        for each in TYPES
        if each.is_listed
    )
    href = f"{call.root}/querySvc"
    return Answer(resource=QuerySvc(href=href, type="QueryService", links=(_up(call), *found)))


def _up(call: Call) -> Link:
    return Link(rel="Up", href=f"{call.root}/logonSessions/{call.session.id}", type="LogonSession")


@ROUTES.add(
    Route(
        verb="GET",
        path="/query",
        answers=shows(QueryResult),
        query=(QUERIED, *PAGED),
        roles=PROVIDERS | RESTORERS,
    )
)
def get_query(call: Call) -> Answer:
    """A page of what is there of one type, filtered and sorted."""
    asked = _type(call)
    query = query_of(call)
    source = sources.SOURCES.get(asked.name)
    page: Page[Any] = Page((), query.page, query.page_size, 1)
    found: tuple[Any, ...] = ()
    is_whole = call.wants_entity or asked.reference is None
    if source is not None:
        with call.reading() as work:
            read = read_page if is_whole or not asked.names_do else read_names
            page = read(work, _seen(call, source), query)
            if asked.wholes is not None and is_whole:
                found = asked.wholes(work, call.root, page.rows)
    if asked.whole is not None and is_whole:
        found = tuple(asked.whole(call.root, row) for row in page.rows)
    paging = paging_of(call, "/query", page)
    return Answer(resource=_result(call, asked, page, found, paging))


def _seen(call: Call, source: Source[Any]) -> Source[Any]:
    """What who is asking may see of it: of tasks, those that /tasks shows."""
    if source is not sources.TASKS:
        return source
    return replace(source, rows=source.rows.where(call.sees_tasks.condition), is_for_all=False)


def _type(call: Call) -> QueryType:
    name = call.query.get("type", "").strip()
    if not name:
        raise InvalidRequestError("type is missing; GET /api/querySvc shows which types there are.")
    asked = _BY_NAME.get(name.lower())
    if asked is None:
        raise InvalidRequestError(
            f"type: found {name[:100]!r}; GET /api/querySvc shows which types there are."
        )
    if not may_ask_for(asked.name, call.roles):
        raise AccessDeniedError("Access denied")
    return asked


def query_of(call: Call) -> Query:
    """What is asked for, by the parameters that all queries have.

    Raises:
        InvalidRequestError: one of them is malformed.
    """
    ascending, descending = call.query.get("sortasc"), call.query.get("sortdesc")
    if ascending and descending:
        raise InvalidRequestError("sortAsc and sortDesc: give one of the two.")
    return Query(
        condition=parse(call.query.get("filter", "")),
        sort_by=ascending or descending or None,
        descending=bool(descending),
        page=pages.number(call.query.get("page"), "page", 1, pages.LAST_PAGE),
        page_size=pages.number(
            call.query.get("pagesize"), "pageSize", pages.DEFAULT_PAGE_SIZE, pages.LARGEST_PAGE
        ),
    )


def _result(
    call: Call, asked: QueryType, page: Page[Any], found: tuple[Any, ...], paging: PagingInfo
) -> QueryResult:
    root = call.root
    if asked.field in Resources.__dataclass_fields__:
        return QueryResult(resources=Resources(**{asked.field: found}), paging_info=paging)
    if call.wants_entity:
        return QueryResult(entities=Entities(**{asked.field: found}), paging_info=paging)
    refs = tuple(asked.reference(root, row) for row in page.rows) if asked.reference else ()
    return QueryResult(refs=refs, paging_info=paging)


def paging_of(call: Call, path: str, page: Page[Any]) -> PagingInfo:
    """The way to other pages: the first and the last always, those next to this one if any."""
    kept = [
        (name, value) for name, value in call.parameters if name.lower() not in ("page", "pagesize")
    ]

    def link(rel: str, number: int) -> Link:
        parameters = [*kept, ("pageSize", str(page.size)), ("page", str(number))]
        return Link(rel=rel, href=f"{call.root}{path}?{urlencode(parameters)}")

    found = [link("First", 1)]
    if page.number > 1:
        found.append(link("Previous", min(page.number - 1, page.pages)))
    if page.number < page.pages:
        found.append(link("Next", page.number + 1))
    found.append(link("Last", page.pages))
    return PagingInfo(
        page_num=page.number, page_size=page.size, pages_count=page.pages, links=tuple(found)
    )


@ROUTES.add(Route(verb="GET", path="/lookupSvc", answers=shows(LookupSvc), roles=PROVIDERS))
def get_lookup_service(call: Call) -> Answer:
    """Where virtual machines can be looked up: there are no hosts of any here."""
    href = f"{call.root}/lookupSvc"
    return Answer(resource=LookupSvc(href=href, type="LookupService", links=(_up(call),)))


@ROUTES.add(Route(verb="GET", path="/lookup", answers=shows(HierarchyItems), roles=PROVIDERS))
def get_lookup(_call: Call) -> Answer:
    """What a lookup finds: nothing, there is no virtual infrastructure here."""
    return Answer(resource=HierarchyItems())


@ROUTES_OF_AUDIT.add(Route(verb="GET", path="/audit", answers=shows(AuditEvents), query=PAGED))
def get_audit_events(call: Call) -> Answer:
    """A page of the audit log, filtered and sorted as queries are."""
    with call.reading() as work:
        page = read_page(work, sources.AUDIT_EVENTS, query_of(call))
    events = tuple(_event(call.root, row) for row in page.rows)
    paging = paging_of(call, "/audit", page)
    return Answer(resource=AuditEvents(audit_events=events, paging_info=paging))


@ROUTES_OF_AUDIT.add(
    Route(verb="GET", path="/audit/verification", answers=shows(AuditVerification))
)
def get_audit_verification(call: Call) -> Answer:
    """Whether each entry of the audit log is there and as it was."""
    with call.reading() as work:
        found = verify(work)
    return Answer(
        resource=AuditVerification(
            href=f"{call.root}/audit/verification",
            type="AuditVerification",
            intact=found.wrong is None and not found.message,
            entries=found.entries,
            first_number=found.first,
            last_number=found.last,
            last_hash=found.hash,
            wrong_number=found.wrong,
            message=found.message,
        )
    )


def _event(root: str, row: tables.AuditEvent) -> AuditEvent:
    return AuditEvent(
        href=f"{root}/audit?filter=Number=={row.number}",
        type="AuditEvent",
        number=row.number,
        time=row.at,
        account=row.account,
        address=row.address,
        code=row.code,
        severity=row.severity,
        operation=row.operation,
        text=row.text,
        object_type=row.object_type,
        object_id=str(row.object_id) if row.object_id else "",
        object_name=row.object_name,
        before=document_of(row.before),
        after=document_of(row.after),
        success=row.success,
        message=row.message,
        hash=row.hash,
    )
