"""Usage probes: when is measured what tenants keep in repositories? Few at once."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import structlog

from cloudgate.background import Job
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.bounded_concurrency import BoundedConcurrency
from cloudgate.manager.jobs.threads import run_in_thread
from cloudgate.manager.probes import operations
from cloudgate.manager.probes.measuring import measure
from cloudgate.manager.probes.operations import Batch, Outcome

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 4
"""How many machines are asked at a time; each is asked for one tenant at a time."""
LONGEST_PAUSE = timedelta(hours=1)
KEEP_SECONDS = 5.0
"""How long figures may wait to be kept together with others."""


class UsageProbeWorker:
    """Measures what tenants keep in repositories when that is due, one machine once at a time."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._ended = threading.Event()
        self._measuring = BoundedConcurrency[str]("usage probe", MOST_AT_ONCE)
        """By the machine that is asked."""

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Measuring what tenants keep in repositories",
            attempt=self._attempt,
            interval_seconds=LONGEST_PAUSE.total_seconds(),
            news=self._news,
        )

    def stop(self) -> None:
        """End what is being measured: that is measured again at the next start."""
        self._ended.set()
        self._measuring.stop()

    @contextmanager
    def _news(self, event: asyncio.Event) -> Iterator[None]:
        """The wakeups, and the end of each measurement."""
        self._measuring.changed = event
        with self._manager.wakeups.subscribe([operations.NEWS], event):
            yield

    async def _attempt(self) -> float:
        """Begin what is due; how many seconds until there may be more."""
        pause = await self._begin()
        self._measuring.raise_failure()
        return pause.total_seconds()

    async def _begin(self) -> timedelta:
        while self._measuring.has_room:
            batch, pause = await run_in_thread(self._next)
            if batch is None:
                if not self._measuring.busy:
                    self._measuring.forget_failures()
                return min(pause or LONGEST_PAUSE, LONGEST_PAUSE)
            self._measuring.begin(batch.probe.machine, partial(self._carry_out, batch))
        return LONGEST_PAUSE

    def _next(self) -> tuple[Batch | None, timedelta | None]:
        with self._manager.reading() as work:
            return operations.next_batch(work, self._measuring.busy)

    def _carry_out(self, batch: Batch) -> None:
        outcomes: list[Outcome] = []
        kept_at = time.monotonic()
        for outcome in measure(self._manager, batch):
            if self._ended.is_set():
                return
            if outcome.warning:
                log.warning(
                    "usage is not known", tenant=outcome.share.subject.name, reason=outcome.warning
                )
            outcomes.append(outcome)
            if time.monotonic() - kept_at >= KEEP_SECONDS:
                self._keep(batch, outcomes)
                outcomes, kept_at = [], time.monotonic()
        self._keep(batch, outcomes)

    def _keep(self, batch: Batch, outcomes: list[Outcome]) -> None:
        with self._manager.changing() as work:
            operations.keep_outcomes(work, batch, outcomes)
