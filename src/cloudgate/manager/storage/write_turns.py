"""Write turns: who of this process writes next to a file? Who has waited longest.

SQLite lets one write at a time. Who finds another at it looks again now and then, and whoever looks
at the right moment is next: with many at once, some would not come to it within half a minute.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

_held = threading.local()


def holds_turn() -> bool:
    """Whether this thread keeps others from writing, who wait for whatever it does meanwhile."""
    return getattr(_held, "here", False)


class WriteTurns:
    """Hands one turn from thread to thread."""

    def __init__(self, wait_seconds: float) -> None:
        """`wait_seconds`: after which nobody waits any longer."""
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many want it next."""
        return len(self._waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Inside, nobody else of this process writes.

        Raises:
            OperationalError: others took too long; as SQLite says it when another process does.
        """
        self._take()
        _held.here = True
        try:
            yield
        finally:
            _held.here = False
            self._pass_on()

    def _take(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            called = threading.Event()
            self._waiting.append(called)
        if called.wait(self._wait_seconds):
            return
        with self._lock:
            if called.is_set():  # at that very moment
                return
            self._waiting.remove(called)
        locked = sqlite3.OperationalError("database is locked")
        locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("BEGIN IMMEDIATE", None, locked)

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
