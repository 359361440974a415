"""Reporter: what does the manager still have to hear? Only the latest of each, no backlog."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.protocol import Figures, GatewayState, HostFacts, Report

REPEAT_SECONDS = 5.0
"""How old the last report of a draining gateway may get."""
CAN_WAIT = ("live_tunnels",)
"""Members of `Report` that change all the time: alone they are told of an open gateway later."""
COUNT_SECONDS = 30.0
"""How old the last report is when such a member is news."""

_log = structlog.get_logger(__name__)

Contributor = Callable[[], Mapping[str, Any]]
"""A part of the host service that has something to say: members of `Report`, as they are now."""


class OneTimeReports(Protocol):
    """What is told the manager once."""

    def pending(self) -> tuple[Any, ...]:
        """What it has to hear next: the same until it was heard."""

    def acknowledge(self, heard: Any, /) -> None:
        """The manager has these."""


class FiguresSource(Protocol):
    """What a host counts, for the manager."""

    def now(self) -> Figures:
        """As it is now."""

    def acknowledge(self, figures: Figures) -> None:
        """The manager has them."""

    def resync(self) -> None:
        """The manager may have lost what it heard."""


class Reporter:
    """Makes the report that is due from what happened since the last one."""

    def __init__(
        self,
        facts: Callable[[], HostFacts],
        contributors: Sequence[Contributor] = (),
        clock_seconds: Callable[[], float] = time.monotonic,
        gathered: Mapping[str, OneTimeReports] | None = None,
    ) -> None:
        """What it asks, each time.

        Args:
            facts: what this machine is; told when it is not as it was.
            contributors: who has more to say than the results that it observes.
            clock_seconds: that the age of reports is taken by.
            gathered: by member of `Report`: what is told until it was heard, and then no more.
        """
        self._facts = facts
        self._contributors = contributors
        self._gathered = gathered or {}
        self._clock_seconds = clock_seconds
        self._outcome: ReconcileResult | None = None
        self._sent: Report | None = None
        self._sent_at_seconds = 0.0
        self._known_facts: HostFacts | None = None
        self._lost = False
        self._changed = asyncio.Event()
        self.figures: FiguresSource | None = None
        """What is told besides, as often as the manager wants it."""
        self.figures_seconds: float | None = None
        """How often that is; None for not at all."""
        self._figures_at_seconds: float | None = None

    @property
    def outcome(self) -> ReconcileResult | None:
        """How the machine was found to be the last time; None before it was looked at."""
        return self._outcome

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
        if self.figures is not None:
            self.figures.resync()
        self._figures_at_seconds = None
        self._changed.set()

    async def next_report(self) -> Report:
        """Wait for a report that the manager has not heard.

        Raises:
            UnavailableError: something that it is to say cannot be seen now; it is still due.
        """
        while True:
            await self._changed.wait()
            self._lost = False
            report = self._report()
            self._changed.clear()
            if report is not None and self._is_news(report):
                return self._with_figures(report)
            if self._sent is not None and self._figures_are_due:
                # As it was heard, so that the manager has nothing to write down.
                return self._with_figures(self._sent)

    def acknowledge(self, report: Report) -> None:
        """The manager has `report`, unless it was said meanwhile that it may have lost it."""
        for name, each in self._gathered.items():
            each.acknowledge(getattr(report, name))
        if self._lost:
            return
        self._known_facts = report.facts or self._known_facts
        if report.figures is not None:
            self._figures_at_seconds = self._clock_seconds()
            if self.figures is not None:
                self.figures.acknowledge(report.figures)
        is_repeated = report.model_copy(update={"figures": None}) == self._sent
        once = {"facts": None, "figures": None, **dict.fromkeys(self._gathered, ())}
        self._sent = report.model_copy(update=once)
        if is_repeated:
            return  # it is as old as it was
        self._sent_at_seconds = self._clock_seconds()

    @property
    def _figures_are_due(self) -> bool:
        if self.figures is None or self.figures_seconds is None:
            return False
        heard_at = self._figures_at_seconds
        return heard_at is None or self._clock_seconds() - heard_at >= self.figures_seconds

    def _with_figures(self, report: Report) -> Report:
        if self.figures is None or not self._figures_are_due:
            return report
        return report.model_copy(update={"figures": self.figures.now()})

    def _report(self) -> Report | None:
        if self._outcome is None:
            return None
        facts = self._facts_now()
        members: dict[str, Any] = self._outcome.contribution()
        for contribution in self._contributors:
            members.update(contribution())
        members.update((name, each.pending()) for name, each in self._gathered.items())
        if strangers := members.keys() - Report.model_fields.keys():
            raise TypeError(f"a report has no {', '.join(sorted(strangers))}")
        return Report(
            machine=facts.machine,
            facts=None if facts == self._known_facts else facts,
            **members,
        )

    def _facts_now(self) -> HostFacts:
        """Where they cannot be seen, those that the manager has: it is to hear the rest."""
        try:
            return self._facts()
        except UnavailableError as error:
            if self._known_facts is None:
                raise
            _log.warning("what this host says of itself cannot be seen", reason=error.message)
            return self._known_facts

    def _is_news(self, report: Report) -> bool:
        old_seconds = self._clock_seconds() - self._sent_at_seconds
        if report.state is GatewayState.DRAINING:
            return report != self._sent or old_seconds >= REPEAT_SECONDS
        if self._sent is None or old_seconds >= COUNT_SECONDS:
            return report != self._sent
        can_wait = {name: getattr(report, name) for name in CAN_WAIT}
        return report != self._sent.model_copy(update=can_wait)
