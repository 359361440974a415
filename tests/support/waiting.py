"""How does a test wait for what nobody tells it? By looking now and then, but not for ever."""

import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.02


def until(
    holds: Callable[[], object],
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    said: Callable[[], object] = str,
) -> None:
    """Wait until something holds; whoever waits in vain is shown what `said` returns."""
    deadline = time.monotonic() + patience_seconds
    while not holds():
        assert time.monotonic() < deadline, said()
        threading.Event().wait(_PAUSE_SECONDS)


def within(seconds: float, holds: Callable[[], object]) -> None:
    """Something holds before the time is over."""
    until(holds, seconds)
