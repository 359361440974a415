"""Eviction: which tunnels have no place here any more, and how long may they go on?

Their tenants may not use this gateway since it, or they, were put into another pool. Pure but for
the clock; it holds over restarts of the host service, as the tunnels do.
"""

import time
from collections.abc import Callable, Collection, Mapping

from pydantic import BaseModel

from cloudgate.host.tunnels.drain import JITTER_SECONDS, jitter
from cloudgate.protocol import EvictionProgress


class EvictionState(BaseModel):
    """The part of an eviction that outlives a restart of the host service."""

    deadlines: dict[str, float] = {}
    """By tunnel: when it has to end, by the machine's monotonic clock."""
    drain: str = ""
    finished: int = 0
    closed: int = 0
    closing: tuple[str, ...] = ()
    """Tunnels that were told to end and have not ended yet."""
    directory_revision: int = 0


class PoolEviction:
    """Counts an eviction: from the first tunnel without a place until the last one has ended."""

    def __init__(
        self, known: EvictionState | None = None, now_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._now_seconds = now_seconds
        known = known or EvictionState()
        self._deadlines = dict(known.deadlines)
        self._drain = known.drain
        self._finished, self._closed = known.finished, known.closed
        self._closing = set(known.closing)
        self._revision = known.directory_revision

    @property
    def state(self) -> EvictionState:
        """What the next host service has to know."""
        return EvictionState(
            deadlines=self._deadlines,
            drain=self._drain,
            finished=self._finished,
            closed=self._closed,
            closing=tuple(sorted(self._closing)),
            directory_revision=self._revision,
        )

    @property
    def report(self) -> EvictionProgress | None:
        """For the manager; None when there never was one."""
        if not self._revision:
            return None
        return EvictionProgress(
            tunnels=len(self._deadlines),
            finished=self._finished,
            closed=self._closed,
            directory_revision=self._revision,
        )

    def expired(
        self,
        live: Mapping[str, bool],
        drain: str,
        drain_seconds: float,
        directory_revision: int,
    ) -> Collection[str]:
        """The tunnels whose time is over.

        Args:
            live: by tunnel, whether it has no place here.
            drain: names the operator's last word on how long they may go on.
            drain_seconds: that word; it holds for those that are new, and for all when it is new.
            directory_revision: of the tenants as known now.
        """
        now = self._now_seconds()
        self._settle_ended(live)
        if drain != self._drain:
            self._drain = drain
            self._deadlines = dict.fromkeys(self._deadlines, now + drain_seconds)
        new = [each for each, is_misplaced in live.items() if is_misplaced]
        new = [each for each in new if each not in self._deadlines]
        if new and not self._deadlines:
            self._finished = self._closed = 0
        if new:
            self._revision = directory_revision
            self._deadlines.update(dict.fromkeys(new, now + drain_seconds))
        spread_seconds = min(JITTER_SECONDS, drain_seconds)
        # Not all of them at one moment: they come back somewhere, all at once.
        return [
            tunnel
            for tunnel, deadline in self._deadlines.items()
            if now >= deadline + jitter(tunnel) * spread_seconds
        ]

    def mark_closing(self, tunnels: Collection[str]) -> None:
        """These are being ended by this host."""
        self._closing.update(tunnels)

    def _settle_ended(self, live: Mapping[str, bool]) -> None:
        for tunnel in list(self._deadlines):
            if live.get(tunnel, False):
                continue
            del self._deadlines[tunnel]
            if tunnel in live:
                continue  # it has a place again
            if tunnel in self._closing:
                self._closed += 1
            else:
                self._finished += 1
        self._closing &= self._deadlines.keys()
