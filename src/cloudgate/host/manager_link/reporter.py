"""Reporter: what does the manager still have to hear? Only the latest of each, no backlog."""

import asyncio
import time
from collections.abc import Callable

from cloudgate.host.authorization.failed_logins import FailedLogins
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.protocol import GatewayState, HostFacts, Misplaced, Report
from cloudgate.protocol.bounds import readable

REPEAT_SECONDS = 5.0
"""How old the last report of a draining gateway may get."""
COUNT_SECONDS = 30.0
"""How old the last report is when only the count of tunnels of an open gateway is news."""


class Reporter:
    """Makes the report that is due from what happened since the last one."""

    def __init__(
        self,
        directory_revision: Callable[[], int],
        facts: Callable[[], HostFacts],
        clock_seconds: Callable[[], float] = time.monotonic,
        misplaced: Callable[[], Misplaced | None] = lambda: None,
        guesses: FailedLogins | None = None,
    ) -> None:
        self._directory_revision = directory_revision
        self._facts = facts
        self._misplaced = misplaced
        self._guesses = guesses or FailedLogins()
        self._clock_seconds = clock_seconds
        self._outcome: ReconcileResult | None = None
        self._sent: Report | None = None
        self._sent_at_seconds = 0.0
        self._known_facts: HostFacts | None = None
        self._lost = False
        self._changed = asyncio.Event()

    def observe(self, outcome: ReconcileResult) -> None:
        """The machine was looked at."""
        self._outcome = outcome
        self._changed.set()

    def mark_dirty(self) -> None:
        """The directory or the facts may have changed."""
        self._changed.set()

    def resync(self) -> None:
        """The manager may have lost what it heard."""
        self._sent = None
        self._known_facts = None
        self._lost = True
        self._changed.set()

    async def next_report(self) -> Report:
        """Wait for a report that the manager has not heard."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._lost = False
            report = self._report()
            if report is not None and self._is_news(report):
                return report

    def acknowledge(self, report: Report) -> None:
        """The manager has `report`, unless it was said meanwhile that it may have lost it."""
        self._guesses.acknowledge(report.guesses)
        if self._lost:
            return
        self._known_facts = report.facts or self._known_facts
        self._sent = report.model_copy(update={"facts": None, "guesses": ()})
        self._sent_at_seconds = self._clock_seconds()

    def _report(self) -> Report | None:
        if self._outcome is None:
            return None
        facts = self._facts()
        gateway = self._outcome.gateway
        return Report(
            machine=facts.machine,
            assignment_revision=self._outcome.revision,
            directory_revision=self._directory_revision(),
            state=self._outcome.state,
            gateway_id=gateway.gateway_id if gateway else None,
            reason=readable(self._outcome.reason),
            live_tunnels=self._outcome.live_tunnels,
            finished_tunnels=self._outcome.finished_tunnels,
            closed_tunnels=self._outcome.closed_tunnels,
            misplaced=self._misplaced(),
            guesses=self._guesses.pending(),
            facts=None if facts == self._known_facts else facts,
        )

    def _is_news(self, report: Report) -> bool:
        old_seconds = self._clock_seconds() - self._sent_at_seconds
        if report.state is GatewayState.DRAINING:
            return report != self._sent or old_seconds >= REPEAT_SECONDS
        if self._sent is None or old_seconds >= COUNT_SECONDS:
            return report != self._sent
        return report != self._sent.model_copy(update={"live_tunnels": report.live_tunnels})
