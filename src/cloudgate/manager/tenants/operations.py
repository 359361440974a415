"""Tenant operations: how are tenants added, changed and removed?

Each change gives the tenant a new revision in the directory, and the site's hosts take it from
there; the task ends when they have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, lazyload

from cloudgate.errors import InvalidRequestError, NotAuthenticatedError
from cloudgate.manager.audit.events import (
    NEW_PASSWORD,
    WARNING,
    Document,
    Event,
    change_to,
)
from cloudgate.manager.audit.log import record_at_end
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.pools.operations import begin_pool_drain, pools_of_uids
from cloudgate.manager.protection.operations import check_tenant
from cloudgate.manager.servers.backup_servers import choose_backup_server
from cloudgate.manager.servers.tenant_scope import note_moving, pools_of
from cloudgate.manager.storage import tenant_rows
from cloudgate.manager.storage.tables import (
    BackupServer,
    CloudTenant,
    RemovedTenant,
    Subtenant,
    Task,
)
from cloudgate.manager.storage.tenant_rows import ShownTenant, TenantRow
from cloudgate.manager.tasks import operations as tasks
from cloudgate.manager.tenants import limits, passwords, rules
from cloudgate.manager.tenants.former_names import remember_names
from cloudgate.manager.tenants.limits import Limits
from cloudgate.manager.tenants.publication import ended_now, publish
from cloudgate.manager.tenants.resources import Quota, replace_resources
from cloudgate.values.enumeration import few

TYPE = "CloudTenant"
_NAMED = "Cloud Connect tenant {name} [{id}]"
CREATED = Event("CreateCloudTenant", f"{_NAMED} has been created", code=24110)
EDITED = Event("EditCloudTenant", f"{_NAMED} has been updated", code=25100)
DISABLED = Event(EDITED.operation, "Cloud Connect tenant {name} has been disabled", code=25000)
DELETED = Event(
    "DeleteCloudTenant", "Cloud Connect tenant {name} has been deleted", WARNING, code=24120
)
SETTINGS = (
    "description",
    "enabled",
    "public_ip_count",
    "backup_protection_enabled",
    "backup_protection_period",
    "failover_to_others",
    "may_change_password",
    "may_use_portal",
    "may_get_certificates",
)
_IN_ONE_QUERY = (joinedload(CloudTenant.resources), joinedload(CloudTenant.pools))
"""How one tenant is read. With many at once, what each has is cheaper to read apart."""
_ALONE = (lazyload("*"),)
KEEP = object()
"""In `TenantChange.expires_at`: leave the lease as it is."""


@dataclass(frozen=True, kw_only=True)
class TenantChange:
    """What is wanted of a tenant; None leaves it as it is, or takes the default."""

    name: str | None = None
    password_hash: str | None = None
    expires_at: datetime | object | None = KEEP
    quotas: Sequence[Quota] | None = None
    description: str | None = None
    enabled: bool | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    """By the names of the fields of `Limits`, those that are wanted."""
    public_ip_count: int | None = None
    backup_protection_enabled: bool | None = None
    """Whether what it deletes is to be kept, which all of its repositories have to do."""
    backup_protection_period: int | None = None
    """For how many days."""
    failover_to_others: bool | None = None
    may_change_password: bool | None = None
    may_use_portal: bool | None = None
    may_get_certificates: bool | None = None
    pools: Sequence[UUID] | None = None
    """Ids of the gateway pools that it is to use."""
    networks: Sequence[str] | None = None
    """From which it may come, in CIDR notation; none of them for anywhere."""
    as_shown: bool = False
    """It is what was shown of the tenant, sent back: what was filled in there, nobody chose."""


def count_tenants(work: UnitOfWork) -> int:
    """How many there are."""
    return work.session.scalar(select(func.count()).select_from(CloudTenant)) or 0


def list_tenants(work: UnitOfWork) -> Sequence[TenantRow]:
    """All tenants by name, to be looked at."""
    return tenant_rows.read(work.session, tenant_rows.SELECT.order_by(CloudTenant.name))


def get_tenant(work: UnitOfWork, identifier: UUID, *, alone: bool = False) -> CloudTenant:
    """A tenant by its id.

    Args:
        work: what it is read in.
        identifier: its id.
        alone: whether it is read without what it has, which takes a third of the time. What is
            asked of it all the same is read then.

    Raises:
        NotFoundError: there is none.
    """
    read_by = _ALONE if alone else _IN_ONE_QUERY
    return work.get(CloudTenant, identifier, "tenant", *read_by)


def authenticate_tenant(work: UnitOfWork, name: str, password: str) -> CloudTenant:
    """The tenant of that name and password, on whichever site.

    Raises:
        NotAuthenticatedError: there is none, it is disabled, or its lease has ended.
    """
    candidates = work.session.scalars(
        select(CloudTenant).where(CloudTenant.login == rules.login(name))
    ).all()
    found = passwords.first_right(
        work,
        candidates,
        password,
        lambda each: (
            passwords.is_good(each, password, work.now)
            and each.enabled
            and (each.expires_at is None or each.expires_at > work.now)
        ),
    )
    if found is None:
        raise NotAuthenticatedError("The tenant's name or password is wrong, or it may not log on.")
    return found


def create_tenant(
    work: UnitOfWork,
    wanted: TenantChange,
    *,
    backup_server_id_or_name: str | None,
    backup_server_uid: str | None,
) -> Task:
    """Add a customer.

    Raises:
        InvalidRequestError: the name is taken or not allowed, a quota is not possible, or its
            backups would not be protected.
        NotFoundError: the backup server or a repository is unknown.
    """
    name = rules.tenant_name(wanted.name or "")
    site = choose_backup_server(work, backup_server_id_or_name, backup_server_uid)
    _check_name_is_free(work, site, name)
    tenant = CloudTenant(
        backup_server_id=site.id, name=name, login=rules.login(name), directory_revision=0
    )
    work.session.add(tenant)
    _apply(work, tenant, wanted)
    work.session.flush()
    check_tenant(tenant, tenant.resources, work.now)
    note_moving(work, tenant.id, (), pools_of(tenant))
    task = publish(work, tenant, CREATED.operation)
    record_at_end(work, task, change_to(tenant, TYPE, CREATED, after=documented(tenant)))
    tasks.relate_tenant(task, tenant)
    return task


def edit_tenant(work: UnitOfWork, tenant: CloudTenant, change: TenantChange) -> Task:
    """Change a customer. Its name stays: it is part of what others know.

    Raises:
        InvalidRequestError: a quota is not possible, or its backups would not be protected.
        NotFoundError: a repository is unknown.
    """
    before = documented(tenant)
    pools, kept_by = pools_of(tenant), _kept_by(tenant)
    _apply(work, tenant, change)
    after = documented(tenant)
    if change.quotas is not None:
        work.session.flush()
    _check_protection(work, tenant, kept_by)
    note_moving(work, tenant.id, pools, pools_of(tenant))
    task = publish(work, tenant, EDITED.operation)
    if any(before[key] != after[key] for key in _WHERE_FROM):
        begin_pool_drain(work, tenant.backup_server, None)
        task.drains = True
    if change.password_hash:
        after.update(NEW_PASSWORD)
    after.update(ended_now(work, tenant))
    event = event_of_edit(before, after)
    record_at_end(work, task, change_to(tenant, TYPE, event, before=before, after=after))
    tasks.relate_tenant(task, tenant)
    return task


def _kept_by(tenant: CloudTenant) -> dict[UUID, int]:
    """The repositories that are to keep what a tenant deletes, and for how many days."""
    if not tenant.backup_protection_enabled:
        return {}
    return {each.repository_id: tenant.backup_protection_period for each in tenant.resources}


def _check_protection(work: UnitOfWork, tenant: CloudTenant, before: Mapping[UUID, int]) -> None:
    """See that what is newly asked for is so. What was before is warned about, and left alone."""
    news = [
        each
        for each in tenant.resources
        if before.get(each.repository_id, -1) < tenant.backup_protection_period
    ]
    if news or not before:
        check_tenant(tenant, news, work.now)


_WHERE_FROM = ("CloudGatewayPools", "FailoverToOthersGatewaysIfFail")


def event_of_edit(before: Document, after: Document) -> Event:
    """What an edit is called; to disable a tenant has an event of its own."""
    return DISABLED if before["Enabled"] and not after["Enabled"] else EDITED


def delete_tenant(work: UnitOfWork, tenant: CloudTenant, *, include_backups: bool = False) -> Task:
    """Remove a customer. What it has stored stays where it is.

    Args:
        work: the change that this is part of.
        tenant: who is removed.
        include_backups: its backups are to go, too. No gateway can do that, so the task says
            where they are.
    """
    change = change_to(tenant, TYPE, DELETED, before=documented(tenant))
    places = sorted(resource.repository.name for resource in tenant.resources)
    note_moving(work, tenant.id, pools_of(tenant), ())
    revision = work.next_directory_revision()
    name, site_id = tenant.name, tenant.backup_server_id
    work.session.merge(
        RemovedTenant(tenant_id=tenant.id, backup_server_id=site_id, directory_revision=revision)
    )
    users = select(Subtenant).where(Subtenant.tenant_id == tenant.id)
    remember_names(work, [tenant, *work.session.scalars(users)])
    work.session.delete(tenant)
    work.news_for.add(site_id)
    task = tasks.start_directory_task(work, DELETED.operation, site_id, revision)
    record_at_end(work, task, change)
    if include_backups and places:
        task.message = (
            f"The backups of {name} are still there and have to be deleted in the repository:"
            f" {few(places)}."
        )
    return task


def documented(tenant: CloudTenant) -> dict[str, Any]:
    """A tenant as the audit log shows it: by the API's names, without its password."""
    return {
        "Name": tenant.name,
        "Description": tenant.description,
        "Enabled": tenant.enabled,
        "LeaseExpirationDate": tenant.expires_at.isoformat() if tenant.expires_at else None,
        "Resources": [
            f"{resource.name}: {resource.quota_mb} MB of {resource.repository_id}"
            for resource in tenant.resources
        ],
        **limits_of(tenant).documented,
        "PublicIpCount": tenant.public_ip_count,
        "BackupProtectionEnabled": tenant.backup_protection_enabled,
        "BackupProtectionPeriod": tenant.backup_protection_period,
        "CloudGatewayPools": [pool.name for pool in tenant.pools],
        "FailoverToOthersGatewaysIfFail": tenant.failover_to_others,
        "AllowedNetworks": tenant.networks,
        "MayChangePassword": tenant.may_change_password,
        "MayUsePortal": tenant.may_use_portal,
        "MayGetCertificates": tenant.may_get_certificates,
    }


def limits_of(tenant: ShownTenant) -> Limits:
    """What a tenant may use at a time."""
    return limits.from_document(tenant.limits)


def _apply(work: UnitOfWork, tenant: CloudTenant, wanted: TenantChange) -> None:
    for name in SETTINGS:
        value = getattr(wanted, name)
        if value is not None:
            setattr(tenant, name, value)
    if wanted.limits:
        changed = limits_of(tenant).changed(wanted.limits, as_shown=wanted.as_shown)
        tenant.limits = changed.as_document()
    if wanted.password_hash:
        passwords.set_password(tenant, wanted.password_hash)
    if wanted.expires_at is None or isinstance(wanted.expires_at, datetime):
        tenant.expires_at = wanted.expires_at
    if wanted.networks is not None:
        tenant.networks = rules.allowed_networks(wanted.networks)
    if wanted.quotas is not None:
        replace_resources(work, tenant, wanted.quotas)
    if wanted.pools is not None:
        tenant.pools = pools_of_uids(work, tenant.backup_server_id, wanted.pools)


def _check_name_is_free(work: UnitOfWork, site: BackupServer, name: str) -> None:
    taken = work.session.scalar(
        select(CloudTenant.name).where(
            CloudTenant.backup_server_id == site.id, CloudTenant.login == rules.login(name)
        )
    )
    if taken is not None:
        raise InvalidRequestError(f"A tenant named {taken} is there already.")
