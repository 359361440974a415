"""Deadlines: how long may steps take as a whole? What they wait for gets what is left."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from cloudgate.client.core.exchange import CriticalSection, Delay, Request, Steps, Wanted
from cloudgate.errors import CloudgateError

T = TypeVar("T")


class DeadlineError(CloudgateError):
    """The time is over, and nothing more is asked."""

    def __init__(self) -> None:
        super().__init__("The time is over.")


def within(steps: Steps[T], left: Callable[[], float]) -> Steps[T]:
    """The same steps, as long as there is time: no request, retry or pause goes beyond it.

    Args:
        steps: what is to be done.
        left: how many seconds there are yet.

    Raises:
        DeadlineError: it is over, and they are not.
        CloudgateError: as they do.
    """
    came: Any = None
    problem: CloudgateError | None = None
    try:
        while True:
            wanted = steps.throw(problem) if problem else steps.send(came)
            came, problem = None, None
            try:
                came = yield _shortened(wanted, left)
            except CloudgateError as found:
                problem = found
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


def _shortened(wanted: Wanted, left: Callable[[], float]) -> Wanted:
    seconds = left()
    if seconds <= 0:
        raise DeadlineError
    if isinstance(wanted, Request):
        return replace(wanted, at_most_seconds=seconds)
    if isinstance(wanted, Delay):
        return Delay(min(wanted.seconds, seconds))
    return CriticalSection(within(wanted.steps, left))
