"""Held-back times: when did tenants get less speed than they would have taken?

Hosts count it, and the registry of their figures keeps it by the hour until the hour is over: one
row for each tenant and hour, whatever number of gateways it is of. A manager that is killed loses
the hour that it was in.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.registries.hosts.held_back_hours import HeldBack, TakenHours
from cloudgate.manager.storage.tables import CloudTenant, HeldBackTime, ManagedServer
from cloudgate.manager.usage.compaction import HOUR, begin_of
from cloudgate.manager.usage.served_tenants import ever_served


@dataclass(frozen=True, kw_only=True)
class HeldBackStretch:
    """For how long a tenant was held back in one stretch of time; gateways add up."""

    begin: datetime
    minutes: int
    """An hour, or a day where no less is kept."""
    limit_seconds: int
    """By the speed that it was sold."""
    share_seconds: int
    """By its part of a gateway that was full."""


def held_back_of(
    work: UnitOfWork, tenant: CloudTenant, since: datetime, unwritten: Mapping[float, HeldBack]
) -> tuple[HeldBackStretch, ...]:
    """When a tenant was held back since a moment, the oldest first; other stretches are left out.

    Args:
        work: what it is read in.
        tenant: whose.
        since: what began before does not count.
        unwritten: of the last hours, what only the registry has, by their beginnings.
    """
    sums: dict[tuple[datetime, int], HeldBack] = defaultdict(HeldBack)
    columns = (HeldBackTime.at, HeldBackTime.minutes)
    seconds = (HeldBackTime.limit_seconds, HeldBackTime.share_seconds)
    kept = select(*columns, *seconds).where(HeldBackTime.tenant_id == tenant.id)
    for at, minutes, limit_seconds, share_seconds in work.session.execute(
        kept.where(HeldBackTime.at >= since)
    ):
        sums[at, minutes].add(limit_seconds, share_seconds)
    for hour, each in unwritten.items():
        begin = datetime.fromtimestamp(hour, UTC)
        if begin >= begin_of(since, HOUR):
            sums[begin, HOUR].add(each.limit_seconds, each.share_seconds)
    found = (
        HeldBackStretch(
            begin=begin,
            minutes=minutes,
            limit_seconds=round(each.limit_seconds),
            share_seconds=round(each.share_seconds),
        )
        for (begin, minutes), each in sorted(sums.items(), key=lambda item: item[0])
    )
    return tuple(each for each in found if each.limit_seconds or each.share_seconds)


def write_held_back(manager: Manager, *, all_of_it: bool = False) -> None:
    """Write down who was held back in the hours that are over, or in all.

    Raises:
        SQLAlchemyError: it cannot be written; it is tried again later.
        UnavailableError: another manager leads.
    """
    now = manager.clock().timestamp()
    before = now if all_of_it else begin_of(manager.clock(), HOUR).timestamp()
    taken = manager.figures.held_back.take(before)
    if not taken:
        return
    try:
        with manager.changing() as work:
            _write(work, taken)
    except BaseException:
        manager.figures.held_back.give_back(taken)
        raise


def _write(work: UnitOfWork, taken: TakenHours) -> None:
    """What hosts cannot know of is left out, and who is not there any more."""
    named: dict[UUID, set[UUID]] = defaultdict(set)
    for tenant_id, hours in taken.items():
        for server_id, _hour in hours:
            named[server_id].add(tenant_id)
    servers = {each: work.session.get(ManagedServer, each) for each in named}
    true = {
        server.id: ever_served(work, server, named[server.id])
        for server in servers.values()
        if server is not None
    }
    there = set(work.session.scalars(select(CloudTenant.id)))
    for tenant_id in taken.keys() & there:
        sums: dict[float, HeldBack] = defaultdict(HeldBack)
        for (server_id, hour), each in taken[tenant_id].items():
            if tenant_id in true.get(server_id, ()):
                sums[hour].add(each.limit_seconds, each.share_seconds)
        for hour, each in sums.items():
            limit_seconds, share_seconds = round(each.limit_seconds), round(each.share_seconds)
            if limit_seconds or share_seconds:
                work.session.add(
                    HeldBackTime(
                        at=datetime.fromtimestamp(hour, UTC),
                        minutes=HOUR,
                        tenant_id=tenant_id,
                        limit_seconds=limit_seconds,
                        share_seconds=share_seconds,
                    )
                )
