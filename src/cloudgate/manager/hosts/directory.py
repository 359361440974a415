"""What must a gateway know of the tenants of its site?"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import select

from cloudgate import assignment, hostport
from cloudgate.manager.faults import each_alone
from cloudgate.manager.storage.tables import (
    BackupServer,
    CloudTenant,
    RemovedTenant,
    Repository,
    Subtenant,
)
from cloudgate.manager.tenants import rules
from cloudgate.manager.work import Work

ELSEWHERE = UUID(int=0)
"""Stands for whatever pools a host is not in."""
_AT_ONCE = 500
"""Ids in one query; SQLite takes a limited number of parameters."""


def changes_since(
    work: Work, site: BackupServer, known_revision: int
) -> assignment.DirectoryChange | None:
    """What a host that knows `known_revision` has to be told; None when nothing.

    A host that knows a revision from the future (an older database was put back) or none at all
    is told everything.
    """
    current = work.directory_revision()
    if known_revision == current:
        return None
    whole = known_revision == 0 or known_revision > current
    since = 0 if whole else known_revision
    tenants = work.session.scalars(
        select(CloudTenant).where(
            CloudTenant.backup_server_id == site.id, CloudTenant.directory_revision > since
        )
    ).all()
    removed = work.session.scalars(
        select(RemovedTenant.tenant_id).where(
            RemovedTenant.backup_server_id == site.id, RemovedTenant.directory_revision > since
        )
    ).all()
    # Even without anything in it, a change tells the host that it is up to date.
    return assignment.DirectoryChange(
        from_revision=since,
        revision=current,
        tenants=tuple(_entries(work, tenants)),
        removed=() if whole else tuple(removed),
    )


def _entries(work: Work, tenants: Sequence[CloudTenant]) -> Iterator[assignment.Tenant]:
    users: dict[UUID, list[assignment.User]] = defaultdict(list)
    ids = [tenant.id for tenant in tenants]
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        for subtenant in work.session.scalars(
            select(Subtenant).where(Subtenant.tenant_id.in_(some)).order_by(Subtenant.login)
        ):
            users[subtenant.tenant_id].append(_user(subtenant))
    return each_alone(
        tenants,
        lambda tenant: entry(tenant, users.get(tenant.id, ())),
        lambda tenant, _: bare(
            tenant, users.get(tenant.id, ()), (pool.id for pool in tenant.pools)
        ),
    )


def entry(tenant: CloudTenant, users: Iterable[assignment.User] = ()) -> assignment.Tenant:
    """A tenant as gateways know it."""
    return assignment.Tenant(
        tenant_id=tenant.id,
        name=tenant.name,
        password_hash=tenant.password_hash,
        enabled=tenant.enabled,
        expires_at=tenant.expires_at,
        targets=tuple(_targets(tenant)),
        pool_ids=tuple(pool.id for pool in tenant.pools),
        failover_to_others=tenant.failover_to_others,
        users=tuple(users),
        speed_limit_bytes=_speed_limit(tenant),
        concurrent_tunnels=rules.concurrent_tunnels(tenant.max_concurrent_tasks),
        tunnels_end_before=tenant.tunnels_end_before,
    )


def bare(
    tenant: CloudTenant, users: Iterable[assignment.User] = (), pool_ids: Iterable[UUID] = ()
) -> assignment.Tenant:
    """What is enough to end a tenant's tunnels by, or to let them go on, and lets nobody in."""
    return assignment.Tenant(
        tenant_id=tenant.id,
        name=str(tenant.id),
        password_hash="",
        enabled=tenant.enabled,
        expires_at=tenant.expires_at,
        pool_ids=tuple(pool_ids),
        users=tuple(_bare_user(user) for user in users),
        tunnels_end_before=tenant.tunnels_end_before,
    )


def _bare_user(user: assignment.User) -> assignment.User:
    return assignment.User(
        user_id=user.user_id, name=str(user.user_id), password_hash="", enabled=user.enabled
    )


def speed_limits(work: Work, tenant_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Bytes each second of those of the tenants that have a limit."""
    found = {}
    for start in range(0, len(tenant_ids), _AT_ONCE):
        some = tenant_ids[start : start + _AT_ONCE]
        for tenant in work.session.scalars(select(CloudTenant).where(CloudTenant.id.in_(some))):
            limit = _speed_limit(tenant)
            if limit is not None:
                found[tenant.id] = limit
    return found


def _speed_limit(tenant: CloudTenant) -> int | None:
    return rules.speed_limit_bytes(
        enabled=tenant.throttling_enabled,
        limit=tenant.throttling_speed_limit,
        unit=tenant.throttling_speed_unit,
    )


def _user(subtenant: Subtenant) -> assignment.User:
    return assignment.User(
        user_id=subtenant.id,
        name=subtenant.name,
        password_hash=subtenant.password_hash,
        enabled=subtenant.enabled,
        targets=(_target(subtenant.resource.repository),),
    )


def _targets(tenant: CloudTenant) -> Iterable[assignment.Target]:
    """Its repositories, and its backup server's own port."""
    site = tenant.backup_server
    own = hostport.known_as(hostport.join(site.name.lower().rstrip("."), site.port))
    yield assignment.Target(endpoint=own, address=own)
    for resource in tenant.resources:
        repository = resource.repository
        if hostport.known_as(repository.endpoint) != own:
            yield _target(repository)


def _target(repository: Repository) -> assignment.Target:
    return assignment.Target(
        endpoint=hostport.known_as(repository.endpoint),
        address=hostport.known_as(repository.address),
    )
