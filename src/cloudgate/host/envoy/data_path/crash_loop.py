"""Crash loop of Envoy: is its module to blame? Pure.

A module shares Envoy's memory, so a fault in it ends Envoy, and with it all tunnels. Which of the
two it was, nobody can tell from outside: where Envoy dies again and again, it is tried without.
"""

from collections import deque

MOST_SHORT_LIVES = 3
"""So many in a row are enough, however they ended."""
MOST_CRASHES = 3
"""So many within `CRASHES_WITHIN_SECONDS` are enough, however long it lived before each."""
CRASHES_WITHIN_SECONDS = 6 * 3600.0
SOON_SECONDS = 30.0
"""An Envoy that lived longer did not die of its start."""
_AGAIN = "It is tried again when the host service is started anew."


class CrashLoopDetector:
    """Counts how the Envoys of this host service have died."""

    def __init__(self) -> None:
        self._short_lives = 0
        self._crashes: deque[float] = deque(maxlen=MOST_CRASHES)

    def blame(self, lived_seconds: float, now_seconds: float, *, crashed: bool) -> str:
        """Take in that one has died; why the next goes without the module, empty while it does not.

        Args:
            lived_seconds: how long it lived.
            now_seconds: of a clock that only goes on.
            crashed: whether it said itself that it broke, as nobody does who is killed.
        """
        self._short_lives = self._short_lives + 1 if lived_seconds <= SOON_SECONDS else 0
        if crashed:
            self._crashes.append(now_seconds)
        if self._short_lives >= MOST_SHORT_LIVES:
            return f"Envoy died several times, each time soon after its start. {_AGAIN}"
        if (
            len(self._crashes) == MOST_CRASHES
            and now_seconds - self._crashes[0] <= CRASHES_WITHIN_SECONDS
        ):
            hours = round(CRASHES_WITHIN_SECONDS / 3600)
            return f"Envoy crashed {MOST_CRASHES} times within {hours} hours. {_AGAIN}"
        return ""
