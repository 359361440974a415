"""Warnings: what keeps the manager itself from doing all that it should?

They are kept in memory: what is still so after a restart is found out again. Until then whoever was
told of it before is not told that it is over.
"""

from collections.abc import Callable, Collection
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
        self._awaited: list[Callable[[], Collection[str]]] = []

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

    def await_kinds(self, named: Callable[[], Collection[str]]) -> None:
        """Have it asked of which kinds it is not known yet whether all is well."""
        self._awaited.append(named)

    def awaited(self) -> frozenset[str]:
        """The kinds of which that is not known, as not all was tried since the start.

        Who asks for them before `all` misses no warning of any other kind that there is.
        """
        return frozenset(each for named in self._awaited for each in named())

    def all(self) -> tuple[ManagerWarning, ...]:
        """All of them, the oldest first."""
        with self._lock:
            return tuple(sorted(self._known.values(), key=lambda each: each.since))
