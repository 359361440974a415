"""Lost ends: which tunnels are over though the access log does not say so?

The last line about a tunnel is lost where somebody takes the log away just then, or its disk is
full. The tunnel would be live for as long as its Envoy, and the Envoy for as long as the tunnel.

A tunnel that lives has a line each `PERIOD_SECONDS`, unless none can be written. So one without is
over only where its Envoy has neither of its two connections any more. That other tunnels of that
Envoy have lines is not asked for: one that listens no more may have none. Where the connections
cannot be seen, nobody knows, and the tunnel stays, as it may live: the operator is told.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection

import structlog

from cloudgate.background import Job, counted
from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import PERIOD_SECONDS
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.platform import Pacing
from cloudgate.host.state.conditions import Conditions
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.host.tunnels.tracker import TunnelTracker

SILENT_SECONDS = 4.0 * PERIOD_SECONDS
"""Who had no line for so long is looked for."""
LARGEST_PART = 0.02
"""Of one processor, that looks may take: to miss one, each connection of an Envoy is looked at."""

_CONDITION = "lost ends"
_UNKNOWN = (
    "Tunnels that may be over, as the access log says nothing more of them ({many}), keep their"
    " slots: {reason}"
)
_log = structlog.get_logger(__name__)


def connected(pid: int, names: Collection[str]) -> Collection[str]:
    """Which of these connections a process has.

    Raises:
        UnavailableError: that cannot be seen.
    """
    return Pacing(pid).carried(names).keys()


class LostEndFinder:
    """Gives back the slots of tunnels whose last line was lost."""

    def __init__(
        self,
        envoys: EnvoyProcesses,
        tracker: TunnelTracker,
        conditions: Conditions,
        *,
        look: Callable[[int, Collection[str]], Collection[str]] = connected,
    ) -> None:
        """`look`: which connections a process has, by its id."""
        self._envoys = envoys
        self._tracker = tracker
        self._conditions = conditions
        self._look = look

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Looking for tunnels that ended without a line",
            attempt=self.review,
            interval_seconds=PERIOD_SECONDS,
            largest_part=LARGEST_PART,
        )

    async def review(self) -> None:
        """Look for those that are silent, and count those that are gone as ended."""
        silent = self._tracker.silent(SILENT_SECONDS)
        by_envoy: dict[str, list[Tunnel]] = defaultdict(list)
        for each in silent:
            by_envoy[each.envoy].append(each)
        gone: set[str] = set()
        unknown, reason = 0, ""
        for mark, some in by_envoy.items():
            try:
                gone |= await self._gone(mark, some)
            except UnavailableError as error:
                unknown, reason = unknown + len(some), error.message
        said = _UNKNOWN.format(many=unknown, reason=reason) if unknown else ""
        self._conditions.set(_CONDITION, said)
        if gone:
            # Of some a line may have come while it was looked.
            self._end(gone & {each.tunnel for each in self._tracker.silent(SILENT_SECONDS)})

    def _end(self, tunnels: Collection[str]) -> None:
        if tunnels:
            _log.warning("tunnels ended without a line in the access log", tunnels=len(tunnels))
            self._tracker.end_lost(tunnels)

    async def _gone(self, mark: str, silent: list[Tunnel]) -> set[str]:
        """Those of an Envoy's silent tunnels of which it has no connection."""
        pid = self._envoys.pid_of(mark)
        if pid is None:
            return set()  # and its tunnels have ended with it
        silent = [each for each in silent if each.connections]
        names = {name for each in silent for name in each.connections}
        # In a thread: there may be tens of thousands to look at.
        there = set(await asyncio.to_thread(counted, self._look, pid, names))
        there -= self._heard_connections(mark, {each.tunnel for each in silent})
        return {each.tunnel for each in silent if there.isdisjoint(each.connections)}

    def _heard_connections(self, mark: str, silent: Collection[str]) -> set[str]:
        """Connections of the Envoy's other tunnels, which may have an address and port again."""
        others = [each for each in self._tracker.live if each.envoy == mark]
        return {name for each in others if each.tunnel not in silent for name in each.connections}
