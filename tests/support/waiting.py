"""How does a test wait for what nobody tells it? By looking now and then, but not for ever."""

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
    first = time.monotonic()
    deadline = first + patience_seconds
    while True:
        began = time.monotonic()
        yield
        now = time.monotonic()
        if now >= deadline:
            return
        enough = max(_PAUSE_SECONDS, _OF_A_LOOK * (now - began), _OF_THE_WAIT * (now - first))
        pause = min(enough, _LONGEST_PAUSE_SECONDS)
        threading.Event().wait(min(pause, deadline - now))


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


def within(seconds: float, holds: Callable[[], object]) -> None:
    """Something holds before the time is over."""
    until(holds, seconds)
