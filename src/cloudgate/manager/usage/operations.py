"""Usage operations: how is what tenants used counted and kept?

Minutes are kept for two days, then hours for three months, then days for ever.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select

from cloudgate import protocol
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import gateway_of
from cloudgate.manager.storage.tables import CloudTenant, ManagedServer, Usage
from cloudgate.manager.tenants import egress
from cloudgate.manager.usage.billable import Billable
from cloudgate.manager.usage.plausible import LineCapacity, impossible_time, moment_of
from cloudgate.manager.usage.totals import UsageIncrement, add_to_totals
from cloudgate.protocol import UsageBatch

MINUTE, HOUR, DAY = 1, 60, 24 * 60
"""The stretches, in minutes."""
KEPT = {MINUTE: timedelta(days=2), HOUR: timedelta(days=90)}
"""How long each stretch is kept before it becomes part of the next longer one."""
_LONGER = {MINUTE: HOUR, HOUR: DAY}
_AT_ONCE = 5000


@dataclass
class Refused:
    """Lines of usage that are not counted."""

    lines: int = 0
    tunnels: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    reason: str = ""
    """Of the first of them."""

    def add(self, usage: protocol.Usage, reason: str) -> None:
        """One more."""
        self.reason = self.reason or f"{reason} (tenant {usage.tenant_id})"
        self.lines += 1
        self.tunnels += usage.tunnels
        self.bytes_up += usage.bytes_up
        self.bytes_down += usage.bytes_down

    def told(self, batch: UsageBatch) -> str:
        """In words, for the operator; empty when all were counted."""
        if not self.lines:
            return ""
        return (
            f"Of {len(batch.usage)} lines of usage, {self.lines} are not counted ({self.tunnels}"
            f" tunnels, {self.bytes_up} bytes up, {self.bytes_down} down): of the first,"
            f" {self.reason}. The others are."
        )


def take_usage(work: UnitOfWork, server: ManagedServer, batch: UsageBatch) -> str:
    """Count a batch, once. What is not counted of it, and why; empty when all was.

    The lines that can be are counted also where others cannot: an honest host would not get rid of
    them otherwise, nor of what comes after them.
    """
    if batch.batch == server.usage_batch:
        return ""
    server.usage_batch = batch.batch
    gateway = gateway_of(work, server)
    whose = Billable(work, server, batch.usage)
    line = LineCapacity(server.usage_told_until or _first(work, batch), work.now)
    refused = Refused()
    last: dict[UUID, datetime] = {}
    brought_back: dict[UUID, int] = defaultdict(int)
    month = egress.begin_of(egress.month_of(work.now))
    more: dict[UUID, UsageIncrement] = {}
    for each in batch.usage:
        reason = impossible_time(each, work.now) or whose.why_not(each)
        if not reason and not line.carries(each):
            reason = "it is more than a line can have carried since what was told before"
        if reason:
            refused.add(each, reason)
            continue
        at = moment_of(each, work.now)
        work.session.add(
            Usage(
                at=at,
                minutes=MINUTE,
                tenant_id=each.tenant_id,
                subtenant_id=each.user_id,
                managed_server_id=server.id,
                gateway_name=gateway.name if gateway else server.name,
                target=each.target,
                tunnels=each.tunnels,
                bytes_up=each.bytes_up,
                bytes_down=each.bytes_down,
            )
        )
        if at >= month:
            brought_back[each.tenant_id] += each.bytes_down
        last[each.tenant_id] = max(at, last.get(each.tenant_id, at))
        total = more.setdefault(each.tenant_id, UsageIncrement(at))
        total.at = last[each.tenant_id]
        total.tunnels += each.tunnels
        total.bytes_up += each.bytes_up
        total.bytes_down += each.bytes_down
    add_to_totals(work, more)
    for tenant_id, moment in last.items():
        tenant = work.session.get(CloudTenant, tenant_id)
        if tenant is not None and (tenant.last_active_at is None or tenant.last_active_at < moment):
            tenant.last_active_at = moment
        if tenant is not None and brought_back[tenant_id]:
            egress.count(work, tenant, brought_back[tenant_id])
    if last:
        line.told(max(last.values()))
    server.usage_told_until = line.told_until
    return refused.told(batch)


def _first(work: UnitOfWork, batch: UsageBatch) -> datetime:
    """The oldest minute of a batch that can be, of a host that has not told anything before."""
    possible = (each.minute for each in batch.usage if not impossible_time(each, work.now))
    return min((*possible, work.now))


def compact_usage(work: UnitOfWork) -> bool:
    """Put old minutes together to hours, and old hours to days. Whether there may be more."""
    more = False
    for minutes, kept in KEPT.items():
        old = work.session.scalars(
            select(Usage)
            .where(Usage.minutes == minutes, Usage.at < _begin(work.now - kept, _LONGER[minutes]))
            .order_by(Usage.at)
            .limit(_AT_ONCE)
        ).all()
        more = more or len(old) == _AT_ONCE
        for some in _together(old, _LONGER[minutes]).values():
            first = some[0]
            work.session.add(
                Usage(
                    at=_begin(first.at, _LONGER[minutes]),
                    minutes=_LONGER[minutes],
                    tenant_id=first.tenant_id,
                    subtenant_id=first.subtenant_id,
                    managed_server_id=first.managed_server_id,
                    gateway_name=first.gateway_name,
                    target=first.target,
                    tunnels=sum(each.tunnels for each in some),
                    bytes_up=sum(each.bytes_up for each in some),
                    bytes_down=sum(each.bytes_down for each in some),
                )
            )
        if old:
            numbers = [each.number for each in old]
            for start in range(0, len(numbers), 500):
                part = numbers[start : start + 500]
                work.session.execute(delete(Usage).where(Usage.number.in_(part)))
    return more


_Key = tuple[datetime, UUID, UUID | None, UUID, str, str]


def _together(old: Sequence[Usage], minutes: int) -> dict[_Key, list[Usage]]:
    found: dict[_Key, list[Usage]] = defaultdict(list)
    for each in old:
        key = (
            _begin(each.at, minutes),
            each.tenant_id,
            each.subtenant_id,
            each.managed_server_id,
            each.gateway_name,
            each.target,
        )
        found[key].append(each)
    return found


def _begin(moment: datetime, minutes: int) -> datetime:
    """The beginning of the stretch that a moment is in."""
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole.replace(hour=0) if minutes == DAY else whole
