"""How does a test wait for what nobody tells it? By looking now and then, but not for ever."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any, TypeVar, overload

PATIENCE_SECONDS = 60.0
"""For what takes a second on a quiet machine: others may use this one, too."""
_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_OF_A_LOOK = 3
"""Who looks takes time from what he waits for: a page of figures as much as ten calls."""
_OF_THE_WAIT = 1 / 20
"""What has taken half a minute so far is not missed by looking a second later."""

Found = TypeVar("Found")


class _Pauses:
    """How long not to look after each look: the less often, the longer the wait takes.

    At least thrice what the look took, and a twentieth of the wait so far, but not more than a
    second.
    """

    def __init__(self) -> None:
        self._first = self._began = time.monotonic()

    def look_begins(self) -> None:
        self._began = time.monotonic()

    def after_look(self) -> float:
        """Seconds until the next look."""
        now = time.monotonic()
        of_the_look, of_the_wait = now - self._began, now - self._first
        enough = max(_PAUSE_SECONDS, _OF_A_LOOK * of_the_look, _OF_THE_WAIT * of_the_wait)
        return min(enough, _LONGEST_PAUSE_SECONDS)


def looks(patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """When to look, until the patience is over."""
    pauses, deadline = _Pauses(), time.monotonic() + patience_seconds
    while True:
        pauses.look_begins()
        yield
        left_seconds = deadline - time.monotonic()
        if left_seconds <= 0:
            return
        threading.Event().wait(min(pauses.after_look(), left_seconds))


def until(
    holds: Callable[[], Found],
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    said: Callable[[], object] = str,
) -> Found:
    """Wait until something holds, or is found; whoever waits in vain is shown what `said` returns.

    Nothing is found while `holds` returns what counts as false.
    """
    for _ in looks(patience_seconds):
        if found := holds():
            return found
    raise AssertionError(said())


@overload
async def until_async(
    holds: Callable[[], Awaitable[Found]],
    patience_seconds: float = ...,
    *,
    said: Callable[[], object] = ...,
) -> Found: ...


@overload
async def until_async(
    holds: Callable[[], Found],
    patience_seconds: float = ...,
    *,
    said: Callable[[], object] = ...,
) -> Found: ...


async def until_async(
    holds: Callable[[], Any],
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    said: Callable[[], object] = str,
) -> Any:
    """As `until`, while everything else of the loop goes on; what `holds` returns is awaited."""
    pauses = _Pauses()
    try:
        async with asyncio.timeout(patience_seconds):
            while True:
                pauses.look_begins()
                found = holds()
                if isawaitable(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(pauses.after_look())
    except TimeoutError as error:
        raise AssertionError(said()) from error


def within(seconds: float, holds: Callable[[], object]) -> None:
    """Something holds before the time is over."""
    until(holds, seconds)
