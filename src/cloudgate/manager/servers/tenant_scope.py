"""Tenant scope: which tenants may a host know?

A host without the gateway role needs none. One with it needs the tenants of its gateway's pool, or
those that may use gateways in no pool. A tenant that leaves keeps the tunnels it has until their
time is over: the hosts where it may have some know that it is there, and neither its password nor
its targets.

What was is kept, too, as long as hosts may come back with usage from then.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import (
    CloudGateway,
    CloudTenant,
    ManagedServer,
    PoolStay,
    PoolTenant,
)

NO_POOL = UUID(int=0)
"""The gateways that are in no pool count as one."""
MOST_PERIODS = 200
"""As many are kept of a host; the oldest are forgotten."""


LONGEST_DRAIN = timedelta(days=31)
"""No tunnel goes on for longer at a gateway where it may not be (`drainSeconds` in docs/api.md)."""


@dataclass(frozen=True)
class GatewayPoolPeriod:
    """The time that a gateway was in a pool, by revisions of the tenant directory: milliseconds."""

    gateway_id: UUID
    pool_id: UUID
    since: int
    until: int | None = None
    """None while it is."""

    def overlaps(self, stay: "TenantPoolPeriod | None") -> bool:
        """Whether a tenant could come in by the gateway then; `stay`: in the same pool."""
        if stay is None:
            return False
        came_before_the_end = self.until is None or stay.since < self.until
        return came_before_the_end and (stay.until is None or stay.until > self.since)


@dataclass(frozen=True)
class TenantPoolPeriod:
    """The time that a tenant might use a pool, as a `GatewayPoolPeriod`."""

    since: int = 0
    until: int | None = None


@dataclass(frozen=True)
class Scope:
    """What a host may know, as of `revision`."""

    revision: int = 0
    """A host that knows an older directory than this is told all anew."""
    serves: bool = False
    """Whether it has a gateway that is not being removed."""
    pool_id: UUID | None = None
    """Of its gateway, `NO_POOL` included; None without one."""
    periods: tuple[GatewayPoolPeriod, ...] = ()
    """Those of the gateway that it has, the newest last."""

    @property
    def pool_ids(self) -> frozenset[UUID]:
        """All pools that its gateway is or was in."""
        return frozenset(each.pool_id for each in self.periods)

    def may_have_tunnels(self, stays: Mapping[UUID, TenantPoolPeriod]) -> bool:
        """Whether a tenant may have tunnels here; `stays`: in which pools it was and is."""
        return any(each.overlaps(stays.get(each.pool_id)) for each in self.periods)


def scope_of(document: dict[str, Any] | None, now: datetime) -> Scope:
    """What a host may know, from what is kept of it."""
    if not document:
        return Scope()
    gateway = document["gateway"]
    long_ago = int((now - LONGEST_DRAIN).timestamp() * 1000)
    own = [
        each
        for each in document["periods"]
        if gateway and each[0] == gateway and (each[3] is None or each[3] >= long_ago)
    ]
    return Scope(
        revision=document["revision"],
        serves=document["serves"],
        pool_id=_identifier(document["pool"]) if document["pool"] else None,
        periods=tuple(_period(each) for each in own),
    )


def all_periods(server: ManagedServer) -> tuple[GatewayPoolPeriod, ...]:
    """When gateways of a server were in which pools, as far as is kept."""
    return tuple(_period(each) for each in server.scope["periods"]) if server.scope else ()


def pools_of(tenant: CloudTenant) -> frozenset[UUID]:
    """The pools whose gateways a tenant may use, `NO_POOL` included."""
    found = frozenset(pool.id for pool in tenant.pools)
    return found | {NO_POOL} if not found or tenant.failover_to_others else found


def may_use(pool_id: UUID) -> ColumnElement[bool]:
    """The tenants that may use the gateways of a pool, as a condition."""
    if pool_id != NO_POOL:
        return CloudTenant.id.in_(select(PoolTenant.tenant_id).where(PoolTenant.pool_id == pool_id))
    in_some_pool = select(PoolTenant.pool_id).where(PoolTenant.tenant_id == CloudTenant.id)
    return or_(CloudTenant.failover_to_others.is_(True), ~in_some_pool.exists())


def note_moving(
    work: UnitOfWork, tenant_id: UUID, before: Collection[UUID], after: Collection[UUID]
) -> None:
    """A tenant may use other pools than before; none before it is there, none when it is gone."""
    if set(before) == set(after):
        return
    revision = work.next_directory_revision()
    for pool_id in set(before) | set(after):
        stay = work.session.get(PoolStay, (tenant_id, pool_id))
        if stay is None:
            # Whoever was there before stays were kept, was there from the beginning.
            since = 0 if pool_id in before else revision
            stay = PoolStay(tenant_id=tenant_id, pool_id=pool_id, since=since)
            work.session.add(stay)
        if pool_id not in after:
            stay.until = revision
        elif pool_id not in before:
            # Who comes back counts as having been there all the time.
            stay.until = None


def stays_of(
    work: UnitOfWork, tenant_ids: Iterable[UUID], current: Mapping[UUID, Iterable[UUID]]
) -> dict[UUID, dict[UUID, TenantPoolPeriod]]:
    """In which pools tenants were and are; `current`: in which those are that are there."""
    found: dict[UUID, dict[UUID, TenantPoolPeriod]] = {
        tenant_id: dict.fromkeys(pools, TenantPoolPeriod()) for tenant_id, pools in current.items()
    }
    wanted = sorted({*tenant_ids, *found})
    for some in id_batches(wanted):
        for each in work.session.scalars(select(PoolStay).where(PoolStay.tenant_id.in_(some))):
            stay = TenantPoolPeriod(each.since, each.until)
            found.setdefault(each.tenant_id, {})[each.pool_id] = stay
    return found


def review_scope(work: UnitOfWork, server: ManagedServer) -> None:
    """The gateway role of a server may be another than before: see what its host may know now.

    What it may know no more is taken from it, and what it needs is told, before it lets anybody in.
    """
    work.session.flush()
    gateway = work.session.scalar(
        select(CloudGateway).where(CloudGateway.managed_server_id == server.id)
    )
    serves = gateway is not None and not gateway.removing
    pool_id = (gateway.pool_id or NO_POOL) if gateway is not None else None
    known = server.scope or {"periods": [], "gateway": None, "serves": False, "pool": None}
    wanted = {
        "gateway": str(gateway.id) if gateway else None,
        "serves": serves,
        "pool": str(pool_id) if pool_id else None,
    }
    if server.scope is not None and all(known[key] == value for key, value in wanted.items()):
        return
    revision = work.next_directory_revision()
    periods = [[*each[:3], each[3] or revision] for each in known["periods"]]
    if gateway is not None:
        periods.append([str(gateway.id), str(pool_id), revision, None])
    server.scope = {**wanted, "revision": revision, "periods": periods[-MOST_PERIODS:]}
    work.news_for.add(server.id)


def tell_anew(work: UnitOfWork, server: ManagedServer) -> None:
    """Its host is told again of all that it may know, as a host is that was never told."""
    if server.scope is not None:
        server.scope = {**server.scope, "revision": work.next_directory_revision()}
        work.news_for.add(server.id)


def _period(kept: list[Any]) -> GatewayPoolPeriod:
    gateway_id, pool_id, since, until = kept
    return GatewayPoolPeriod(_identifier(gateway_id), _identifier(pool_id), since, until)


@lru_cache(maxsize=65_536)
def _identifier(text: str) -> UUID:
    """Reading thousands of them is most of what a look at all hosts costs."""
    return UUID(text)
