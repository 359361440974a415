"""Host queries: what is a host asked at this moment, and what does it say?"""

from dataclasses import dataclass, field
from threading import Event, Lock
from uuid import UUID, uuid4

from cloudgate.errors import UnavailableError
from cloudgate.protocol import Answer, DirectoryProbe, Question

PATIENCE_SECONDS = 5.0
"""How long whoever asks waits for a host that is there."""


@dataclass
class _PendingQuery:
    server_id: UUID
    question: Question
    answer: Answer | None = None
    answered: Event = field(default_factory=Event)


class HostQueries:
    """Questions that wait for an answer. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked: dict[str, _PendingQuery] = {}
        self._untold: dict[UUID, dict[str, Question]] = {}
        """By host, those that it has not been asked yet: a thousand are asked at a time."""

    def request_tunnels(self, server_id: UUID, end: tuple[str, ...] = ()) -> str:
        """Ask a host for its live tunnels, and to end some; wake it, then `wait`."""
        return self._put(server_id, Question(question=uuid4().hex, end_tunnels=end))

    def request_disk_usage(self, server_id: UUID, directory: DirectoryProbe) -> str:
        """Ask a host how much is in a directory; wake it, then `resolve` or `discard`."""
        return self._put(server_id, Question(question=uuid4().hex, measure=directory))

    def _put(self, server_id: UUID, question: Question) -> str:
        with self._lock:
            self._asked[question.question] = _PendingQuery(server_id, question)
            self._untold.setdefault(server_id, {})[question.question] = question
        return question.question

    def next(self, server_id: UUID) -> Question | None:
        """What a host has not been asked yet; it counts as asked from here on."""
        with self._lock:
            question = next(iter(self._untold.get(server_id, {}).values()), None)
            if question is not None:
                self._mark_asked(server_id, question.question)
        return question

    def _mark_asked(self, server_id: UUID, name: str) -> None:
        untold = self._untold.get(server_id, {})
        untold.pop(name, None)
        if not untold:
            self._untold.pop(server_id, None)

    def is_awaited(self, server_id: UUID) -> bool:
        """Whether somebody waits for an answer of a host."""
        with self._lock:
            return any(
                each.server_id == server_id and each.answer is None for each in self._asked.values()
            )

    def answered(self, server_id: UUID, answer: Answer) -> None:
        """A host has answered. An answer that nobody waits for is dropped."""
        with self._lock:
            asked = self._asked.get(answer.question)
        if asked is not None and asked.server_id == server_id:
            asked.answer = answer
            asked.answered.set()

    def resolve(self, name: str, seconds: float) -> Answer | None:
        """The answer, if it comes within so many seconds; the question stays open."""
        asked = self._asked[name]
        asked.answered.wait(seconds)
        return asked.answer

    def discard(self, name: str) -> None:
        """Nobody waits for the answer any more."""
        with self._lock:
            asked = self._asked.pop(name, None)
            if asked is not None:
                self._mark_asked(asked.server_id, name)

    def wait(self, name: str, seconds: float = PATIENCE_SECONDS) -> Answer:
        """The answer to a question.

        Raises:
            UnavailableError: none came in time.
        """
        asked = self._asked[name]
        asked.answered.wait(seconds)
        self.discard(name)
        if asked.answer is None:
            raise UnavailableError(
                f"The managed server did not say within {seconds:g} seconds which tunnels it has."
                " Is its host service of this release?"
            )
        return asked.answer
