"""Warnings: what keeps the manager itself from doing all that it should?

They are kept in memory: what is still so after a restart is found out again.
"""

from dataclasses import dataclass
from datetime import datetime
from threading import Lock


@dataclass(frozen=True)
class ManagerWarning:
    """Something that needs a look."""

    kind: str
    """Names it; there is one of each kind at a time."""
    text: str
    since: datetime


class Warnings:
    """The manager's warnings that are true now, one of each kind. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, ManagerWarning] = {}

    def record(self, kind: str, text: str, now: datetime) -> bool:
        """This is how it is with that now; an empty text ends it. Whether that is news."""
        with self._lock:
            before = self._known.get(kind)
            if (before.text if before else "") == text:
                return False
            if text:
                self._known[kind] = ManagerWarning(kind, text, before.since if before else now)
            else:
                del self._known[kind]
            return True

    def all(self) -> tuple[ManagerWarning, ...]:
        """All of them, the oldest first."""
        with self._lock:
            return tuple(sorted(self._known.values(), key=lambda each: each.since))
