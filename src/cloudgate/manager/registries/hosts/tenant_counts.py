"""Tenant counts: what have all hosts counted of each tenant since this process began?

What a host counted before is not of its time. By the hour it says who was held back.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

from cloudgate.manager.registries.hosts.held_back_hours import (
    HeldBack,
    HeldBackHours,
    parts_by_hour,
)
from cloudgate.protocol import Figures, TenantFigures

WANTED_SECONDS = 15.0
"""How often hosts are to tell."""
MOST_TENANTS = 100_000
"""Of which something is kept, of all hosts together and of each."""


@dataclass
class TenantSums:
    """Of a tenant, over all hosts."""

    tunnels: int = 0
    refused: int = 0
    held_back_seconds: float = 0.0


@dataclass
class _CountingHost:
    """What a host has counted, as it said last."""

    run: str
    at_seconds: float
    tenants: dict[UUID, TenantFigures] = field(default_factory=dict)


class TenantCounts:
    """Adds up what hosts count over their restarts. May be used from any thread."""

    def __init__(self, began_seconds: float, held_back: HeldBackHours) -> None:
        """It begins with nothing.

        Args:
            began_seconds: when this process began to count, by a clock that only goes forward.
            held_back: gets to know in which hours tenants were held back.
        """
        self._began_seconds = began_seconds
        self._hours = held_back
        self._lock = Lock()
        self._hosts: dict[UUID, _CountingHost] = {}
        self._refused: dict[UUID, int] = defaultdict(int)
        self._held_back_seconds: dict[UUID, float] = defaultdict(float)

    def sums(self) -> Mapping[UUID, TenantSums]:
        """What was counted of each tenant, of those of which anything was."""
        with self._lock:
            found: dict[UUID, TenantSums] = defaultdict(TenantSums)
            for host in self._hosts.values():
                for tenant_id, each in host.tenants.items():
                    found[tenant_id].tunnels += each.tunnels
            for tenant_id, refused in self._refused.items():
                found[tenant_id].refused = refused
            for tenant_id, seconds in self._held_back_seconds.items():
                found[tenant_id].held_back_seconds = seconds
            return found

    def with_live_tunnels(self, tenant_id: UUID) -> dict[UUID, bool]:
        """Whether servers had live tunnels of a tenant, as they last said; of those that did."""
        with self._lock:
            return {
                server_id: tenant_id in host.tenants and host.tenants[tenant_id].tunnels > 0
                for server_id, host in self._hosts.items()
            }

    def are_of(self, server_id: UUID, tenant_ids: Iterable[UUID]) -> bool:
        """Whether a host has told of all these before, since its service began."""
        with self._lock:
            host = self._hosts.get(server_id)
            return all(host is not None and each in host.tenants for each in tenant_ids)

    def forget(self, server_id: UUID) -> None:
        """The host has counted nothing; what it had is in the sums."""
        with self._lock:
            self._hosts.pop(server_id, None)

    def count(self, server_id: UUID, figures: Figures, now_seconds: float, wall: float) -> None:
        """A host says what it has counted.

        Args:
            server_id: the managed server.
            figures: what it says.
            now_seconds: by the clock of `began_seconds`.
            wall: the time, in seconds since 1970.
        """
        with self._lock:
            self._count(server_id, figures, now_seconds, wall)

    def _count(self, server_id: UUID, figures: Figures, now: float, wall: float) -> None:
        known = self._hosts.get(server_id)
        is_same_run = known is not None and known.run == figures.run
        waited = now - known.at_seconds if known and is_same_run else figures.uptime_seconds
        host = known if known and is_same_run else _CountingHost(figures.run, now)
        host.at_seconds = now
        self._hosts[server_id] = host
        # A host that has counted for longer than this process runs counts from here on.
        counts_all = known is not None or figures.uptime_seconds < now - self._began_seconds
        hours = parts_by_hour(wall - waited, wall)
        for each in figures.tenants:
            if not self._has_room(host, each.tenant_id):
                continue
            before = host.tenants.get(each.tenant_id) or _none_of(each.tenant_id)
            if each.tenant_id in host.tenants or counts_all:
                self._refused[each.tenant_id] += max(0, each.refused - before.refused)
                held = max(0.0, each.held_back_seconds - before.held_back_seconds)
                self._held_back_seconds[each.tenant_id] += held
                # No longer than the time, but for how unevenly messages travel.
                held = min(held, waited + WANTED_SECONDS)
                more = each.held_back_by_share_seconds - before.held_back_by_share_seconds
                share = min(held, max(0.0, more))
                if held:
                    time = HeldBack(held - share, share)
                    self._hours.add(each.tenant_id, server_id, hours, time)
            host.tenants[each.tenant_id] = each

    def _has_room(self, host: _CountingHost, tenant_id: UUID) -> bool:
        return all(
            tenant_id in kept or len(kept) < MOST_TENANTS
            for kept in (host.tenants, self._refused, self._held_back_seconds)
        )


def _none_of(tenant_id: UUID) -> TenantFigures:
    return TenantFigures(tenant_id=tenant_id, tunnels=0, refused=0, held_back_seconds=0.0)
