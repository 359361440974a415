"""Faults: whose data could not be used, and who could not be answered?

A document for many is made of the data of many. Where one of them has a fault, its own part is left
out, the operator is told, and the others get theirs.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import OperationalError

_log = structlog.get_logger(__name__)
_Thing = TypeVar("_Thing")
_Made = TypeVar("_Made")


class Faults:
    """Managed servers whose data could not be used. May be called from any thread."""

    def __init__(self) -> None:
        self._of_data: dict[UUID, str] = {}
        self._of_polls: dict[UUID, str] = {}

    def record(self, server_id: UUID, warning: str) -> None:
        """Something that is kept of a server cannot be used."""
        self._of_data[server_id] = warning

    def cut_off(self, server_id: UUID, warning: str) -> None:
        """A host's poll could not be answered: it hears of no change."""
        self._of_polls[server_id] = warning

    def is_cut_off(self, server_id: UUID) -> bool:
        """Whether the host's last poll could not be answered."""
        return server_id in self._of_polls

    def cut_off_servers(self) -> frozenset[UUID]:
        """The hosts whose last poll could not be answered."""
        return frozenset(self._of_polls)

    def reconnect(self, server_id: UUID) -> bool:
        """A host's poll was answered. Whether the one before was not."""
        return self._of_polls.pop(server_id, None) is not None

    def clear(self, server_id: UUID) -> None:
        """What is kept of a server can be used."""
        self._of_data.pop(server_id, None)

    def about(self, server_id: UUID) -> str:
        """For the operator; empty when there is nothing to say."""
        if not self._of_polls and not self._of_data:
            return ""
        found = (self._of_polls.get(server_id, ""), self._of_data.get(server_id, ""))
        return " ".join(text for text in found if text)


def fault_id() -> str:
    """What a fault is called in the log and in the message about it."""
    return uuid4().hex[:12]


def each_alone(
    things: Iterable[_Thing],
    make: Callable[[_Thing], _Made],
    failed: Callable[[_Thing, str], _Made | None],
    succeeded: Callable[[_Thing], None] = lambda _: None,
) -> Iterator[_Made]:
    """What is made of each thing. One that cannot be made of it fails none of the others.

    Args:
        things: what it is made of.
        make: makes it; whatever it raises is in the log.
        failed: is told which thing failed and what that is called in the log, and says what stands
            in its place; None for nothing.
        succeeded: is told of each of the others.
    """
    for thing in things:
        try:
            made = make(thing)
        except OperationalError:
            raise  # nothing can be read, whosever it is
        except Exception:  # noqa: BLE001  whatever it is, it is the fault of this one alone
            name = fault_id()
            _log.exception("a part of a document cannot be made", fault=name)
            instead = failed(thing, name)
            if instead is not None:
                yield instead
        else:
            succeeded(thing)
            yield made
