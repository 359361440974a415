"""Subtenant operations: how are the users of a tenant added, changed and removed?

They are part of what gateways know of their tenant, so each change gives the tenant a new revision
in the directory.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.manager.audit.events import NEW_PASSWORD, WARNING, Event, change_to
from cloudgate.manager.audit.log import record_at_end
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, Subtenant, Task, TenantResource
from cloudgate.manager.tenants import passwords, rules
from cloudgate.manager.tenants.former_names import remember_names
from cloudgate.manager.tenants.publication import ended_now, publish

TYPE = "CloudSubtenant"
_NAMED = "Cloud Connect subtenant {name} [{id}] [tenant ID: {owner}]"
CREATED = Event("AddCloudSubtenant", f"{_NAMED} has been created", code=25200)
EDITED = Event("EditCloudSubtenant", f"{_NAMED} has been updated", code=25220)
DELETED = Event(
    "DeleteCloudSubtenant",
    "Cloud Connect subtenant {name} [tenant ID: {owner}] has been deleted",
    WARNING,
    code=25210,
)


@dataclass(frozen=True, kw_only=True)
class SubtenantChange:
    """What is wanted of a subtenant; None leaves it as it is, or takes the default."""

    name: str | None = None
    description: str | None = None
    password_hash: str | None = None
    enabled: bool | None = None
    resource_id: UUID | None = None
    quota_name: str | None = None
    quota_mb: int | None = None
    unlimited: bool | None = None
    networks: Sequence[str] | None = None
    """From which it may come, in CIDR notation; none of them for wherever its tenant may."""


def list_subtenants(work: UnitOfWork, tenant: CloudTenant) -> Sequence[Subtenant]:
    """A tenant's users by name."""
    return work.session.scalars(
        select(Subtenant).where(Subtenant.tenant_id == tenant.id).order_by(Subtenant.name)
    ).all()


def get_subtenant(work: UnitOfWork, tenant: CloudTenant, identifier: UUID) -> Subtenant:
    """A tenant's user by its id.

    Raises:
        NotFoundError: it has none of that id.
    """
    subtenant = work.session.get(Subtenant, identifier)
    if subtenant is None or subtenant.tenant_id != tenant.id:
        raise NotFoundError(f"The tenant {tenant.name} has no subtenant with the id {identifier}.")
    return subtenant


def create_subtenant(work: UnitOfWork, tenant: CloudTenant, wanted: SubtenantChange) -> Task:
    """Add a user to a tenant.

    Raises:
        InvalidRequestError: the name is taken or not allowed, or the quota is not possible.
        NotFoundError: the tenant has no such quota.
    """
    name = rules.subtenant_name(wanted.name or "")
    _check_name_is_free(work, tenant, name)
    subtenant = Subtenant(tenant=tenant, name=name, login=rules.login(name))
    with work.session.no_autoflush:
        _apply(subtenant, wanted)
        work.session.add(subtenant)
    task = publish(work, tenant, CREATED.operation)
    record_at_end(
        work,
        task,
        change_to(
            subtenant,
            TYPE,
            CREATED,
            after=_documented(subtenant),
            owner_id=subtenant.tenant_id,
        ),
    )
    return task


def edit_subtenant(work: UnitOfWork, subtenant: Subtenant, change: SubtenantChange) -> Task:
    """Change a user of a tenant. Its name stays.

    Raises:
        InvalidRequestError: the quota is not possible.
        NotFoundError: the tenant has no such quota.
    """
    before = _documented(subtenant)
    with work.session.no_autoflush:
        _apply(subtenant, change, subtenant.resource)
    task = publish(work, subtenant.tenant, EDITED.operation)
    after = _documented(subtenant)
    if change.password_hash:
        after.update(NEW_PASSWORD)
    after.update(ended_now(work, subtenant))
    record_at_end(
        work,
        task,
        change_to(
            subtenant,
            TYPE,
            EDITED,
            before=before,
            after=after,
            owner_id=subtenant.tenant_id,
        ),
    )
    return task


def delete_subtenant(work: UnitOfWork, subtenant: Subtenant) -> Task:
    """Remove a user of a tenant. What it has stored stays where it is."""
    change = change_to(
        subtenant,
        TYPE,
        DELETED,
        before=_documented(subtenant),
        owner_id=subtenant.tenant_id,
    )
    remember_names(work, [subtenant])
    work.session.delete(subtenant)
    task = publish(work, subtenant.tenant, DELETED.operation)
    record_at_end(work, task, change)
    return task


def _documented(subtenant: Subtenant) -> dict[str, Any]:
    return {
        "Name": subtenant.name,
        "Description": subtenant.description,
        "Enabled": subtenant.enabled,
        "TenantResource": subtenant.resource.name,
        "QuotaMb": subtenant.quota_mb,
        "UnlimitedQuota": subtenant.unlimited,
        "AllowedNetworks": subtenant.networks,
    }


def _apply(subtenant: Subtenant, wanted: SubtenantChange, *before: TenantResource) -> None:
    """Have it as is wanted; `before` is its tenant's quota that it had a part of."""
    if wanted.description is not None:
        subtenant.description = wanted.description
    if wanted.enabled is not None:
        subtenant.enabled = wanted.enabled
    if wanted.password_hash:
        passwords.set_password(subtenant, wanted.password_hash)
    if wanted.networks is not None:
        subtenant.networks = rules.allowed_networks(wanted.networks)
    if wanted.resource_id is not None:
        subtenant.resource = _resource(subtenant.tenant, wanted.resource_id)
    # What it has not of its own is shown of its tenant's quota, of the one before in a change.
    shown = (*before, subtenant.resource)
    if wanted.quota_name is not None:
        _set_quota_name(subtenant, wanted.quota_name, {each.name for each in shown})
    _set_quota(subtenant, wanted, {each.quota_mb for each in shown})


def _set_quota_name(subtenant: Subtenant, name: str, shown: Collection[str]) -> None:
    if subtenant.quota_name or name not in shown:  # else it was sent back: nobody gave it
        subtenant.quota_name = name


def shown_quota_mb(subtenant: Subtenant) -> int:
    """QuotaMb as the API shows it: without one of its own, it is the tenant's that limits it."""
    return subtenant.resource.quota_mb if subtenant.quota_mb is None else subtenant.quota_mb


def _set_quota(subtenant: Subtenant, wanted: SubtenantChange, shown_mb: Collection[int]) -> None:
    """The limit that is wanted, checked against the tenant's unless it does not count."""
    known_mb, wanted_mb = subtenant.quota_mb, wanted.quota_mb
    unlimited = wanted.unlimited
    if unlimited is None:
        # Whoever gives a number alone wants it to hold.
        unlimited = wanted_mb is None and (bool(subtenant.unlimited) or known_mb is None)
    if unlimited and known_mb is None and wanted_mb in shown_mb:
        wanted_mb = None  # what was shown, sent back: nobody gave it
    subtenant.quota_mb = wanted_mb or known_mb
    subtenant.unlimited = unlimited
    if not unlimited:
        _check_quota(subtenant, subtenant.quota_mb)


def _check_quota(subtenant: Subtenant, quota_mb: int | None) -> None:
    if quota_mb is None:
        raise InvalidRequestError(
            "QuotaMb is missing; give it, or say that the quota is unlimited."
        )
    whole_mb = subtenant.resource.quota_mb
    if quota_mb > whole_mb:
        raise InvalidRequestError(
            f"QuotaMb: found {quota_mb}, which is more than the {whole_mb} MB that the tenant"
            f" {subtenant.tenant.name} has there ({subtenant.resource.name})."
        )


def _resource(tenant: CloudTenant, identifier: UUID) -> TenantResource:
    for resource in tenant.resources:
        if resource.id == identifier:
            return resource
    raise NotFoundError(
        f"TenantResourceId: the tenant {tenant.name} has no resource with the id {identifier}."
    )


def _check_name_is_free(work: UnitOfWork, tenant: CloudTenant, name: str) -> None:
    taken = work.session.scalar(
        select(Subtenant.name).where(
            Subtenant.tenant_id == tenant.id, Subtenant.login == rules.login(name)
        )
    )
    if taken is not None:
        raise InvalidRequestError(f"{tenant.name} has a subtenant named {taken} already.")
