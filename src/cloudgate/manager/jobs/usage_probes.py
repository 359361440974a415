"""Usage probes: when is measured what tenants keep in repositories? Few at once."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import structlog
from starlette.concurrency import run_in_threadpool

from cloudgate.background import Job
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.threads import run_in_daemon_thread
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
        self._running: dict[str, asyncio.Task[None]] = {}
        """By the machine that is asked."""
        self._failures: dict[str, Exception] = {}
        """By machine, why its last measurement was not kept."""
        self._changed = asyncio.Event()

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
        for each in self._running.values():
            each.cancel()

    @contextmanager
    def _news(self, event: asyncio.Event) -> Iterator[None]:
        """The bell, and the end of each measurement."""
        self._changed = event
        with self._manager.bell.subscribe([operations.NEWS], event):
            yield

    async def _attempt(self) -> float:
        """Begin what is due; how many seconds until there may be more."""
        pause = await self._begin()
        for failure in self._failures.values():
            raise failure
        return pause.total_seconds()

    async def _begin(self) -> timedelta:
        while len(self._running) < MOST_AT_ONCE:
            batch, pause = await run_in_threadpool(self._next)
            if batch is None:
                if not self._running:
                    self._failures.clear()  # what failed is not to be measured any more
                return min(pause or LONGEST_PAUSE, LONGEST_PAUSE)
            machine = batch.probe.machine
            carry_out = partial(self._carry_out, batch)
            measuring = asyncio.create_task(run_in_daemon_thread("usage probe", carry_out))
            self._running[machine] = measuring
            measuring.add_done_callback(partial(self._done, machine))
        return LONGEST_PAUSE

    def _done(self, machine: str, measuring: asyncio.Task[None]) -> None:
        self._running.pop(machine, None)
        self._failures.pop(machine, None)
        failure = None if measuring.cancelled() else measuring.exception()
        if isinstance(failure, Exception):
            self._failures[machine] = failure
        self._changed.set()

    def _next(self) -> tuple[Batch | None, timedelta | None]:
        with self._manager.reading() as work:
            return operations.next_batch(work, set(self._running))

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
            operations.note(work, batch, outcomes)
