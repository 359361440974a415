"""Tenants: what does the API say of them and their quotas, and what may be done to them?"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cloudgate.api.access import PROVIDERS
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import (
    ResourceLocation,
    create_link,
    down_link,
    up_to_backup_server,
    up_to_backup_server_entity,
)
from cloudgate.api.http.router import Parameter, Route, Routes, shows, shows_either
from cloudgate.errors import InvalidRequestError, NotOfferedError
from cloudgate.manager.probes.rules import MB, megabytes
from cloudgate.manager.repositories.operations import TYPE as REPOSITORY
from cloudgate.manager.storage import tables
from cloudgate.manager.tasks.operations import remark
from cloudgate.manager.tenants import operations
from cloudgate.manager.tenants.limits import Limits
from cloudgate.manager.tenants.operations import KEEP, Quota, TenantChange
from cloudgate.values.fields import given
from cloudgate.values.identifiers import parse, uid
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Link
from cloudgate.wire.resources.cloud.tenants import (
    CloudTenant,
    CloudTenantResource,
    CloudTenantResources,
    CloudTenants,
    CreateCloudTenantResourceSpec,
    CreateCloudTenantSpec,
    LeaseOptions,
    RepositoryQuota,
    StandaloneTenant,
    TenantCredentials,
    TenantType,
)

TYPE = operations.TYPE
END_TUNNELS = "endTunnels"
"""Extension: whether a change ends the tunnels that the tenant has, as after a stolen password."""
RESOURCE = "CloudTenantResource"
POOL = "CloudGatewayPool"
_NOT_STANDALONE = (
    "Tenants here are Standalone: Cloudgate does not offer tenants of VMware Cloud Director or"
    " Active Directory."
)
_NO_HARDWARE_PLANS = (
    "Cloudgate does not offer hardware plans, so a tenant cannot get compute resources."
)
_NOTHING_PROTECTED = (
    "BackupProtectionEnabled: found true, and nothing would be protected: Cloudgate does not see"
    " what tenants delete. Protect their backups where they are stored (object lock, append-only"
    " mode, snapshots), and leave this false."
)
_NO_WAN_ACCELERATORS = "WanAcceleratorUid: Cloudgate does not offer WAN accelerators; leave it out."
_NOBODY = UUID(int=0)
"""The GUID that programs give for nothing."""
QUOTA_EXCEEDED = "Storage quota of the cloud repository is exceeded."
NEVER = datetime(1753, 1, 1, tzinfo=UTC)
"""What the API says of a tenant that was never active."""


ROUTES = Routes(PROVIDERS)
ROUTES_OF_RESOURCES = Routes(PROVIDERS)


def tenant_place(root: str, tenant: tables.CloudTenant) -> ResourceLocation:
    """Where a tenant stands."""
    return ResourceLocation(root, "/cloud/tenants", TYPE, tenant.id, tenant.name)


def tenant_reference(root: str, tenant: tables.CloudTenant) -> EntityRef:
    """The short form of a tenant."""
    place = tenant_place(root, tenant)
    return place.reference(up_to_backup_server(root, tenant.backup_server), place.to_entity())


def tenant_entity(root: str, tenant: tables.CloudTenant) -> CloudTenant:
    """A tenant with its quotas."""
    place = tenant_place(root, tenant)
    limits = operations.limits_of(tenant)
    return CloudTenant(
        href=place.entity_href,
        type=place.type,
        links=_links(root, tenant, place),
        name=place.name,
        uid=place.uid,
        password="",
        description=tenant.description,
        enabled=tenant.enabled,
        lease_options=LeaseOptions(
            enabled=tenant.expires_at is not None, expiration_date=tenant.expires_at
        ),
        resources=tuple(_resource(root, tenant, found) for found in tenant.resources),
        last_result=_last_result(tenant),
        last_active=tenant.last_active_at or NEVER,
        compute_resources=(),
        public_ip_count=tenant.public_ip_count,
        backup_count=0,
        replica_count=0,
        work_station_backup_count=0,
        server_backup_count=0,
        backup_protection_enabled=False,
        backup_protection_period=tenant.backup_protection_period,
        tenant_type=TenantType(
            standalone_tenant=StandaloneTenant(
                tenant_credentials=TenantCredentials(username=tenant.name)
            )
        ),
        cloud_gateway_pools=tuple(uid(POOL, pool.id) for pool in tenant.pools) or None,
        failover_to_others_gateways_if_fail=tenant.failover_to_others,
        concurrent_tasks_limited=limits.concurrent_tunnels is not None,
        **limits.shown,
    )


FORMS = Forms(tenant_reference, tenant_entity, lambda found: CloudTenants(cloud_tenants=found))


def _links(root: str, tenant: tables.CloudTenant, place: ResourceLocation) -> tuple[Link, ...]:
    resources = f"{place.href}/resources"
    compute = f"{place.href}/computeResources"
    subtenants = f"{place.href}/subtenants"
    return (
        up_to_backup_server(root, tenant.backup_server),
        place.to_reference(),
        place.edit(),
        down_link(resources, "CloudTenantResourceList"),
        create_link(resources, RESOURCE),
        place.delete(),
        down_link(compute, "CloudTenantComputeResourceList"),
        create_link(compute, "CloudTenantComputeResource"),
        down_link(subtenants, "CloudSubtenantList"),
        create_link(subtenants, "CloudSubtenant"),
        Link(
            rel="Related",
            href=f"{place.href}/freelicenseCounters",
            name="FreeLicenseCounters",
            type="FreeLicenseCounters",
        ),
    )


def _resource(
    root: str,
    tenant: tables.CloudTenant,
    resource: tables.TenantResource,
    links: tuple[Link, ...] | None = None,
) -> CloudTenantResource:
    """A quota; inside a tenant it has no links."""
    return CloudTenantResource(
        href=f"{tenant_place(root, tenant).href}/resources/{resource.id}",
        type=RESOURCE,
        links=links,
        id=str(resource.id),
        repository_quota=RepositoryQuota(
            display_name=resource.name,
            repository_uid=uid(REPOSITORY, resource.repository_id),
            quota=resource.quota_mb,
            used_quota=None if resource.used_bytes is None else megabytes(resource.used_bytes),
            used_quota_time=resource.measured_at,
            warning=_warning(resource),
        ),
    )


def _last_result(tenant: tables.CloudTenant) -> str:
    """Warning while a quota has one, else Success, as published for a tenant that never ran, too.

    Never Failed: a gateway sees how a tunnel ends, not what becomes of the backup in it.
    """
    return "Warning" if any(_warning(each) for each in tenant.resources) else "Success"


def _warning(resource: tables.TenantResource) -> str | None:
    """What there is to look at about a quota; the first in the words of the original."""
    said = []
    if resource.used_bytes is not None and resource.used_bytes > resource.quota_mb * MB:
        used = megabytes(resource.used_bytes)
        said.append(f"{QUOTA_EXCEEDED} {used} MB are used of {resource.quota_mb} MB.")
    if resource.measuring_warning:
        said.append(resource.measuring_warning)
    return " ".join(said) or None


def _linked_resource(
    root: str, tenant: tables.CloudTenant, resource: tables.TenantResource
) -> CloudTenantResource:
    """A quota by itself, with its links."""
    place = tenant_place(root, tenant)
    href = f"{place.href}/resources/{resource.id}"
    found = (
        Link(rel="Delete", href=href, name=resource.name, type=RESOURCE),
        Link(rel="Up", href=place.entity_href, name=place.name, type=place.type),
        up_to_backup_server_entity(root, tenant.backup_server),
    )
    return _resource(root, tenant, resource, found)


ENDING_TUNNELS = Parameter(
    name=END_TUNNELS,
    description="Extension: true to end the tunnels that the tenant has.",
    values=("true", "false"),
)
ENDING_TUNNELS_THERE = replace(
    ENDING_TUNNELS, description="Extension: true to end the tunnels that the tenant has there."
)


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants",
        kept=True,
        answers=shows_either(EntityReferences, CloudTenants),
    )
)
def get_tenants(call: Call) -> Answer:
    """All tenants."""
    with call.reading() as work:
        return FORMS.all(call, operations.list_tenants(work))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}",
        kept=True,
        answers=shows_either(EntityRef, CloudTenant),
    )
)
def get_tenant(call: Call) -> Answer:
    """One tenant."""
    with call.reading() as work:
        return FORMS.one(call, operations.get_tenant(work, call.identifier(TYPE)))


@ROUTES.add(
    Route(verb="POST", path="/cloud/tenants", answers=TASK, bodies=(CreateCloudTenantSpec,))
)
def post_tenant(call: Call, spec: CreateCloudTenantSpec) -> Answer:
    """Add a tenant."""
    _check_is_offered(spec)
    quotas = tuple(
        Quota(
            name=found.name or "",
            repository_uid=found.repository_uid or "",
            quota_mb=found.quota_mb or 0,
        )
        for found in spec.resources or ()
    )
    wanted = TenantChange(
        name=spec.name,
        password=spec.password,
        expires_at=spec.lease_expiration_date,
        quotas=quotas,
        description=spec.description,
        enabled=spec.enabled,
        limits=_limits(spec),
        public_ip_count=spec.public_ip_count,
        backup_protection_period=spec.backup_protection_period,
        failover_to_others=spec.failover_to_others_gateways_if_fail,
        pools=_pools(spec.cloud_gateway_pools),
    )
    with call.changing() as work:
        task = operations.create_tenant(
            work,
            wanted,
            backup_server_id_or_name=spec.backup_server_id_or_name,
            backup_server_uid=spec.backup_server_uid,
        )
        remark(task, _idle(spec))
    return accepted(call, task)


@ROUTES.add(
    Route(
        verb="PUT",
        path="/cloud/tenants/{id}",
        answers=TASK,
        query=(ENDING_TUNNELS,),
        bodies=(CloudTenant,),
    )
)
def put_tenant(call: Call, entity: CloudTenant) -> Answer:
    """Change a tenant; its counters, results and user name are read only."""
    kind = entity.tenant_type
    if kind and (kind.ad_tenant_type or kind.v_cloud_tenant):
        raise NotOfferedError(_NOT_STANDALONE)
    if entity.compute_resources or entity.v_cloud_compute_resources:
        raise NotOfferedError(_NO_HARDWARE_PLANS)
    if entity.backup_protection_enabled:
        raise InvalidRequestError(_NOTHING_PROTECTED)
    change = TenantChange(
        password=entity.password or _nested_password(entity),
        expires_at=_lease(entity),
        quotas=_quotas(entity),
        description=entity.description,
        enabled=entity.enabled,
        limits=_limits(entity),
        public_ip_count=entity.public_ip_count,
        backup_protection_period=entity.backup_protection_period,
        failover_to_others=entity.failover_to_others_gateways_if_fail,
        pools=_pools(entity.cloud_gateway_pools),
        as_shown=_is_sent_back(entity),
    )
    with call.changing() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
        if _tunnels_end(call):
            operations.end_tunnels(work, tenant)
        remarks = tuple(_idle(entity, tenant))
        task = operations.edit_tenant(work, tenant, change)
        remark(task, remarks)
    return accepted(call, task)


def _limits(said: CreateCloudTenantSpec | CloudTenant) -> dict[str, Any]:
    """What a body says of limits; an empty text says nothing."""
    return {name: value for name, value in given(said, Limits).items() if value != ""}


def _is_sent_back(entity: CloudTenant) -> bool:
    """Whether a body is what GET has shown, with some of it changed: it has what only GET says."""
    return any(
        each is not None
        for each in (
            entity.uid,
            entity.links,
            entity.last_result,
            entity.last_active,
            entity.backup_count,
            entity.replica_count,
            entity.work_station_backup_count,
            entity.server_backup_count,
        )
    )


def _check_is_offered(spec: CreateCloudTenantSpec) -> None:
    """See whether the tenant is one that there can be here.

    Raises:
        NotOfferedError: it is not.
    """
    if spec.tenant_type not in (None, "", "Standalone") or spec.domain or spec.organization_ref:
        raise NotOfferedError(_NOT_STANDALONE)
    if spec.compute_resources or spec.v_cloud_compute_resources:
        raise NotOfferedError(_NO_HARDWARE_PLANS)
    if spec.backup_protection_enabled:
        raise InvalidRequestError(_NOTHING_PROTECTED)
    for resource in spec.resources or ():
        _check_no_accelerator(resource.wan_accelerator_uid)


def _check_no_accelerator(uid_text: str | None) -> None:
    """See that no WAN accelerator is asked for; a GUID of zeros is none.

    Raises:
        NotOfferedError: one is.
    """
    if uid_text and parse(uid_text, "WanAccelerator") != _NOBODY:
        raise NotOfferedError(_NO_WAN_ACCELERATORS)


def _idle(
    said: CreateCloudTenantSpec | CloudTenant, tenant: tables.CloudTenant | None = None
) -> Iterator[str]:
    """What of a body is kept, or left alone, and does nothing here; not what is as it was."""
    count = said.public_ip_count
    if count is not None and count != (tenant.public_ip_count if tenant else 0):
        yield (
            "PublicIpCount is kept and shown, and does nothing: Cloudgate has no public IP"
            " addresses to give."
        )
    period = said.backup_protection_period
    if period is not None and period != (tenant.backup_protection_period if tenant else 1):
        yield "BackupProtectionPeriod is kept and shown, and protects nothing."
    if isinstance(said, CreateCloudTenantSpec):
        if said.vm_count:
            yield "VmCount was left alone: nothing here counts machines."
        if any(each.folder for each in said.resources or ()):
            yield "Folder was left alone: where a tenant stores is up to the repository."


def _pools(uids: tuple[str, ...] | None) -> tuple[UUID, ...] | None:
    return None if uids is None else tuple(parse(each, POOL) for each in uids)


def _nested_password(entity: CloudTenant) -> str | None:
    standalone = entity.tenant_type.standalone_tenant if entity.tenant_type else None
    credentials = standalone.tenant_credentials if standalone else None
    return credentials.password if credentials else None


def _lease(entity: CloudTenant) -> datetime | object | None:
    """The lease by either of the two elements that are published for it."""
    if entity.lease_expiration_date is not None:
        return entity.lease_expiration_date
    lease = entity.lease_options
    if lease is None or lease.enabled is None:
        return KEEP
    if not lease.enabled:
        return None
    if lease.expiration_date is None:
        raise InvalidRequestError(
            "LeaseOptions: ExpirationDate is missing, and Enabled is true; give the time at which"
            " the lease ends."
        )
    return lease.expiration_date


def _quotas(entity: CloudTenant) -> tuple[Quota, ...] | None:
    if entity.resources is None:
        return None
    return tuple(_quota(resource) for resource in entity.resources)


def _quota(resource: CloudTenantResource) -> Quota:
    quota = resource.repository_quota
    _check_no_accelerator(quota.wan_accelerator_uid if quota else None)
    if quota is None or not quota.repository_uid or quota.quota is None:
        raise InvalidRequestError(
            "CloudTenantResource is incomplete: RepositoryQuota with RepositoryUid and Quota is"
            " missing."
        )
    return Quota(
        name=quota.display_name or "",
        repository_uid=quota.repository_uid,
        quota_mb=quota.quota,
        resource_id=parse(resource.id, RESOURCE) if resource.id else None,
    )


@ROUTES.add(Route(verb="DELETE", path="/cloud/tenants/{id}", answers=TASK))
def delete_tenant(call: Call) -> Answer:
    """Remove a tenant. With ``includeBackups``, the task says where its backups still are."""
    include_backups = call.query.get("includebackups", "").lower() in ("true", "1")
    with call.changing() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
        task = operations.delete_tenant(work, tenant, include_backups=include_backups)
    return accepted(call, task)


@ROUTES_OF_RESOURCES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources",
        kept=True,
        answers=shows(CloudTenantResources),
    )
)
def get_resources(call: Call) -> Answer:
    """All quotas of a tenant."""
    with call.reading() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
    found = tuple(_linked_resource(call.root, tenant, each) for each in tenant.resources)
    return Answer(resource=CloudTenantResources(cloud_tenant_resources=found))


@ROUTES_OF_RESOURCES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources/{resource}",
        kept=True,
        answers=shows(CloudTenantResource),
    )
)
def get_resource(call: Call) -> Answer:
    """One quota of a tenant."""
    with call.reading() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
    resource = operations.get_resource(tenant, call.identifier(RESOURCE, "resource"))
    return Answer(resource=_linked_resource(call.root, tenant, resource))


@ROUTES_OF_RESOURCES.add(
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/resources",
        answers=TASK,
        bodies=(CreateCloudTenantResourceSpec,),
    )
)
def post_resource(call: Call, spec: CreateCloudTenantResourceSpec) -> Answer:
    """Give a tenant one more quota."""
    _check_no_accelerator(spec.wan_accelerator_uid)
    quota = Quota(
        name=spec.name or "",
        repository_uid=spec.repository_uid or "",
        quota_mb=spec.quota_mb or 0,
    )
    with call.changing() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
        task = operations.add_resource(work, tenant, quota)
    return accepted(call, task)


@ROUTES_OF_RESOURCES.add(
    Route(
        verb="DELETE",
        path="/cloud/tenants/{id}/resources/{resource}",
        answers=TASK,
        query=(ENDING_TUNNELS_THERE,),
    )
)
def delete_resource(call: Call) -> Answer:
    """Take a quota away."""
    with call.changing() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
        resource = operations.get_resource(tenant, call.identifier(RESOURCE, "resource"))
        task = operations.remove_resource(work, tenant, resource, tunnels_end=_tunnels_end(call))
    return accepted(call, task)


def _tunnels_end(call: Call) -> bool:
    """Whether tunnels that the tenant has are to end with the change."""
    return call.query.get(END_TUNNELS.lower(), "").lower() in ("true", "1")
