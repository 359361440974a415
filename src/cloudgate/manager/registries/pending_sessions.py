"""Pending sessions: what of logon sessions waits in memory until it can be written?

While the manager's disk is full, reading and logging on go on: an operator has to see what is up.
Everything here is lost with the process, and then who was logged on logs on again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cloudgate.manager.storage.tables import LogonSession

MOST = 1_000
"""Sessions, and as many uses of written ones."""


@dataclass(frozen=True)
class PendingSession:
    """A session that is in no database yet."""

    session: LogonSession
    password_hash: str
    """Of its account when it began: with another it is over."""
    address: str
    """Where it was begun from."""


@dataclass
class PendingSessions:
    """Sessions, and uses of sessions, that wait for the disk. May be used from any thread."""

    _begun: dict[UUID, PendingSession] = field(default_factory=dict)
    _used: dict[UUID, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, begun: PendingSession) -> bool:
        """Keep a session; False when there are too many already."""
        with self._lock:
            if len(self._begun) >= MOST:
                return False
            self._begun[begun.session.id] = begun
            return True

    def find(self, identifier: UUID) -> PendingSession | None:
        """A session that is kept here."""
        with self._lock:
            return self._begun.get(identifier)

    def all(self) -> list[PendingSession]:
        """Those that are kept here, oldest first."""
        with self._lock:
            return list(self._begun.values())

    def end(self, identifier: UUID) -> bool:
        """Forget a session; False when it is not here."""
        with self._lock:
            self._used.pop(identifier, None)
            return self._begun.pop(identifier, None) is not None

    def end_all_of(self, account_id: UUID, keep: UUID | None = None) -> None:
        """Forget the sessions of an account but `keep`.

        Those that wait to be written meanwhile are removed again, as all that end by then.
        """
        with self._lock:
            for identifier, begun in list(self._begun.items()):
                if begun.session.account_id == account_id and identifier != keep:
                    self._used.pop(identifier, None)
                    del self._begun[identifier]

    def end_after_writing(self, identifier: UUID) -> None:
        """Forget a session, once what is being written is: then it is in the database, or never."""
        with self._writing:
            self.end(identifier)

    def use(self, identifier: UUID, now: datetime) -> None:
        """A session was used, which could not be written."""
        with self._lock:
            while len(self._used) >= MOST and identifier not in self._used:
                self._used.pop(next(iter(self._used)))
            self._used[identifier] = now

    def used_at(self, identifier: UUID, written: datetime) -> datetime:
        """When a session was last used, given what is written."""
        with self._lock:
            return max(written, self._used.get(identifier, written))

    def write(
        self,
        write: Callable[[list[PendingSession], dict[UUID, datetime]], None],
        remove: Callable[[list[UUID]], None],
    ) -> None:
        """Have all of it written, and removed what ended meanwhile; it is kept when that fails."""
        with self._writing:
            if ended := self._write(write):
                remove(ended)

    def _write(
        self, write: Callable[[list[PendingSession], dict[UUID, datetime]], None]
    ) -> list[UUID]:
        with self._lock:
            begun, used = list(self._begun.values()), dict(self._used)
        if not begun and not used:
            return []
        write(begun, used)
        with self._lock:
            written = [each.session.id for each in begun]
            ended = [each for each in written if self._begun.pop(each, None) is None]
            for identifier, at in used.items():
                if self._used.get(identifier) == at:
                    del self._used[identifier]
        return ended
