"""Tenants: what does the API say of them, and what may be done to them?"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from cloudgate.api.access import PROVIDERS
from cloudgate.api.handlers.cloud import tenant_bodies
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.handlers.tasks import accepted, task_resource
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import (
    ResourceLocation,
    create_link,
    down_link,
    up_to_backup_server,
)
from cloudgate.api.http.router import Parameter, Route, Routes, shows_either
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.probes.rules import megabytes
from cloudgate.manager.protection.operations import warning_of_tenant
from cloudgate.manager.quotas import operations as quotas
from cloudgate.manager.repositories.operations import TYPE as REPOSITORY
from cloudgate.manager.storage import tables
from cloudgate.manager.storage.tenant_rows import ShownTenant
from cloudgate.manager.tasks.operations import remark
from cloudgate.manager.tenants import egress, operations, passwords, publication, rotation
from cloudgate.manager.tenants.passwords import good_until
from cloudgate.trust.password_hashes import hash_if_any
from cloudgate.values.identifiers import uid
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Link
from cloudgate.wire.resources.cloud.tenants import (
    CloudTenant,
    CloudTenantResource,
    CloudTenants,
    CreateCloudTenantSpec,
    LeaseOptions,
    RepositoryQuota,
    RotatePasswordSpec,
    StandaloneTenant,
    TenantCredentials,
    TenantType,
)

TYPE = operations.TYPE
END_TUNNELS = "endTunnels"
"""Extension: whether a change ends the tunnels that the tenant has, as after a stolen password."""
RESOURCE = tenant_bodies.RESOURCE


ROUTES = Routes(PROVIDERS)


def tenant_place(root: str, tenant: ShownTenant) -> ResourceLocation:
    """Where a tenant stands."""
    return ResourceLocation(root, "/cloud/tenants", TYPE, tenant.id, tenant.name)


def tenant_reference(root: str, tenant: ShownTenant) -> EntityRef:
    """The short form of a tenant."""
    place = tenant_place(root, tenant)
    return place.reference(up_to_backup_server(root, tenant.backup_server), place.to_entity())


def tenant_entities(
    work: UnitOfWork, root: str, found: Sequence[ShownTenant]
) -> tuple[CloudTenant, ...]:
    """Tenants with their quotas."""
    return tuple(_entity(work.now, root, each) for each in found)


def _entity(now: datetime, root: str, tenant: ShownTenant) -> CloudTenant:
    place = tenant_place(root, tenant)
    limits = operations.limits_of(tenant)
    warning = _tenant_warning(tenant, now)
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
        resources=tuple(resource_entity(now, root, tenant, each) for each in tenant.resources),
        last_result=_last_result(tenant, warning, now),
        last_active=tenant.last_active_at or tenant_bodies.NEVER,
        compute_resources=(),
        public_ip_count=tenant.public_ip_count,
        backup_count=0,
        replica_count=0,
        work_station_backup_count=0,
        server_backup_count=0,
        backup_protection_enabled=tenant.backup_protection_enabled,
        backup_protection_period=tenant.backup_protection_period,
        tenant_type=TenantType(
            standalone_tenant=StandaloneTenant(
                tenant_credentials=TenantCredentials(username=tenant.name)
            )
        ),
        cloud_gateway_pools=tuple(uid(tenant_bodies.POOL, pool.id) for pool in tenant.pools)
        or None,
        failover_to_others_gateways_if_fail=tenant.failover_to_others,
        concurrent_tasks_limited=limits.concurrent_tunnels is not None,
        allowed_networks=None if tenant.networks is None else tuple(tenant.networks),
        old_password_expiration_date=good_until(tenant.old_password_until, now),
        old_password_last_used=tenant.old_password_used_at,
        used_egress_mb=egress.used_mb(tenant, now) if limits.egress_quota_mb else None,
        warning=warning or None,
        may_change_password=tenant.may_change_password or None,
        may_use_portal=None if tenant.may_use_portal else False,
        may_get_certificates=tenant.may_get_certificates or None,
        **limits.resource_fields,
    )


def forms(work: UnitOfWork) -> Forms[ShownTenant]:
    """Those of a tenant as it is at the time of a transaction."""
    entity = partial(_entity, work.now)
    return Forms(tenant_reference, entity, lambda found: CloudTenants(cloud_tenants=found))


def _links(root: str, tenant: ShownTenant, place: ResourceLocation) -> tuple[Link, ...]:
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


def resource_entity(
    now: datetime,
    root: str,
    tenant: ShownTenant,
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
            warning=_warning(resource, now),
        ),
    )


def _last_result(tenant: ShownTenant, warning: str, now: datetime) -> str:
    """Warning while it or a quota has one, else Success, as published, if it never ran, too.

    Never Failed: a gateway sees how a tunnel ends, not what becomes of the backup in it.
    """
    is_warned_of = warning or any(_warning(each, now) for each in tenant.resources)
    return "Warning" if is_warned_of else "Success"


def _tenant_warning(tenant: ShownTenant, now: datetime) -> str:
    said = (egress.warning(tenant, now), warning_of_tenant(tenant, now))
    return " ".join(each for each in said if each)


def _warning(resource: tables.TenantResource, now: datetime) -> str | None:
    """What there is to look at about a quota; the first in the words of the original."""
    said = (quotas.warning_of(resource, now), resource.measuring_warning)
    return " ".join(each for each in said if each) or None


ENDING_TUNNELS = Parameter(
    name=END_TUNNELS,
    description=(
        "Extension: true to end the tunnels that are live, outside to end those that come from"
        " where they may not come from any more."
    ),
    values=("true", "false", "outside"),
)


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants",
        cached=True,
        answers=shows_either(EntityReferences, CloudTenants),
    )
)
def get_tenants(call: Call) -> Answer:
    """All tenants."""
    with call.reading() as work:
        return forms(work).all(call, operations.list_tenants(work))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}",
        cached=True,
        answers=shows_either(EntityRef, CloudTenant),
    )
)
def get_tenant(call: Call) -> Answer:
    """One tenant."""
    with call.reading() as work:
        return forms(work).one(call, operations.get_tenant(work, call.identifier(TYPE)))


@ROUTES.add(
    Route(verb="POST", path="/cloud/tenants", answers=TASK, bodies=(CreateCloudTenantSpec,))
)
def post_tenant(call: Call, spec: CreateCloudTenantSpec) -> Answer:
    """Add a tenant."""
    body = tenant_bodies.change_of(spec)
    wanted = replace(body, password_hash=hash_if_any(spec.password))
    with call.changing() as work:
        task = operations.create_tenant(
            work,
            wanted,
            backup_server_id_or_name=spec.backup_server_id_or_name,
            backup_server_uid=spec.backup_server_uid,
        )
        remark(task, tenant_bodies.idle(spec))
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
    body = tenant_bodies.change(entity)
    change = replace(body, password_hash=hash_if_any(tenant_bodies.password_of(entity)))
    with call.changing() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
        end_tunnels(call, work, tenant)
        remarks = tuple(tenant_bodies.idle(entity, tenant))
        task = operations.edit_tenant(work, tenant, change)
        remark(task, remarks)
    return accepted(call, task)


@ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/tenants/{id}",
        action="rotatepassword",
        answers=TASK,
        query=(ENDING_TUNNELS,),
        bodies=(RotatePasswordSpec,),
    )
)
def rotate_tenant_password(call: Call, spec: RotatePasswordSpec) -> Answer:
    """Give a tenant a new password; the one of now is good beside it for a time."""
    identifier = call.identifier(TYPE)
    return rotated(call, lambda work: operations.get_tenant(work, identifier), spec)


@ROUTES.add(Route(verb="POST", path="/cloud/tenants/{id}", action="endoldpassword", answers=TASK))
def end_old_tenant_password(call: Call) -> Answer:
    """Have a tenant's password of before be good no more."""
    with call.changing() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
        task = rotation.end_old_password(work, tenant)
    return accepted(call, task)


def rotated(
    call: Call, find: Callable[[UnitOfWork], passwords.Owner], spec: RotatePasswordSpec
) -> Answer:
    """The answer to a call that replaces a password; it has the new one where that was made."""
    made = None if spec.password else passwords.generated()
    with call.reading() as work:
        old_hash = find(work).password_hash
    new = passwords.replacement(old_hash, spec.password or made or "", spec.old_password_seconds)
    with call.changing() as work:
        task = rotation.rotate_password(work, find(work), new, tunnels_end=tunnels_end(call))
        shown = replace(task_resource(call.root, task), new_password=made)
    return Answer(status=202, resource=shown)


@ROUTES.add(Route(verb="DELETE", path="/cloud/tenants/{id}", answers=TASK))
def delete_tenant(call: Call) -> Answer:
    """Remove a tenant. With ``includeBackups``, the task says where its backups still are."""
    include_backups = call.query.get("includebackups", "").lower() in ("true", "1")
    with call.changing() as work:
        tenant = operations.get_tenant(work, call.identifier(TYPE))
        task = operations.delete_tenant(work, tenant, include_backups=include_backups)
    return accepted(call, task)


def tunnels_end(call: Call) -> bool:
    """Whether tunnels that the tenant has are to end with the change."""
    return call.query.get(END_TUNNELS.lower(), "").lower() in ("true", "1")


def end_tunnels(call: Call, work: UnitOfWork, who: tables.CloudTenant | tables.Subtenant) -> None:
    """End those tunnels of a tenant or user that the call says are to end with the change."""
    is_outside = call.query.get(END_TUNNELS.lower(), "").lower() == "outside"
    if is_outside or tunnels_end(call):
        publication.end_tunnels(work, who, only_outside=is_outside)
