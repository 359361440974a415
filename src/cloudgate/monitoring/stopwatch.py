"""Stopwatch: how long did things take, as a distribution?"""

from bisect import bisect_left

from cloudgate.protocol import SETUP_BUCKETS_SECONDS, Distribution


class Stopwatch:
    """Counts times since the process began."""

    def __init__(self) -> None:
        self._counts = [0] * (len(SETUP_BUCKETS_SECONDS) + 1)
        self._sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """It took so long once more."""
        self._counts[bisect_left(SETUP_BUCKETS_SECONDS, seconds)] += 1
        self._sum_seconds += max(0.0, seconds)

    @property
    def distribution(self) -> Distribution:
        """All of them."""
        return Distribution(counts=tuple(self._counts), sum_seconds=round(self._sum_seconds, 3))
