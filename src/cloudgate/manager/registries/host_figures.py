"""Host figures: what has each host counted, as it last said? Kept in memory alone.

Of tenants it adds up what all hosts have counted since this process began: what a host counted
before is not of its time.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

from cloudgate.monitoring.gateway_lines import begun_at
from cloudgate.protocol import TOLD_ONCE, Figures, Report, TenantFigures

WANTED_SECONDS = 15.0
"""How often hosts are to tell."""
MOST_TENANTS = 100_000
"""Of which something is kept, of all hosts together and of each: a host may name what it likes."""


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
class _Host:
    run: str = ""
    report: Report | None = None
    heard: LatestFigures | None = None
    tenants: dict[UUID, TenantFigures] = field(default_factory=dict)


class HostFiguresRegistry:
    """What hosts have counted. May be used from any thread."""

    def __init__(
        self,
        clock_seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clock_seconds = clock_seconds
        self._now = now
        self._began_seconds = clock_seconds()
        self._lock = Lock()
        self._hosts: dict[UUID, _Host] = defaultdict(_Host)
        self._refused: dict[UUID, int] = defaultdict(int)
        self._held_back: dict[UUID, float] = defaultdict(float)
        self.on_heard: Callable[[UUID, LatestFigures], None] = lambda *_: None
        """Called with what a host has just said, in the thread that it was heard in."""

    def is_repeated(self, server_id: UUID, report: Report) -> bool:
        """Whether a host says nothing but what it said before, besides figures."""
        if report.facts is not None or any(getattr(report, name) for name in TOLD_ONCE):
            return False
        with self._lock:
            known = self._hosts.get(server_id)
            return known is not None and known.report == _without_figures(report)

    def keep(self, server_id: UUID, report: Report) -> None:
        """What a host has said was dealt with."""
        with self._lock:
            host = self._hosts[server_id]
            host.report = _without_figures(report)
            if report.figures is not None:
                self._take(host, report.figures)
            heard = host.heard
        if report.figures is not None and heard is not None:
            self.on_heard(server_id, heard)

    def forget(self, server_id: UUID) -> None:
        """The host has no business here any more, or has to be heard anew."""
        with self._lock:
            self._hosts.pop(server_id, None)

    def heard(self) -> Mapping[UUID, LatestFigures]:
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

    def _has_room(self, host: _Host, tenant_id: UUID) -> bool:
        return all(
            tenant_id in kept or len(kept) < MOST_TENANTS
            for kept in (host.tenants, self._refused, self._held_back)
        )

    def _take(self, host: _Host, figures: Figures) -> None:
        now = self._clock_seconds()
        began_here = figures.uptime_seconds < now - self._began_seconds
        is_first = not host.run
        if figures.run != host.run:
            host.run, host.tenants = figures.run, {}
        # A host that has counted for longer than this process runs counts from here on.
        counts_all = not is_first or began_here
        for each in figures.tenants:
            if not self._has_room(host, each.tenant_id):
                continue
            before = host.tenants.get(each.tenant_id)
            if before is not None or counts_all:
                refused, held = (before.refused, before.held_back_seconds) if before else (0, 0.0)
                self._refused[each.tenant_id] += max(0, each.refused - refused)
                self._held_back[each.tenant_id] += max(0.0, each.held_back_seconds - held)
            host.tenants[each.tenant_id] = each
        said = host.heard
        is_same = said is not None and said.figures.run == figures.run
        known = said.began_at if said is not None and is_same else None
        began_at = begun_at(self._now(), figures.uptime_seconds, known)
        host.heard = LatestFigures(figures.model_copy(update={"tenants": ()}), now, began_at)


def _without_figures(report: Report) -> Report:
    return report.model_copy(
        update={"figures": None, "facts": None, **dict.fromkeys(TOLD_ONCE, ())}
    )
