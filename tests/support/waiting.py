"""How does a test wait for what nobody tells it? By looking now and then, but not for ever."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

PATIENCE_SECONDS = 60.0
"""For what takes a second on a quiet machine: others may use this one, too."""
_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_OF_A_LOOK = 3
"""Who looks takes time from what he waits for: a page of figures as much as ten calls."""
_OF_THE_WAIT = 1 / 20
"""What has taken half a minute so far is not missed by looking a second later."""


def looks(patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """When to look, until the patience is over: the less often, the longer it takes.

    Between two looks passes at least thrice what one takes, and a twentieth of the wait so far,
    but not more than a second.
    """
    pauses = _Pauses(patience_seconds)
    while True:
        pauses.look_begins()
        yield
        pause_seconds = pauses.after_look()
        if pause_seconds is None:
            return
        threading.Event().wait(pause_seconds)


class _Pauses:
    """How long not to look, after each look."""

    def __init__(self, patience_seconds: float) -> None:
        self._first = time.monotonic()
        self._deadline = self._first + patience_seconds
        self._began = self._first

    def look_begins(self) -> None:
        self._began = time.monotonic()

    def after_look(self) -> float | None:
        """Seconds until the next look; None when the patience is over."""
        now = time.monotonic()
        if now >= self._deadline:
            return None
        of_a_look, of_the_wait = (
            _OF_A_LOOK * (now - self._began),
            _OF_THE_WAIT * (now - self._first),
        )
        enough = max(_PAUSE_SECONDS, of_a_look, of_the_wait)
        return min(enough, _LONGEST_PAUSE_SECONDS, self._deadline - now)


def until(
    holds: Callable[[], object],
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    said: Callable[[], object] = str,
) -> None:
    """Wait until something holds; whoever waits in vain is shown what `said` returns."""
    for _ in looks(patience_seconds):
        if holds():
            return
    raise AssertionError(said())


async def until_async(
    holds: Callable[[], object],
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    said: Callable[[], object] = str,
) -> None:
    """As `until`, while everything else of the loop goes on."""
    pauses = _Pauses(patience_seconds)
    pauses.look_begins()
    while not holds():
        pause_seconds = pauses.after_look()
        if pause_seconds is None:
            raise AssertionError(said())
        await asyncio.sleep(pause_seconds)
        pauses.look_begins()


def within(seconds: float, holds: Callable[[], object]) -> None:
    """Something holds before the time is over."""
    until(holds, seconds)
