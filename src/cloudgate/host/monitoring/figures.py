"""Figures of a host: what did its parts count, put together for manager and scrapes?"""

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import structlog
from pydantic import ValidationError

from cloudgate.host.authorization.meter import AuthorizationMeter
from cloudgate.host.monitoring.envoy_counters import EnvoyCounters
from cloudgate.host.shaping.held_back import HeldBackMeter
from cloudgate.host.state.manager_clock import ManagerClock
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.monitoring.gateway_lines import LEAST_FULL
from cloudgate.protocol import (
    FURTHEST_CLOCK_SECONDS,
    MOST_AMOUNT,
    MOST_COUNTED,
    MOST_TENANTS_COUNTED,
    Figures,
    Restraint,
    TenantFigures,
)
from cloudgate.protocol.bounds import MOST_SMALL, bounded

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_USER_TICKS, _SYSTEM_TICKS = 11, 12
"""Of ``/proc/PID/stat``, counted after the name (proc(5))."""
_OF_ENVOY = ("handshakes", "tls_failures", "connections_rejected", "target_failures")
_log = structlog.get_logger(__name__)


class HostFigures:
    """Puts together what is counted anyway; nothing is counted for it alone."""

    def __init__(
        self,
        tracker: TunnelTracker,
        meter: AuthorizationMeter,
        held_back: HeldBackMeter,
        envoy: EnvoyCounters,
        *,
        full: Callable[[], Mapping[str, float]],
        clock: ManagerClock,
        state: Path,
        envoys: Callable[[], Collection[int]],
    ) -> None:
        """What is counted where.

        Args:
            tracker: tunnels.
            meter: requests for them.
            held_back: who got less speed than they would have taken.
            envoy: what Envoy counts.
            full: by resource, how much of it is used.
            clock: how far this machine's clock is off.
            state: folder of the host service.
            envoys: the process ids of those that run.
        """
        self._tracker = tracker
        self._meter = meter
        self._held_back = held_back
        self._full = full
        self._envoy = envoy
        self._clock = clock
        self._state = state
        self._envoys = envoys
        self._run = uuid4().hex
        self._began_seconds = time.monotonic()
        self._cpu = {"host": ProcessorTime(), "envoy": ProcessorTime()}
        self._told: dict[UUID, TenantFigures] = {}
        """Of tenants, as the manager has heard it."""

    def now(self) -> Figures:
        """All of it, as it is now, within the bounds of what a manager hears."""
        total, envoy = self._tracker.total, self._envoy.totals
        pids = {"host": (os.getpid(),), "envoy": tuple(self._envoys())}
        memory = {name: [memory_bytes(pid) for pid in some] for name, some in pids.items()}
        return _as_far_as_told(
            run=self._run,
            uptime_seconds=time.monotonic() - self._began_seconds,
            tunnels_live=len(self._tracker.live),
            tunnels_opened=total.tunnels,
            bytes_up=bounded(total.bytes_up, MOST_COUNTED),
            bytes_down=bounded(total.bytes_down, MOST_COUNTED),
            refused={kind.value: count for kind, count in self._meter.refused.items()},
            setup=total.setup.distribution,
            authorization=self._meter.took.distribution,
            authorizing=self._meter.waiting,
            held_back_seconds={
                each.value: round(self._held_back.by_restraint[each], 1) for each in Restraint
            },
            **{name: bounded(envoy[name], MOST_COUNTED) for name in _OF_ENVOY if name in envoy},
            connections=_known(self._envoy.connections, MOST_SMALL),
            full={
                kind: round(part, 2) for kind, part in self._full().items() if part >= LEAST_FULL
            },
            cpu_seconds={name: round(self._cpu[name].add(some), 1) for name, some in pids.items()},
            memory_bytes={
                name: sum(each for each in some if each is not None)
                for name, some in memory.items()
                if any(each is not None for each in some)
            },
            disk_free_bytes=_free_bytes(self._state),
            clock_ahead_seconds=_ahead_seconds(self._clock),
            certificate_expires_at=_known(self._envoy.certificate_expires_at, MOST_AMOUNT),
            tenants=tuple(self._news_of_tenants()),
        )

    def acknowledge(self, figures: Figures) -> None:
        """The manager has them."""
        self._told |= {each.tenant_id: each for each in figures.tenants}

    def resync(self) -> None:
        """The manager may have lost what it heard."""
        self._told.clear()

    def _news_of_tenants(self) -> Iterable[TenantFigures]:
        live = Counter(each.tenant_id for each in self._tracker.live)
        refused, held = self._meter.refused_tenants, self._held_back.by_tenant
        by_share = self._held_back.by_share
        found = 0
        for tenant_id in live.keys() | refused.keys() | held.keys() | self._told.keys():
            now = TenantFigures(
                tenant_id=tenant_id,
                tunnels=live[tenant_id],
                refused=refused.get(tenant_id, 0),
                held_back_seconds=round(held.get(tenant_id, 0.0), 2),
                held_back_by_share_seconds=round(by_share.get(tenant_id, 0.0), 2),
            )
            if now != self._told.get(tenant_id):
                found += 1
                if found > MOST_TENANTS_COUNTED:
                    return
                yield now


def _as_far_as_told(**members: Any) -> Figures:
    """The figures; without one that is out of bounds, which nobody foresaw: the others are told."""
    try:
        return Figures(**members)
    except ValidationError as error:
        wrong = {each["loc"][0] for each in error.errors()}
        _log.error("figures are out of bounds and left out", figures=sorted(map(str, wrong)))
        return Figures(**{name: each for name, each in members.items() if name not in wrong})


class ProcessorTime:
    """Adds up what processes take of the processors, of those that have ended, too."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}
        self._total_seconds = 0.0

    def add(self, pids: Iterable[int]) -> float:
        """How long they have had a processor since they were first seen; these run now."""
        now = {pid: seconds for pid in pids if (seconds := cpu_seconds(pid)) is not None}
        for pid, seconds in now.items():
            self._total_seconds += max(0.0, seconds - self._last.get(pid, seconds))
        self._last = now
        return self._total_seconds


def cpu_seconds(pid: int) -> float | None:
    """How long a process has had a processor; None where that cannot be seen."""
    fields = _stat(pid)
    if not fields:
        return None
    return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / _TICKS


def memory_bytes(pid: int) -> float | None:
    """What of a process is in memory; None where that cannot be seen."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE_BYTES
    except OSError:  # ENOENT, ESRCH: it has ended, or there is no /proc
        return None


def _stat(pid: int) -> list[str]:
    if sys.platform != "linux":
        return []
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:  # ENOENT, ESRCH: it has ended
        return []
    return text.rpartition(")")[2].split()


def _known(value: int | None, most: float) -> float | None:
    """What Envoy says, or None where that means nothing: it says 2**64 - 1 and the like, too."""
    return value if value is not None and value <= most else None


def _ahead_seconds(clock: ManagerClock) -> float | None:
    if clock.ahead is None:
        return None
    seconds = round(clock.ahead.total_seconds(), 1)
    return max(min(seconds, FURTHEST_CLOCK_SECONDS), -FURTHEST_CLOCK_SECONDS)


def _free_bytes(state: Path) -> float | None:
    try:
        return bounded(float(shutil.disk_usage(state).free), MOST_AMOUNT)
    except OSError:  # ENOENT, EIO: it cannot be seen, which is not none
        return None
