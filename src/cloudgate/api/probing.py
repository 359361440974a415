"""When is measured what tenants keep in repositories? Each in its time, few at once."""

import asyncio
import threading
import time
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from cloudgate.api.threads import first_of, in_a_thread
from cloudgate.errors import CloudgateError
from cloudgate.manager.probes import operations
from cloudgate.manager.probes.measuring import measure
from cloudgate.manager.probes.operations import Batch, Outcome
from cloudgate.manager.work import Manager

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 4
"""How many machines are asked at a time; each is asked for one tenant at a time."""
LONGEST_PAUSE = timedelta(hours=1)
KEEP_SECONDS = 5.0
"""How long figures may wait to be kept together with others."""
_AFTER_A_FAILURE = timedelta(seconds=5)


class Probing:
    """Has repositories measured while the manager runs."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._changed = asyncio.Event()
        self._ended = threading.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        """By the machine that is asked."""

    def wake(self) -> None:
        """Look again: time may have passed."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled. What is being measured then is measured again at the next start."""
        try:
            await self._run()
        finally:
            self._ended.set()
            for each in self._running.values():
                each.cancel()

    async def _run(self) -> None:
        while True:
            with self._manager.bell.listening([operations.NEWS]) as rung:
                self._changed.clear()
                try:
                    pause = await self._begin()
                except (SQLAlchemyError, CloudgateError) as problem:
                    log.warning("cannot look what is to be measured", reason=str(problem))
                    pause = _AFTER_A_FAILURE
                await first_of(rung, self._changed, pause)

    async def _begin(self) -> timedelta:
        """Begin what is due; how long until there may be more."""
        while len(self._running) < MOST_AT_ONCE:
            batch, pause = await run_in_threadpool(self._next)
            if batch is None:
                return min(pause or LONGEST_PAUSE, LONGEST_PAUSE)
            machine = batch.probe.machine
            measuring = asyncio.create_task(self._measure(batch))
            self._running[machine] = measuring
            measuring.add_done_callback(partial(self._done, machine))
        return LONGEST_PAUSE

    def _done(self, machine: str, _: asyncio.Task[None]) -> None:
        self._running.pop(machine, None)
        self._changed.set()

    def _next(self) -> tuple[Batch | None, timedelta | None]:
        with self._manager.reading() as work:
            return operations.next_batch(work, set(self._running))

    async def _measure(self, batch: Batch) -> None:
        try:
            await in_a_thread("usage probe", partial(self._carry_out, batch))
        except (SQLAlchemyError, CloudgateError) as problem:
            log.warning("what was measured is not kept", reason=str(problem))
            await asyncio.sleep(_AFTER_A_FAILURE.total_seconds())

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
