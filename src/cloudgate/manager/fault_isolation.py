"""Fault isolation: what becomes of the others when the data of one of many has a fault?

A document for many is made of the data of many. Where one of them has a fault, its own part is left
out, the operator is told, and the others get theirs.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from uuid import uuid4

import structlog
from sqlalchemy.exc import OperationalError

_log = structlog.get_logger(__name__)
_Thing = TypeVar("_Thing")
_Made = TypeVar("_Made")


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
