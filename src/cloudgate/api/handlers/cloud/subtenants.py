"""Subtenants: what does the API say of a tenant's users, and what may be done to them?"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from cloudgate.api.access import PROVIDERS
from cloudgate.api.handlers.cloud import tenants
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import up_to_backup_server_entity
from cloudgate.api.http.router import Route, Routes, shows
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage import tables
from cloudgate.manager.subtenants import operations
from cloudgate.manager.subtenants.operations import SubtenantChange
from cloudgate.manager.tasks.operations import remark
from cloudgate.manager.tenants import rotation
from cloudgate.manager.tenants.operations import get_tenant
from cloudgate.manager.tenants.passwords import good_until
from cloudgate.trust.password_hashes import hash_if_any
from cloudgate.values.identifiers import parse
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.cloud.subtenants import (
    CloudSubtenant,
    CloudSubtenantCreateSpec,
    CloudSubtenants,
    CloudTenantFreeLicenseCounters,
    SubtenantQuota,
)
from cloudgate.wire.resources.cloud.tenants import RotatePasswordSpec

TYPE = operations.TYPE


ROUTES = Routes(PROVIDERS)


def quota_of(subtenant: tables.Subtenant) -> SubtenantQuota:
    """The part of a tenant's quota that a user has."""
    return SubtenantQuota(
        unlimited=subtenant.unlimited,
        display_name=subtenant.quota_name or subtenant.resource.name,
        tenant_resource_id=str(subtenant.resource_id),
        quota_mb=operations.shown_quota_mb(subtenant),
    )


def subtenant_resources(
    work: UnitOfWork, root: str, found: Sequence[tables.Subtenant]
) -> tuple[CloudSubtenant, ...]:
    """Users, each with its part of the tenant's quota."""
    return tuple(_resource(work.now, root, each) for each in found)


def _resource(now: datetime, root: str, subtenant: tables.Subtenant) -> CloudSubtenant:
    place = tenants.tenant_place(root, subtenant.tenant)
    href = f"{place.href}/subtenants/{subtenant.id}"
    return CloudSubtenant(
        href=href,
        type=TYPE,
        links=(
            Link(rel="Edit", href=href, name=subtenant.name, type=TYPE),
            Link(rel="Delete", href=href),
            Link(rel="Up", href=place.entity_href, name=place.name, type=place.type),
            up_to_backup_server_entity(root, subtenant.tenant.backup_server),
        ),
        id=str(subtenant.id),
        name=subtenant.name,
        description=subtenant.description,
        password="",
        enabled=subtenant.enabled,
        repository_quota=quota_of(subtenant),
        allowed_networks=None if subtenant.networks is None else tuple(subtenant.networks),
        old_password_expiration_date=good_until(subtenant.old_password_until, now),
        old_password_last_used=subtenant.old_password_used_at,
    )


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/subtenants",
        cached=True,
        answers=shows(CloudSubtenants),
    )
)
def get_subtenants(call: Call) -> Answer:
    """All users of a tenant."""
    with call.reading() as work:
        tenant = get_tenant(work, call.identifier(tenants.TYPE), alone=True)
        found = operations.list_subtenants(work, tenant)
        listed = subtenant_resources(work, call.root, found)
    return Answer(resource=CloudSubtenants(cloud_subtenants=listed))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        cached=True,
        answers=shows(CloudSubtenant),
    )
)
def get_subtenant(call: Call) -> Answer:
    """One user of a tenant."""
    with call.reading() as work:
        return Answer(resource=_resource(work.now, call.root, _named(call, work)))


@ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/subtenants",
        answers=TASK,
        bodies=(CloudSubtenantCreateSpec,),
    )
)
def post_subtenant(call: Call, spec: CloudSubtenantCreateSpec) -> Answer:
    """Add a user to a tenant."""
    wanted = SubtenantChange(
        name=spec.name,
        description=spec.description,
        password_hash=hash_if_any(spec.password),
        enabled=spec.enabled,
        resource_id=parse(spec.tenant_resource_id or "", tenants.RESOURCE),
        quota_name=spec.quota_name,
        quota_mb=spec.quota_mb,
        unlimited=bool(spec.unlimited_quota),
        networks=spec.allowed_networks,
    )
    with call.changing() as work:
        tenant = get_tenant(work, call.identifier(tenants.TYPE))
        task = operations.create_subtenant(work, tenant, wanted)
        remark(task, _idle(wanted))
    return accepted(call, task)


@ROUTES.add(
    Route(
        verb="PUT",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        answers=TASK,
        query=(tenants.ENDING_TUNNELS,),
        bodies=(CloudSubtenant,),
    )
)
def put_subtenant(call: Call, entity: CloudSubtenant) -> Answer:
    """Change a user of a tenant; its name is read only."""
    quota = entity.repository_quota or SubtenantQuota()
    resource_id = quota.tenant_resource_id
    change = SubtenantChange(
        description=entity.description,
        password_hash=hash_if_any(entity.password),
        enabled=entity.enabled,
        resource_id=parse(resource_id, tenants.RESOURCE) if resource_id else None,
        quota_name=quota.display_name,
        quota_mb=quota.quota_mb,
        unlimited=quota.unlimited,
        networks=entity.allowed_networks,
    )
    with call.changing() as work:
        subtenant = _named(call, work)
        tenants.end_tunnels(call, work, subtenant)
        remarks = tuple(_idle(change, subtenant))
        task = operations.edit_subtenant(work, subtenant, change)
        remark(task, remarks)
    return accepted(call, task)


def _idle(change: SubtenantChange, subtenant: tables.Subtenant | None = None) -> Iterator[str]:
    """What is kept and does nothing here; not what is as it was."""
    known_mb = operations.shown_quota_mb(subtenant) if subtenant else None
    if change.quota_mb is not None and change.quota_mb != known_mb and not change.unlimited:
        yield (
            "QuotaMb is kept and shown: what one subtenant stores nobody measures here. Let the"
            " repository keep it to that."
        )


@ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        action="rotatepassword",
        answers=TASK,
        query=(tenants.ENDING_TUNNELS,),
        bodies=(RotatePasswordSpec,),
    )
)
def rotate_subtenant_password(call: Call, spec: RotatePasswordSpec) -> Answer:
    """Give a user of a tenant a new password; the one of now is good beside it for a time."""
    return tenants.rotated(call, partial(_named, call), spec)


@ROUTES.add(
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        action="endoldpassword",
        answers=TASK,
    )
)
def end_old_subtenant_password(call: Call) -> Answer:
    """Have a password of before of a tenant's user be good no more."""
    with call.changing() as work:
        task = rotation.end_old_password(work, _named(call, work))
    return accepted(call, task)


@ROUTES.add(Route(verb="DELETE", path="/cloud/tenants/{id}/subtenants/{subtenant}", answers=TASK))
def delete_subtenant(call: Call) -> Answer:
    """Remove a user of a tenant."""
    with call.changing() as work:
        task = operations.delete_subtenant(work, _named(call, work))
    return accepted(call, task)


def _named(call: Call, work: UnitOfWork) -> tables.Subtenant:
    tenant = get_tenant(work, call.identifier(tenants.TYPE))
    return operations.get_subtenant(work, tenant, call.identifier(TYPE, "subtenant"))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/freelicenseCounters",
        answers=shows(CloudTenantFreeLicenseCounters),
    )
)
def get_free_license_counters(call: Call) -> Answer:
    """The counters of free licences: nothing here needs one, so none is in use."""
    with call.reading() as work:
        tenant = get_tenant(work, call.identifier(tenants.TYPE))
    place = tenants.tenant_place(call.root, tenant)
    up = Link(rel="Up", href=place.entity_href, name=place.name, type=place.type)
    return Answer(
        resource=CloudTenantFreeLicenseCounters(
            href=f"{place.href}/freelicenseCounters",
            type="FreeLicenseCounters",
            links=(up,),
            rental_vm_backup_count=0,
            rental_workstation_backup_count=0,
            rental_server_backup_count=0,
            new_vm_backup_count=0,
            new_workstation_backup_count=0,
            new_server_backup_count=0,
            new_vm_replica_count=0,
        )
    )
