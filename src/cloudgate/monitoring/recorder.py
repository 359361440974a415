"""Recorder: what has happened in this process so far, as counts and distributions?

Recording is a lookup and an addition. It may be done in any thread.
"""

from bisect import bisect_left
from threading import Lock

from cloudgate.monitoring.exposition import Lines
from cloudgate.monitoring.metrics_table import METRICS

MOST_SERIES = 2000
"""Of one metric; labels have few values, and more than so many would be a fault."""


class Recorder:
    """Counts and distributions of metrics of the table, since the process began."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, dict[tuple[str, ...], float]] = {}
        self._times: dict[str, dict[tuple[str, ...], list[float]]] = {}

    def add(self, name: str, amount: float, *labels: str) -> None:
        """It is so much more, or less. With an amount of 0 it is shown before it ever happened."""
        with self._lock:
            series = self._counts.setdefault(name, {})
            if labels in series or len(series) < MOST_SERIES:
                series[labels] = series.get(labels, 0) + amount

    def observe(self, name: str, value: float, *labels: str) -> None:
        """It took so much once more."""
        buckets = METRICS[name].buckets
        with self._lock:
            series = self._times.setdefault(name, {})
            known = series.get(labels)
            if known is None:
                if len(series) >= MOST_SERIES:
                    return
                known = series[labels] = [0.0] * (len(buckets) + 2)  # the last is the sum
            known[bisect_left(buckets, value)] += 1
            known[-1] += value

    def write(self, lines: Lines) -> None:
        """Show all of it."""
        with self._lock:
            counts = {name: dict(series) for name, series in self._counts.items()}
            times = {
                name: {labels: tuple(known) for labels, known in series.items()}
                for name, series in self._times.items()
            }
        for name, series in counts.items():
            for labels, value in series.items():
                lines.put(name, value, *labels)
        for name, distributions in times.items():
            for labels, known in distributions.items():
                found = [int(each) for each in known[:-1]]
                lines.put_histogram(name, found, known[-1], *labels)
