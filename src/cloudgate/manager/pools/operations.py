"""Pool operations: how are gateway pools made, changed and removed?

A gateway is in one pool at most, a tenant may use any number. Who may come in by which gateway is
decided by the gateways themselves: each change reaches them with the tenant directory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from cloudgate.errors import InvalidRequestError
from cloudgate.manager import naming
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record_at_end
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import get_gateway
from cloudgate.manager.servers.backup_servers import choose_backup_server
from cloudgate.manager.servers.managed_servers import touch_assignment, touch_site
from cloudgate.manager.servers.tenant_scope import note_moving, pools_of, review_scope
from cloudgate.manager.storage.tables import (
    BackupServer,
    CloudGateway,
    CloudTenant,
    GatewayPool,
    PoolTenant,
    Task,
)
from cloudgate.manager.tasks import operations as tasks
from cloudgate.values import precis
from cloudgate.values.enumeration import MOST, few

TYPE = "CloudGatewayPool"
CREATED = Event(
    "CreateCloudGatewayPool", "Cloud gateway pool '{name}' [{id}] has been created.", code=24141
)
EDITED = Event(
    "UpdateCloudGatewayPool", "Cloud gateway pool '{name}' [{id}] has been modified.", code=24142
)
DELETED = Event(
    "DeleteCloudGatewayPool",
    "Cloud gateway pool '{name}' has been deleted.",
    WARNING,
    code=24143,
)
WITH_MEMBERS = (
    selectinload(GatewayPool.gateways).load_only(CloudGateway.name).lazyload("*"),
    selectinload(GatewayPool.tenants).load_only(CloudTenant.name).lazyload("*"),
)
"""How pools are read to be shown: who is in them, by name, and nothing else of them."""


@dataclass(frozen=True, kw_only=True)
class PoolChange:
    """What is wanted of a pool; None leaves it as it is, or takes the default."""

    name: str | None = None
    description: str | None = None
    gateways: Sequence[UUID] | None = None
    tenants: Sequence[UUID] | None = None


def list_pools(work: UnitOfWork, *, with_members: bool) -> Sequence[GatewayPool]:
    """All pools by name; `with_members` to show who is in them."""
    query = select(GatewayPool).order_by(GatewayPool.name)
    return work.session.scalars(query.options(*WITH_MEMBERS) if with_members else query).all()


def get_pool(work: UnitOfWork, identifier: UUID, *, with_members: bool = False) -> GatewayPool:
    """A pool by its id; `with_members` to show who is in it.

    Raises:
        NotFoundError: there is none.
    """
    return work.get(GatewayPool, identifier, "gateway pool", *WITH_MEMBERS if with_members else ())


def create_pool(
    work: UnitOfWork,
    wanted: PoolChange,
    backup_server_uid: str | None,
    drain_seconds: int | None = None,
) -> Task:
    """Set gateways apart.

    `drain_seconds`: how long the tunnels may go on of tenants who may not use a gateway any more.

    Raises:
        InvalidRequestError: there is no gateway in it, the name is taken, or a gateway or a tenant
            cannot be in it.
        NotFoundError: the backup server, a gateway or a tenant is unknown.
    """
    site = choose_backup_server(work, None, backup_server_uid)
    name = naming.printable(wanted.name or "", "Name")
    _check_name_is_free(work, site, name)
    pool = GatewayPool(backup_server_id=site.id, name=name, description=wanted.description or "")
    pool.backup_server = site
    work.session.add(pool)
    _put_gateways(work, pool, wanted.gateways or ())
    touched = _put_tenants(work, pool, wanted.tenants or ())
    work.session.flush()
    task = _publish(work, CREATED.operation, pool, touched, drain_seconds)
    record_at_end(work, task, change_to(pool, TYPE, CREATED, after=_documented(work, pool)))
    tasks.relate_pool(task, pool)
    return task


def edit_pool(
    work: UnitOfWork, pool: GatewayPool, change: PoolChange, drain_seconds: int | None = None
) -> Task:
    """Change a pool; a list that is given takes the place of the one before.

    `drain_seconds`: how long the tunnels may go on of tenants who may not use a gateway any more.

    Raises:
        InvalidRequestError: there would be no gateway in it, the name is taken, or a gateway or a
            tenant cannot be in it.
        NotFoundError: a gateway or a tenant is unknown.
    """
    touched: set[CloudTenant] = set()
    is_about_gateways = change.gateways is not None and bool(change.gateways or pool.gateways)
    before = _documented(work, pool)
    with work.session.no_autoflush:
        name = naming.printable(change.name or "", "Name", pool.name)
        if name and precis.key(name) != precis.key(pool.name):
            _check_name_is_free(work, pool.backup_server, name)
        pool.name = name or pool.name
        if change.description is not None:
            pool.description = change.description
        if is_about_gateways:
            _put_gateways(work, pool, change.gateways or ())
        if change.tenants is not None:
            touched = _put_tenants(work, pool, change.tenants)
    task = _publish(
        work, EDITED.operation, pool, touched, drain_seconds, with_members=is_about_gateways
    )
    record_at_end(
        work,
        task,
        change_to(pool, TYPE, EDITED, before=before, after=_documented(work, pool)),
    )
    return task


def delete_pool(work: UnitOfWork, pool: GatewayPool, drain_seconds: int | None = None) -> Task:
    """Dissolve a pool. Its gateways stay, and are there for all tenants without a pool.

    `drain_seconds`: how long the tunnels may go on of tenants who may not use a gateway any more.

    Raises:
        InvalidRequestError: tenants are assigned to it, who would silently come in elsewhere.
    """
    if count := work.session.scalar(select(func.count()).where(PoolTenant.pool_id == pool.id)):
        raise InvalidRequestError(
            f"The gateway pool {pool.name} is in use by"
            f" {few(_tenant_names(work, pool, MOST), total=count)}. Take these tenants out of it"
            " first."
        )
    change = change_to(pool, TYPE, DELETED, before=_documented(work, pool))
    _put_gateways(work, pool, (), may_be_empty=True)
    work.session.flush()
    work.session.delete(pool)
    task = _publish(work, DELETED.operation, pool, (), drain_seconds)
    record_at_end(work, task, change)
    tasks.relate_pools(task)
    return task


def _documented(work: UnitOfWork, pool: GatewayPool) -> dict[str, Any]:
    return {
        "Name": pool.name,
        "Description": pool.description,
        "CloudGateways": [gateway.name for gateway in pool.gateways],
        "CloudTenants": _tenant_names(work, pool),
    }


def _tenant_names(work: UnitOfWork, pool: GatewayPool, most: int | None = None) -> Sequence[str]:
    """What the tenants of a pool are called, or the first of them."""
    members = select(CloudTenant.name).join(PoolTenant, PoolTenant.tenant_id == CloudTenant.id)
    chosen = members.where(PoolTenant.pool_id == pool.id).order_by(CloudTenant.name)
    return work.session.scalars(chosen.limit(most)).all()


def pools_of_uids(
    work: UnitOfWork, site_id: UUID, identifiers: Iterable[UUID]
) -> list[GatewayPool]:
    """The pools that a tenant of a site is to use.

    Raises:
        InvalidRequestError: one belongs to another backup server.
        NotFoundError: one is unknown.
    """
    found = [get_pool(work, identifier) for identifier in dict.fromkeys(identifiers)]
    for pool in found:
        if pool.backup_server_id != site_id:
            raise InvalidRequestError(
                f"The gateway pool {pool.name} belongs to another backup server"
                f" ({pool.backup_server.name}) than the tenant."
            )
    return found


def _put_gateways(
    work: UnitOfWork, pool: GatewayPool, identifiers: Sequence[UUID], *, may_be_empty: bool = False
) -> None:
    wanted = [get_gateway(work, identifier) for identifier in dict.fromkeys(identifiers)]
    if not wanted and not may_be_empty:
        raise InvalidRequestError("CloudGateways is empty; a pool needs at least one gateway.")
    for gateway in wanted:
        _check_may_be_in(pool, gateway)
    moved = {*wanted} ^ {*pool.gateways}
    for gateway in moved:
        touch_assignment(work, gateway.managed_server)
    if moved:
        touch_site(work, pool.backup_server)
    pool.gateways = wanted
    for gateway in moved:
        review_scope(work, gateway.managed_server)


def _check_may_be_in(pool: GatewayPool, gateway: CloudGateway) -> None:
    if gateway.backup_server_id != pool.backup_server.id:
        raise InvalidRequestError(
            f"The cloud gateway {gateway.name} belongs to another backup server"
            f" ({gateway.backup_server.name}) than the pool {pool.name}."
        )
    if gateway.removing:
        raise InvalidRequestError(f"The cloud gateway {gateway.name} is being removed.")
    if gateway.pool is not None and gateway.pool is not pool:
        raise InvalidRequestError(
            f"The cloud gateway {gateway.name} is in the pool {gateway.pool.name} already, and a"
            " gateway can be in one only. Take it out there first."
        )


def _put_tenants(
    work: UnitOfWork, pool: GatewayPool, identifiers: Sequence[UUID]
) -> set[CloudTenant]:
    known = {*pool.tenants}  # together: one by one takes a query for each
    wanted = [_tenant(work, pool, identifier) for identifier in dict.fromkeys(identifiers)]
    touched = {*wanted} ^ known
    before = {tenant: pools_of(tenant) for tenant in touched}
    pool.tenants = wanted
    work.session.flush()
    for tenant in touched:
        note_moving(work, tenant.id, before[tenant], pools_of(tenant))
    return touched


def _tenant(work: UnitOfWork, pool: GatewayPool, identifier: UUID) -> CloudTenant:
    tenant = work.get(CloudTenant, identifier, "tenant")
    if tenant.backup_server_id != pool.backup_server.id:
        raise InvalidRequestError(
            f"The tenant {tenant.name} belongs to another backup server"
            f" ({tenant.backup_server.name}) than the pool {pool.name}."
        )
    return tenant


def _check_name_is_free(work: UnitOfWork, site: BackupServer, name: str) -> None:
    wanted = precis.key(name)
    of_site = select(GatewayPool.name).where(GatewayPool.backup_server_id == site.id)
    for other in work.session.scalars(of_site):
        if precis.key(other) == wanted:
            raise InvalidRequestError(f"A gateway pool named {other} is there already.")


def begin_pool_drain(work: UnitOfWork, site: BackupServer, drain_seconds: int | None) -> None:
    """Say how long tunnels may go on that lose their place now; None for the usual time.

    What an operator says holds also for those that lost it before.
    """
    before = site.pool_drain_seconds, site.pool_drain
    site.pool_drain_seconds = drain_seconds
    if drain_seconds is not None:
        site.pool_drain = uuid4().hex
    if (site.pool_drain_seconds, site.pool_drain) != before:
        touch_site(work, site)


def _publish(
    work: UnitOfWork,
    operation: str,
    pool: GatewayPool,
    touched: Iterable[CloudTenant],
    drain_seconds: int | None,
    *,
    with_members: bool = False,
) -> Task:
    """Have gateways learn of a change to a pool; `touched` whose directory entry it changes.

    `with_members`: those of all of its tenants may have changed.
    """
    site = pool.backup_server
    begin_pool_drain(work, site, drain_seconds)
    revision = work.next_directory_revision()
    for tenant in touched:
        tenant.directory_revision = revision
    if with_members:
        members = select(PoolTenant.tenant_id).where(PoolTenant.pool_id == pool.id)
        work.touch_tenants(site.id, CloudTenant.id.in_(members), revision)
    work.session.flush()
    work.news_for.add(site.id)
    task = tasks.start_directory_task(work, operation, site.id, revision)
    task.drains = True
    return task
