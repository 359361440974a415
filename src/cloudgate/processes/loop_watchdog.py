"""Event loop watchdog: does the loop of a service go on, as another thread of it sees?"""

import asyncio
import time
from collections.abc import Callable

import structlog

from cloudgate.processes.end_deadline import whereabouts

log = structlog.get_logger(__name__)

STUCK_SECONDS = 10.0
"""An event loop that has done nothing for so long is stuck."""


class LoopWatchdog:
    """Tells whether an event loop answers: one that is stuck does so to nobody."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock_seconds`: a clock that only goes on."""
        self._loop = loop
        self._clock_seconds = clock_seconds
        self._answered_at_seconds = clock_seconds()
        self._was_stuck = False

    def is_responsive(self) -> bool:
        """Whether it has done something within `STUCK_SECONDS`; to be asked again and again."""
        self._loop.call_soon_threadsafe(self._answer)
        is_stuck = self._clock_seconds() - self._answered_at_seconds >= STUCK_SECONDS
        if is_stuck and not self._was_stuck:
            log.error(
                "this manager answers nobody, and lets another one lead", at=whereabouts(self._loop)
            )
        self._was_stuck = is_stuck
        return not is_stuck

    def _answer(self) -> None:
        self._answered_at_seconds = self._clock_seconds()
