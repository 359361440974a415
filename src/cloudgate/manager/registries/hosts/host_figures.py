"""Host figures: what has each host counted, as it last said? Kept in memory alone.

Of tenants it adds up what all hosts have counted since this process began: what a host counted
before is not of its time. By the hour it says who was held back, until somebody writes that down.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from uuid import UUID

from cloudgate.monitoring.gateway_lines import begun_at
from cloudgate.protocol import TOLD_ONCE, Figures, Report, TenantFigures

WANTED_SECONDS = 15.0
"""How often hosts are to tell."""
MOST_TENANTS = 100_000
"""Of which something is kept, of all hosts together and of each: a host may name what it likes."""
HOUR_SECONDS = 3600.0
LONGEST_UNHEARD_SECONDS = 24 * HOUR_SECONDS
"""What a host that was not heard for longer has counted meanwhile is of so long a time at most."""


@dataclass(frozen=True)
class LatestFigures:
    """What a host said last."""

    figures: Figures
    at_seconds: float
    """When, by the monotonic clock."""
    began_at: float
    """When its host service began, in seconds since 1970; the same as long as that one runs."""


@dataclass
class TenantSums:
    """Of a tenant, over all hosts."""

    tunnels: int = 0
    refused: int = 0
    held_back_seconds: float = 0.0


@dataclass
class HeldBack:
    """For how long somebody got less speed than they would have taken, and by what."""

    limit_seconds: float = 0.0
    share_seconds: float = 0.0

    def add(self, limit_seconds: float, share_seconds: float) -> None:
        """For so much longer."""
        self.limit_seconds += limit_seconds
        self.share_seconds += share_seconds


HeldBackHours = dict[UUID, dict[tuple[UUID, float], HeldBack]]
"""By tenant, and then by server and when the hour began, in seconds since 1970."""


def parts_by_hour(since: float, until: float) -> list[tuple[float, float]]:
    """The hours that a time lies in, and which part of it lies in each. Pure."""
    since = max(since, until - LONGEST_UNHEARD_SECONDS)
    hour = until // HOUR_SECONDS * HOUR_SECONDS
    if since >= hour:
        return [(hour, 1.0)]
    found, end = [], until
    while end > since:
        hour = (end - 1e-6) // HOUR_SECONDS * HOUR_SECONDS
        found.append((hour, (end - max(hour, since)) / (until - since)))
        end = hour
    return found


@dataclass
class _Host:
    run: str = ""
    report: Report | None = None
    heard: LatestFigures | None = None
    tenants: dict[UUID, TenantFigures] = field(default_factory=dict)


class HostFiguresRegistry:
    """What hosts have counted. May be used from any thread."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._began_seconds = clock_seconds()
        self._lock = Lock()
        self._hosts: dict[UUID, _Host] = defaultdict(_Host)
        self._refused: dict[UUID, int] = defaultdict(int)
        self._held_back: dict[UUID, float] = defaultdict(float)
        self._by_hour: HeldBackHours = {}
        self._hours_kept = 0
        self.on_heard: Callable[[UUID, LatestFigures], None] = lambda *_: None
        """Called with what a host has just said, in the thread that it was heard in."""

    def is_repeated(self, server_id: UUID, report: Report) -> bool:
        """Whether a host says nothing but what it said before, besides figures."""
        if report.facts is not None or any(getattr(report, name) for name in TOLD_ONCE):
            return False
        with self._lock:
            known = self._hosts.get(server_id)
            return known is not None and known.report == _without_figures(report)

    def keep(self, server_id: UUID, report: Report, now: datetime) -> None:
        """What a host has said was dealt with."""
        with self._lock:
            host = self._hosts[server_id]
            host.report = _without_figures(report)
            if report.figures is not None:
                self._take(server_id, host, report.figures, now.timestamp())
            heard = host.heard
        if report.figures is not None and heard is not None:
            self.on_heard(server_id, heard)

    def has_reported(self, server_id: UUID) -> bool:
        """Whether this manager has heard, since it began, how a host is."""
        with self._lock:
            known = self._hosts.get(server_id)
            return known is not None and known.report is not None

    def forget(self, server_id: UUID) -> None:
        """The host has no business here any more, or has to be heard anew."""
        with self._lock:
            self._hosts.pop(server_id, None)

    def latest(self) -> Mapping[UUID, LatestFigures]:
        """What each host said last."""
        with self._lock:
            return {key: each.heard for key, each in self._hosts.items() if each.heard}

    @property
    def now_seconds(self) -> float:
        """The time by the clock of `LatestFigures.at_seconds`."""
        return self._clock_seconds()

    def tenants(self) -> Mapping[UUID, TenantSums]:
        """What was counted of each tenant, of those of which anything was."""
        with self._lock:
            found: dict[UUID, TenantSums] = defaultdict(TenantSums)
            for host in self._hosts.values():
                for tenant_id, each in host.tenants.items():
                    found[tenant_id].tunnels += each.tunnels
            for tenant_id, refused in self._refused.items():
                found[tenant_id].refused = refused
            for tenant_id, seconds in self._held_back.items():
                found[tenant_id].held_back_seconds = seconds
            return found

    def carrying(self, tenant_id: UUID) -> dict[UUID, bool]:
        """Whether servers had live tunnels of a tenant, as they last said; of those that did."""
        with self._lock:
            return {
                server_id: tenant_id in host.tenants and host.tenants[tenant_id].tunnels > 0
                for server_id, host in self._hosts.items()
                if host.heard is not None
            }

    def held_back(self, tenant_id: UUID) -> Mapping[float, HeldBack]:
        """When a tenant was held back, by the beginning of each hour that nobody has taken yet."""
        found: dict[float, HeldBack] = defaultdict(HeldBack)
        with self._lock:
            for (_server_id, hour), each in self._by_hour.get(tenant_id, {}).items():
                found[hour].add(each.limit_seconds, each.share_seconds)
        return found

    def take_held_back(self, before: float) -> HeldBackHours:
        """Who was held back in the hours that began before then: to be written down once."""
        taken: HeldBackHours = {}
        with self._lock:
            for tenant_id, hours in list(self._by_hour.items()):
                due = {key: each for key, each in hours.items() if key[1] < before}
                if due:
                    taken[tenant_id] = due
                    self._by_hour[tenant_id] = {key: hours[key] for key in hours.keys() - due}
                    self._hours_kept -= len(due)
                if not self._by_hour[tenant_id]:
                    del self._by_hour[tenant_id]
        return taken

    def give_back(self, taken: HeldBackHours) -> None:
        """It was not written down after all."""
        with self._lock:
            for tenant_id, hours in taken.items():
                for (server_id, hour), each in hours.items():
                    self._note(tenant_id, server_id, hour, each)

    def _note(self, tenant_id: UUID, server_id: UUID, hour: float, more: HeldBack) -> None:
        hours, key = self._by_hour.get(tenant_id, {}), (server_id, hour)
        if key not in hours:
            if self._hours_kept >= MOST_TENANTS:
                return
            self._hours_kept += 1
            hours = self._by_hour.setdefault(tenant_id, hours)
        hours.setdefault(key, HeldBack()).add(more.limit_seconds, more.share_seconds)

    def _has_room(self, host: _Host, tenant_id: UUID) -> bool:
        return all(
            tenant_id in kept or len(kept) < MOST_TENANTS
            for kept in (host.tenants, self._refused, self._held_back)
        )

    def _take(self, server_id: UUID, host: _Host, figures: Figures, wall: float) -> None:
        now = self._clock_seconds()
        began_here = figures.uptime_seconds < now - self._began_seconds
        is_first = not host.run
        said = host.heard if figures.run == host.run else None
        waited = now - said.at_seconds if said is not None else figures.uptime_seconds
        if figures.run != host.run:
            host.run, host.tenants = figures.run, {}
        # A host that has counted for longer than this process runs counts from here on.
        counts_all = not is_first or began_here
        hours = parts_by_hour(wall - waited, wall)
        for each in figures.tenants:
            if not self._has_room(host, each.tenant_id):
                continue
            before = host.tenants.get(each.tenant_id) or _none_of(each.tenant_id)
            if each.tenant_id in host.tenants or counts_all:
                self._refused[each.tenant_id] += max(0, each.refused - before.refused)
                held = max(0.0, each.held_back_seconds - before.held_back_seconds)
                self._held_back[each.tenant_id] += held
                # No longer than the time, but for how unevenly messages travel.
                held = min(held, waited + WANTED_SECONDS)
                more = each.held_back_by_share_seconds - before.held_back_by_share_seconds
                share = min(held, max(0.0, more))
                for hour, part in hours if held else ():
                    by_both = HeldBack((held - share) * part, share * part)
                    self._note(each.tenant_id, server_id, hour, by_both)
            host.tenants[each.tenant_id] = each
        known = said.began_at if said is not None else None
        began_at = begun_at(wall, figures.uptime_seconds, known)
        host.heard = LatestFigures(figures.model_copy(update={"tenants": ()}), now, began_at)


def _none_of(tenant_id: UUID) -> TenantFigures:
    return TenantFigures(tenant_id=tenant_id, tunnels=0, refused=0, held_back_seconds=0.0)


def _without_figures(report: Report) -> Report:
    return report.model_copy(
        update={"figures": None, "facts": None, **dict.fromkeys(TOLD_ONCE, ())}
    )
