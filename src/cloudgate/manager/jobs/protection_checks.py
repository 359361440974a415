"""Protection checks: when is seen whether repositories keep what is deleted? Few at once."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from uuid import UUID

from cloudgate.background import Job
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.bounded_concurrency import BoundedConcurrency
from cloudgate.manager.jobs.threads import run_in_thread
from cloudgate.manager.protection import operations
from cloudgate.manager.protection.check import check_protection
from cloudgate.manager.protection.operations import DueCheck

MOST_AT_ONCE = 4
LONGEST_PAUSE = timedelta(hours=1)


class ProtectionCheckWorker:
    """Looks at the repositories that are due."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._checks = BoundedConcurrency[UUID]("protection check", MOST_AT_ONCE)
        """By the repository that is looked at."""

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Seeing whether repositories keep deleted backups",
            attempt=self._attempt,
            interval_seconds=LONGEST_PAUSE.total_seconds(),
            news=self._news,
        )

    def stop(self) -> None:
        """End what is being looked at: it is looked at again at the next start."""
        self._checks.stop()

    @contextmanager
    def _news(self, event: asyncio.Event) -> Iterator[None]:
        """The wakeups, and the end of each check."""
        self._checks.changed = event
        with self._manager.wakeups.subscribe([operations.NEWS], event):
            yield

    async def _attempt(self) -> float:
        """Begin to look at what is due; how many seconds until there may be more."""
        looks, pause = await run_in_thread(self._due)
        if not looks:
            self._checks.forget_failures()
        for each in looks:
            if self._checks.has_room and each.repository_id not in self._checks.busy:
                self._checks.begin(each.repository_id, partial(self._carry_out, each))
        self._checks.raise_failure()
        return min(pause or LONGEST_PAUSE, LONGEST_PAUSE).total_seconds()

    def _due(self) -> tuple[Sequence[DueCheck], timedelta | None]:
        with self._manager.reading() as work:
            return operations.due(work)

    def _carry_out(self, wanted: DueCheck) -> None:
        found = check_protection(
            wanted, self._manager.reachable, self._manager.protection_hook, self._manager.clock()
        )
        with self._manager.changing() as work:
            operations.keep_finding(work, wanted, found)
