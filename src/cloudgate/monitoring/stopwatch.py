"""Stopwatch: how long did things take, as a distribution?"""

from bisect import bisect_left

from cloudgate.protocol import MOST_AMOUNT, SETUP_BUCKETS_SECONDS, Distribution
from cloudgate.protocol.bounds import bounded


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
        sum_seconds = bounded(round(self._sum_seconds, 3), MOST_AMOUNT)
        return Distribution(counts=tuple(self._counts), sum_seconds=sum_seconds)
