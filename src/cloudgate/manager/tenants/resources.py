"""Tenant resources: which quotas does a tenant have on which repositories?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select

from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.manager import naming
from cloudgate.manager.audit.events import TUNNELS_ENDED, WARNING, Change, Event
from cloudgate.manager.audit.log import record_at_end
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.probes.operations import NEWS, forget_figure
from cloudgate.manager.protection.operations import check_tenant
from cloudgate.manager.repositories.operations import TYPE as REPOSITORY
from cloudgate.manager.repositories.operations import get_repository
from cloudgate.manager.storage.tables import CloudTenant, Subtenant, Task, TenantResource
from cloudgate.manager.tasks import operations as tasks
from cloudgate.manager.tenants.publication import end_tunnels_to, publish
from cloudgate.values import identifiers, precis
from cloudgate.values.enumeration import few

CREATED = Event("CreateCloudTenantResource", "Tenant Quota Added: {name}", code=24150)
DELETED = Event("DeleteCloudTenantResource", "Tenant Quota Deleted: {name}", WARNING, code=24170)


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What a tenant is to get of a repository."""

    name: str
    repository_uid: str
    quota_mb: int
    resource_id: UUID | None = None
    """Of the quota that this is an edit of."""


def get_resource(tenant: CloudTenant, identifier: UUID) -> TenantResource:
    """A tenant's quota by its id.

    Raises:
        NotFoundError: it has none of that id.
    """
    for resource in tenant.resources:
        if resource.id == identifier:
            return resource
    raise NotFoundError(f"The tenant {tenant.name} has no resource with the id {identifier}.")


def add_resource(work: UnitOfWork, tenant: CloudTenant, quota: Quota) -> Task:
    """Give a tenant a quota on one more repository.

    Raises:
        InvalidRequestError: it has one there already, or one of that name, or its backups would
            not be protected there.
        NotFoundError: the repository is unknown.
    """
    resource = _make_resource(work, tenant, quota, position=len(tenant.resources))
    tenant.resources.append(resource)
    _check_quotas(tenant)
    work.session.flush()
    check_tenant(tenant, [resource], work.now)
    task = publish(work, tenant, CREATED.operation)
    record_at_end(work, task, _resource_change(tenant, resource, added=True))
    tasks.relate_resource(task, tenant, resource)
    return task


def remove_resource(
    work: UnitOfWork, tenant: CloudTenant, resource: TenantResource, *, tunnels_end: bool = False
) -> Task:
    """Take a quota away; `tunnels_end` ends the tunnels that the tenant has there, too.

    Raises:
        InvalidRequestError: subtenants have a part of it.
    """
    _check_is_unused(work, tenant, resource)
    change = _resource_change(tenant, resource, added=False)
    tenant.resources.remove(resource)
    if tunnels_end:
        end_tunnels_to(work, tenant, resource.repository)
        change = replace(change, after=TUNNELS_ENDED)
    task = publish(work, tenant, DELETED.operation)
    record_at_end(work, task, change)
    return task


def replace_resources(work: UnitOfWork, tenant: CloudTenant, quotas: Sequence[Quota]) -> None:
    """Give a tenant these quotas, as part of a change to it.

    Those that are named by id or are on the same repository are edited, the others new.

    Raises:
        InvalidRequestError: two have one name or repository, one is of another site, or one that
            goes is in use.
        NotFoundError: a repository is unknown.
    """
    with work.session.no_autoflush:
        by_id = {resource.id: resource for resource in tenant.resources}
        by_repository = {resource.repository_id: resource for resource in tenant.resources}
        kept: list[TenantResource] = []
        for position, quota in enumerate(quotas):
            made = _make_resource(work, tenant, quota, position)
            known = by_id.get(quota.resource_id) if quota.resource_id else None
            known = known or by_repository.get(made.repository_id)
            if known is None or known in kept:
                kept.append(made)
                continue
            known.position, known.name, known.quota_mb = position, made.name, made.quota_mb
            if known.repository_id != made.repository_id:
                known.repository_id = made.repository_id
                forget_figure(known)
            kept.append(known)
        for resource in tenant.resources:
            if resource not in kept:
                _check_is_unused(work, tenant, resource)
        tenant.resources = kept
        _check_quotas(tenant)


def _check_is_unused(work: UnitOfWork, tenant: CloudTenant, resource: TenantResource) -> None:
    names = work.session.scalars(
        select(Subtenant.name).where(Subtenant.resource_id == resource.id).order_by(Subtenant.name)
    ).all()
    if names:
        raise InvalidRequestError(
            f"The resource {resource.name} of {tenant.name} is in use by its subtenants"
            f" {few(names)}. Remove these first, or give them another resource."
        )


def _make_resource(
    work: UnitOfWork, tenant: CloudTenant, quota: Quota, position: int
) -> TenantResource:
    repository = get_repository(work, identifiers.parse(quota.repository_uid, REPOSITORY))
    if repository.backup_server_id != tenant.backup_server_id:
        raise InvalidRequestError(
            f"The repository {repository.name} belongs to another backup server"
            f" ({repository.backup_server.name}) than the tenant {tenant.name}."
        )
    work.news_for.add(NEWS)
    return TenantResource(
        repository_id=repository.id,
        position=position,
        name=naming.printable(quota.name, "Name"),
        quota_mb=quota.quota_mb,
    )


def _check_quotas(tenant: CloudTenant) -> None:
    names = [precis.key(resource.name) for resource in tenant.resources]
    repositories = [resource.repository_id for resource in tenant.resources]
    if len(set(names)) != len(names):
        raise InvalidRequestError("Two quotas of a tenant cannot have the same name.")
    if len(set(repositories)) != len(repositories):
        raise InvalidRequestError("A tenant can have one quota on a repository, not two.")


def _resource_change(tenant: CloudTenant, resource: TenantResource, *, added: bool) -> Change:
    document = {
        "Tenant": tenant.name,
        "RepositoryUid": str(resource.repository_id),
        "QuotaMb": resource.quota_mb,
    }
    return Change(
        CREATED if added else DELETED,
        "CloudTenantResource",
        object_id=resource.id,
        object_name=resource.name,
        before=None if added else document,
        after=document if added else None,
        owner_id=tenant.id,
    )
