"""Bounded concurrency: which pieces of a job are being done at once, and which have failed?

None waits for the others of its round: a server that does not answer holds up nobody else.
"""

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from cloudgate.manager.jobs.threads import run_in_daemon_thread

Key = TypeVar("Key", bound=Hashable)


class BoundedConcurrency(Generic[Key]):
    """Does pieces of work in threads of their own."""

    def __init__(self, name: str, most: int) -> None:
        """`name`: of the threads; `most`: how many there may be."""
        self._name = name
        self._most = most
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._failures: dict[Key, Exception] = {}
        self.changed = asyncio.Event()
        """Set as each of them ends, but for one that has failed again: its job pauses then."""

    @property
    def has_room(self) -> bool:
        """Whether one more may be begun."""
        return len(self._running) < self._most

    @property
    def busy(self) -> set[Key]:
        """What is being done."""
        return set(self._running)

    def begin(self, key: Key, work: Callable[[], object]) -> None:
        """Do it, beside what else is being done."""
        task = asyncio.create_task(run_in_daemon_thread(self._name, work))
        self._running[key] = task
        task.add_done_callback(partial(self._done, key))

    def forget_failures(self) -> None:
        """What failed is not to be done any more."""
        self._failures.clear()

    def raise_failure(self) -> None:
        """Tell of what has failed and was not done since.

        Raises:
            Exception: as it was raised there.
        """
        for failure in self._failures.values():
            raise failure

    def stop(self) -> None:
        """Wait for none of them any more."""
        for each in self._running.values():
            each.cancel()

    def _done(self, key: Key, task: asyncio.Task[None]) -> None:
        self._running.pop(key, None)
        had_failed = self._failures.pop(key, None) is not None
        failure = None if task.cancelled() else task.exception()
        if isinstance(failure, Exception):
            self._failures[key] = failure
        if not (had_failed and key in self._failures):
            self.changed.set()
