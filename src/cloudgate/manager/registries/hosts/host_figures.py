"""Host figures: what of itself has each host told last, and when? Kept in memory alone."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from uuid import UUID

from cloudgate.manager.registries.hosts.held_back_hours import HeldBackHours
from cloudgate.manager.registries.hosts.last_reports import LastReports
from cloudgate.manager.registries.hosts.tenant_counts import TenantCounts
from cloudgate.monitoring.gateway_lines import begun_at
from cloudgate.protocol import Figures, Report


@dataclass(frozen=True)
class LatestFigures:
    """What a host said last."""

    figures: Figures
    """Without those of tenants."""
    at_seconds: float
    """When, by the monotonic clock."""
    began_at: float
    """When its host service began, in seconds since 1970; the same as long as that one runs."""


class HostFiguresRegistry:
    """The figures of hosts. May be used from any thread."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._lock = Lock()
        self._heard: dict[UUID, LatestFigures] = {}
        self.reports = LastReports()
        """What they said besides."""
        self.held_back = HeldBackHours()
        """When tenants were held back."""
        self.tenants = TenantCounts(clock_seconds(), self.held_back)
        """What they counted of tenants."""
        self.on_heard: Callable[[UUID, LatestFigures], None] = lambda *_: None
        """Called with what a host has just said, in the thread that it was heard in."""

    def keep(self, server_id: UUID, report: Report, now: datetime) -> None:
        """What a host has said was dealt with."""
        self.reports.keep(server_id, report)
        if report.figures is not None:
            wall = now.timestamp()
            with self._lock:
                now_seconds = self._clock_seconds()
                self.tenants.count(server_id, report.figures, now_seconds, wall)
                heard = self._latest(server_id, report.figures, now_seconds, wall)
                self._heard[server_id] = heard
            self.on_heard(server_id, heard)

    def latest(self) -> Mapping[UUID, LatestFigures]:
        """What each host said last."""
        with self._lock:
            return dict(self._heard)

    @property
    def now_seconds(self) -> float:
        """The time by the clock of `LatestFigures.at_seconds`."""
        return self._clock_seconds()

    def forget(self, server_id: UUID) -> None:
        """The host has no business here any more, or has to be heard anew."""
        with self._lock:
            self._heard.pop(server_id, None)
        self.reports.forget(server_id)
        self.tenants.forget(server_id)

    def _latest(
        self, server_id: UUID, figures: Figures, now_seconds: float, wall: float
    ) -> LatestFigures:
        said = self._heard.get(server_id)
        known = said.began_at if said is not None and said.figures.run == figures.run else None
        began_at = begun_at(wall, figures.uptime_seconds, known)
        return LatestFigures(figures.model_copy(update={"tenants": ()}), now_seconds, began_at)
