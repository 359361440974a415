"""Tenant feed: what must a gateway know of the tenants of its site?

Of those that it may let in, all; of others that may have tunnels there, what ends these.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select

from cloudgate import protocol
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.fault_isolation import each_alone
from cloudgate.manager.quotas.operations import host_fields
from cloudgate.manager.servers.tenant_scope import (
    NO_POOL,
    Scope,
    TenantPoolPeriod,
    may_use,
    pools_of,
    stays_of,
)
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import (
    CloudTenant,
    PoolStay,
    RemovedTenant,
    Subtenant,
    TenantResource,
)
from cloudgate.manager.tenants import certificates, egress, limits, passwords
from cloudgate.network import hostport

ELSEWHERE = UUID(int=0)
"""Stands for whatever pools a host is not in."""


@dataclass(frozen=True)
class DirectoryQuery:
    """What some hosts have to be told: all that are alike in this are told of the same tenants."""

    site_id: UUID
    serves: bool
    pool_id: UUID | None
    pool_ids: frozenset[UUID]
    known_revision: int
    """0 for hosts that are told everything."""


@dataclass(frozen=True)
class _Candidate:
    """A tenant that may not come in, and may have tunnels that its gateways know of."""

    tenant: protocol.Tenant
    """Bare."""
    stays: Mapping[UUID, TenantPoolPeriod]


@dataclass(frozen=True)
class TenantFeed:
    """What there is to tell hosts that are alike, before it is told to each."""

    same_for_all: protocol.DirectoryChange
    """Of the tenants that may come in."""
    others: tuple[_Candidate, ...] = ()
    removed: tuple[tuple[UUID, Mapping[UUID, TenantPoolPeriod]], ...] = ()

    def for_host(self, scope: Scope) -> protocol.DirectoryChange:
        """What one of these hosts is told."""
        bare = [each.tenant for each in self.others if scope.may_have_tunnels(each.stays)]
        gone = [
            tenant_id
            for tenant_id, stays in self.removed
            if not stays or scope.may_have_tunnels(stays)
        ]
        if not bare and not gone:
            return self.same_for_all
        tenants = (*self.same_for_all.tenants, *bare)
        return self.same_for_all.model_copy(update={"tenants": tenants, "removed": tuple(gone)})


def question_of(
    site_id: UUID, scope: Scope, known_revision: int, current: int
) -> DirectoryQuery | None:
    """What has to be looked up for a host; None when it knows the `current` revision.

    A host that knows a revision from the future (an older database was put back), from before the
    last change of what it may know, or none at all is told everything.
    """
    if known_revision == current:
        return None
    whole = known_revision < scope.revision or known_revision > current
    return DirectoryQuery(
        site_id=site_id,
        serves=scope.serves,
        pool_id=scope.pool_id,
        pool_ids=scope.pool_ids,
        known_revision=0 if whole else known_revision,
    )


def question_as_known(work: UnitOfWork, question: DirectoryQuery) -> DirectoryQuery:
    """The same question, if there was the revision that it names.

    Those that know one that there never was are told everything: an older database was put back,
    and has gone on since.
    """
    if not question.known_revision or work.knows_directory_revision(question.known_revision):
        return question
    return replace(question, known_revision=0)


def look_up(work: UnitOfWork, question: DirectoryQuery, as_of: int) -> TenantFeed:
    """What has changed for hosts that are alike, by a question as `question_as_known` has it.

    `as_of`: the newest revision when the question was found. No later one is told, whatever has
    changed since: that may have given these hosts another scope, and so other tenants.
    """
    since = question.known_revision
    if question.pool_id is None:
        tenants: Sequence[CloudTenant] = ()
        removed: Sequence[UUID] = ()
    else:
        tenants = _candidates(work, question)
        removed = _removed(work, question) if since else ()
    let_in = [each for each in tenants if question.serves and question.pool_id in pools_of(each)]
    known = {each.id for each in let_in}
    others = [each for each in tenants if each.id not in known]
    stays = stays_of(work, removed, {each.id: pools_of(each) for each in others})
    # Even without anything in it, a change tells the host that it is up to date.
    change = protocol.DirectoryChange(
        from_revision=since,
        revision=min(as_of, work.directory_revision()),
        tenants=tuple(_entries(work, let_in, to_message)),
    )
    return TenantFeed(
        change,
        tuple(
            _Candidate(told, stays[each.id])
            for each, told in zip(others, _entries(work, others, _as_other(question)), strict=True)
        ),
        tuple((each, stays.get(each, {})) for each in removed),
    )


def _candidates(work: UnitOfWork, question: DirectoryQuery) -> Sequence[CloudTenant]:
    stayed = select(PoolStay.tenant_id).where(PoolStay.pool_id.in_(question.pool_ids))
    return work.session.scalars(
        select(CloudTenant).where(
            CloudTenant.backup_server_id == question.site_id,
            CloudTenant.directory_revision > question.known_revision,
            or_(
                *(may_use(pool_id) for pool_id in question.pool_ids),
                CloudTenant.id.in_(stayed),
            ),
        )
    ).all()


def _removed(work: UnitOfWork, question: DirectoryQuery) -> Sequence[UUID]:
    return work.session.scalars(
        select(RemovedTenant.tenant_id).where(
            RemovedTenant.backup_server_id == question.site_id,
            RemovedTenant.directory_revision > question.known_revision,
        )
    ).all()


_Make = Callable[[CloudTenant, Sequence[protocol.User]], protocol.Tenant]


def _entries(
    work: UnitOfWork, tenants: Sequence[CloudTenant], make: _Make
) -> Iterator[protocol.Tenant]:
    users: dict[UUID, list[protocol.User]] = defaultdict(list)
    ids = [tenant.id for tenant in tenants]
    for some in id_batches(ids):
        for subtenant in work.session.scalars(
            select(Subtenant).where(Subtenant.tenant_id.in_(some)).order_by(Subtenant.login)
        ):
            users[subtenant.tenant_id].append(_user(subtenant))
    ended = certificates.ended_by_tenant(work, ids)
    found = each_alone(
        tenants,
        lambda tenant: make(tenant, users.get(tenant.id, ())),
        lambda tenant, _: bare(
            tenant, users.get(tenant.id, ()), (pool.id for pool in tenant.pools)
        ),
    )
    for each in found:
        theirs = ended.get(each.tenant_id)
        yield each.model_copy(update={"ended_certificates": tuple(theirs)}) if theirs else each


def _as_other(question: DirectoryQuery) -> _Make:
    """Tells of tenants who may not come in, and whether they may stay that are in already."""

    def make(tenant: CloudTenant, users: Sequence[protocol.User]) -> protocol.Tenant:
        if question.serves and question.pool_id != NO_POOL:
            return bare(tenant, users)  # no pool: not this gateway's
        # A host whose gateway is being removed knows of no pool any more.
        is_at_home = question.pool_id in pools_of(tenant)
        return bare(tenant, users, () if is_at_home else (ELSEWHERE,))

    return make


def to_message(tenant: CloudTenant, users: Iterable[protocol.User] = ()) -> protocol.Tenant:
    """A tenant as gateways know it."""
    return protocol.Tenant(
        tenant_id=tenant.id,
        name=tenant.name,
        password_hash=tenant.password_hash,
        enabled=tenant.enabled,
        expires_at=tenant.expires_at,
        targets=tuple(_targets(tenant)),
        pool_ids=tuple(pool.id for pool in tenant.pools),
        failover_to_others=tenant.failover_to_others,
        users=tuple(users),
        **_ends(tenant),
        **_origin(tenant),
        **passwords.host_fields(tenant),
        **egress.host_fields(tenant),
        **limits.from_document(tenant.limits).to_message.model_dump(),
    )


def bare(
    tenant: CloudTenant, users: Iterable[protocol.User] = (), pool_ids: Iterable[UUID] = ()
) -> protocol.Tenant:
    """What is enough to end a tenant's tunnels by, or to let them go on, and lets nobody in."""
    return protocol.Tenant(
        tenant_id=tenant.id,
        name=str(tenant.id),
        password_hash="",
        enabled=tenant.enabled,
        expires_at=tenant.expires_at,
        pool_ids=tuple(pool_ids),
        users=tuple(_bare_user(user) for user in users),
        **_ends(tenant),
        **_origin(tenant),
    )


def _ends(tenant: CloudTenant) -> dict[str, Any]:
    """Which of its tunnels are to end. Hosts of the release before end all where some are to."""
    of_all = tenant.tunnels_end_before
    ended = [
        protocol.EndedTarget(endpoint=endpoint, before=datetime.fromisoformat(moment))
        for endpoint, moment in tenant.target_ends.items()
    ]
    if not ended:
        return {"tunnels_end_before": of_all}
    return {
        "tunnels_end_before": max([*(each.before for each in ended), *filter(None, [of_all])]),
        "ended_targets": tuple(ended),
        "all_end_before": of_all,
    }


def _origin(who: CloudTenant | Subtenant) -> dict[str, Any]:
    """Where it may come from. Hosts of the release before let it come from anywhere."""
    return {
        "networks": None if who.networks is None else tuple(who.networks),
        "outside_end_before": who.outside_end_before,
    }


def _bare_user(user: protocol.User) -> protocol.User:
    bared = {"name": str(user.user_id), "targets": (), "password_hash": "", "old_password_hash": ""}
    return user.model_copy(update=bared)


def speed_limits(work: UnitOfWork, tenant_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Bytes each second of those of the tenants that have a limit."""
    found = {}
    for some in id_batches(tenant_ids):
        for tenant in work.session.scalars(select(CloudTenant).where(CloudTenant.id.in_(some))):
            limit = limits.from_document(tenant.limits).speed_limit_bytes
            if limit is not None:
                found[tenant.id] = limit
    return found


def tunnel_limits(
    work: UnitOfWork, backup_server_id: UUID, tenant_ids: Sequence[UUID]
) -> dict[UUID, int]:
    """Tunnels at a time of those of a site's tenants that have a limit."""
    found = {}
    for some in id_batches(tenant_ids):
        for tenant_id, kept in work.session.execute(
            select(CloudTenant.id, CloudTenant.limits).where(
                CloudTenant.id.in_(some), CloudTenant.backup_server_id == backup_server_id
            )
        ):
            limit = limits.from_document(kept).concurrent_tunnels
            if limit is not None:
                found[tenant_id] = limit
    return found


def _user(subtenant: Subtenant) -> protocol.User:
    return protocol.User(
        user_id=subtenant.id,
        name=subtenant.name,
        password_hash=subtenant.password_hash,
        enabled=subtenant.enabled,
        targets=(_target(subtenant.resource),),
        tunnels_end_before=subtenant.tunnels_end_before,
        **_origin(subtenant),
        **passwords.host_fields(subtenant),
    )


def _targets(tenant: CloudTenant) -> Iterable[protocol.Target]:
    """Its repositories, and its backup server's own port."""
    site = tenant.backup_server
    own = hostport.known_as(hostport.join(site.name.lower().rstrip("."), site.port))
    yield protocol.Target(endpoint=own, address=own)
    for resource in tenant.resources:
        repository = resource.repository
        if hostport.known_as(repository.endpoint) != own:
            yield _target(resource)


def _target(resource: TenantResource) -> protocol.Target:
    return protocol.Target(
        endpoint=hostport.known_as(resource.repository.endpoint),
        address=hostport.known_as(resource.repository.address),
        **host_fields(resource),
    )
