"""Protection looks: when is looked whether repositories keep what is deleted there? Few at once."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from starlette.concurrency import run_in_threadpool

from cloudgate.background import Job
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.threads import run_in_daemon_thread
from cloudgate.manager.protection import operations
from cloudgate.manager.protection.looking import look
from cloudgate.manager.protection.operations import DueCheck

MOST_AT_ONCE = 4
LONGEST_PAUSE = timedelta(hours=1)
AGAIN = timedelta(seconds=1)
"""What has changed while others were looked at."""


class ProtectionLooker:
    """Looks at the repositories that are due."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Seeing whether repositories keep deleted backups",
            attempt=self._attempt,
            interval_seconds=LONGEST_PAUSE.total_seconds(),
            news=self._news,
        )

    @contextmanager
    def _news(self, event: asyncio.Event) -> Iterator[None]:
        with self._manager.bell.subscribe([operations.NEWS], event):
            yield

    async def _attempt(self) -> float:
        """Look at what is due; how many seconds until there may be more."""
        looks, pause = await run_in_threadpool(self._due)
        if not looks:
            return min(pause or LONGEST_PAUSE, LONGEST_PAUSE).total_seconds()
        seats = asyncio.Semaphore(MOST_AT_ONCE)

        async def one(wanted: DueCheck) -> None:
            async with seats:
                carry_out = partial(self._carry_out, wanted)
                await run_in_daemon_thread("protection look", carry_out)

        ended = await asyncio.gather(*map(one, looks), return_exceptions=True)
        for each in ended:
            if isinstance(each, BaseException):
                raise each
        return AGAIN.total_seconds()

    def _due(self) -> tuple[Sequence[DueCheck], timedelta | None]:
        with self._manager.reading() as work:
            return operations.due(work)

    def _carry_out(self, wanted: DueCheck) -> None:
        found = look(
            wanted, self._manager.reachable, self._manager.protection_hook, self._manager.clock()
        )
        with self._manager.changing() as work:
            operations.note(work, wanted, found)
