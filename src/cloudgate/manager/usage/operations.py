"""Usage operations: how is what tenants used counted?"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cloudgate import protocol
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import gateway_of
from cloudgate.manager.storage.tables import CloudTenant, ManagedServer, Usage
from cloudgate.manager.tenants import egress
from cloudgate.manager.usage.compaction import MINUTE
from cloudgate.manager.usage.counted_batches import is_first_copy
from cloudgate.manager.usage.plausibility import LineCapacity, impossible_time, moment_of
from cloudgate.manager.usage.served_tenants import ServedTenants
from cloudgate.manager.usage.totals import UsageIncrement, add_to_totals
from cloudgate.protocol import UsageBatch
from cloudgate.values import months


@dataclass
class RefusedUsage:
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

    def describe(self, batch: UsageBatch) -> str:
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
    if not is_first_copy(work, server, batch.batch):
        return ""
    gateway = gateway_of(work, server)
    whose = ServedTenants(work, server, batch.usage)
    line = LineCapacity(server.usage_told_until or _first(work, batch), work.now)
    refused = RefusedUsage()
    month = months.begin_of(months.month_of(work.now))
    more: dict[UUID, UsageIncrement] = {}
    brought_back: dict[UUID, int] = defaultdict(int)
    for each in batch.usage:
        reason = impossible_time(each, work.now) or whose.why_not(each)
        if not reason and not line.carries(each):
            reason = "it is more than a line can have carried since what was told before"
        if reason:
            refused.add(each, reason)
            continue
        at = moment_of(each, work.now)
        work.session.add(_row(each, at, server, gateway.name if gateway else server.name))
        more.setdefault(each.tenant_id, UsageIncrement(at)).add(each, at)
        if at >= month:
            brought_back[each.tenant_id] += each.bytes_down
    add_to_totals(work, more)
    _note_activity(work, more, brought_back)
    if more:
        line.forget_before(max(added.at for added in more.values()))
    server.usage_told_until = line.told_until
    return refused.describe(batch)


def _note_activity(
    work: UnitOfWork,
    more: Mapping[UUID, UsageIncrement],
    brought_back: Mapping[UUID, int],
) -> None:
    """See when tenants were last active, and count in bytes what they brought back this month."""
    for tenant_id, added in more.items():
        tenant = work.session.get(CloudTenant, tenant_id)
        if tenant is None:
            continue
        if tenant.last_active_at is None or tenant.last_active_at < added.at:
            tenant.last_active_at = added.at
        if brought_back[tenant_id]:
            egress.count(work, tenant, brought_back[tenant_id])


def _row(each: protocol.Usage, at: datetime, server: ManagedServer, gateway_name: str) -> Usage:
    return Usage(
        at=at,
        minutes=MINUTE,
        tenant_id=each.tenant_id,
        subtenant_id=each.user_id,
        managed_server_id=server.id,
        gateway_name=gateway_name,
        target=each.target,
        tunnels=each.tunnels,
        bytes_up=each.bytes_up,
        bytes_down=each.bytes_down,
    )


def _first(work: UnitOfWork, batch: UsageBatch) -> datetime:
    """The oldest minute of a batch that can be, of a host that has not told anything before."""
    possible = (each.minute for each in batch.usage if not impossible_time(each, work.now))
    return min((*possible, work.now))
