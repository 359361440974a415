"""Response cache: what is known to be still true? Answers and sessions, until a change.

Each is kept with the number of changes that the manager had made before it was read. As long as
that number is the same, reading again would find the same; of sessions, as long as no change since
was of what they are read from. What a warning says may end with a day or a month, so an answer is
kept for a minute at the longest.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from starlette.responses import Response

from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.sessions.operations import is_to_be_noted
from cloudgate.manager.storage.tables import LogonSession
from cloudgate.manager.storage.touched_tables import read_with

LARGEST_ANSWER_BYTES = 2 * 1024 * 1024
LONGEST_KEY = 4096
"""Characters; whoever asks in more words is answered anew."""
_OVERHEAD_BYTES = 2048
"""What is kept of an answer besides its body and its key."""
MOST_BYTES = 32 * 1024 * 1024
MOST_SESSIONS = 10_000
LONGEST_KEPT = timedelta(minutes=1)
"""How old an answer may be by the clock, though nothing was changed."""

Key = tuple[str, str, str, str]
"""Root, path, query and form of a request."""


@dataclass(frozen=True)
class _Answer:
    changes: int
    made_at: datetime
    response: Response


class ResponseCache:
    """Answers and sessions that are true until the next change. Used on the event loop only."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()
        self._sessions: OrderedDict[UUID, tuple[int, LogonSession]] = OrderedDict()
        self._bytes = 0

    @property
    def changes(self) -> int:
        """To be asked for before something is read that is to be kept."""
        return self._manager.changes.count

    def session(self, identifier: UUID, now: datetime) -> LogonSession | None:
        """A session that was in use a moment ago; None when it has to be looked up."""
        changes, session = self._sessions.get(identifier, (-1, None))
        if session is None or is_to_be_noted(session.used_at, now):
            return None
        if changes < self._manager.changes.newest_of(read_with(LogonSession)):
            return None
        return session

    def keep_session(self, session: LogonSession, changes: int) -> None:
        """Keep a session as it was read."""
        self._sessions[session.id] = (changes, session)
        self._sessions.move_to_end(session.id)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)

    def answer(self, key: Key) -> Response | None:
        """The answer to a request, if nothing has changed since."""
        kept = self._answers.get(key)
        if kept is None:
            return None
        age = self._manager.clock() - kept.made_at
        if kept.changes != self.changes or not timedelta() <= age <= LONGEST_KEPT:
            self._forget(key)
            return None
        self._answers.move_to_end(key)
        return kept.response

    def keep_answer(self, key: Key, response: Response, changes: int) -> None:
        """Keep an answer that is the same for all who may ask."""
        if len(response.body) > LARGEST_ANSWER_BYTES or sum(map(len, key)) > LONGEST_KEY:
            return
        if key in self._answers:
            self._forget(key)
        self._answers[key] = _Answer(changes, self._manager.clock(), response)
        self._bytes += _kept_bytes(key, response)
        while self._bytes > MOST_BYTES:
            self._forget(next(iter(self._answers)))

    def _forget(self, key: Key) -> None:
        self._bytes -= _kept_bytes(key, self._answers.pop(key).response)


def _kept_bytes(key: Key, response: Response) -> int:
    return _OVERHEAD_BYTES + sum(map(len, key)) + len(response.body)
