"""Exposition: how are figures written for Prometheus? Pure.

The text format (https://prometheus.io/docs/instrumenting/exposition_formats/) and OpenMetrics 1.0
(https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md).
"""

from collections.abc import Iterable, Sequence
from functools import cache

from cloudgate.monitoring.metrics_table import METRICS, TABLE, Kind, Metric

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def media_type(accept: str) -> str:
    """The format for an Accept header: OpenMetrics where it is asked for."""
    return OPEN_METRICS if "application/openmetrics-text" in accept.lower() else TEXT


def escaped(value: str) -> str:
    """A label's value as both formats write it."""
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return value


def labels_text(names: Sequence[str], values: Sequence[str]) -> str:
    """Labels, without the braces around them."""
    pairs = zip(names, values, strict=True)
    return ",".join([f'{name}="{escaped(value)}"' for name, value in pairs])


def number(value: float) -> str:
    """A value as both formats write it."""
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def sample(metric: Metric, labels: str, value: float) -> str:
    """A line."""
    shown = f"{{{labels}}}" if labels else ""
    return f"{metric.name}{shown} {number(value)}\n"


def histogram(metric: Metric, labels: str, counts: Sequence[int], total: float) -> str:
    """The lines of a histogram.

    Args:
        metric: which.
        labels: as of `labels_text`.
        counts: how many fell into each of its buckets, and how many above them all.
        total: the sum of what was observed.
    """
    name, before = metric.name, f"{labels}," if labels else ""
    lines, so_far = [], 0
    for bound, count in zip(_bounds(metric.buckets), counts, strict=True):
        so_far += count
        lines.append(f"{name}_bucket{{{before}{bound} {so_far}\n")
    shown = f"{{{labels}}}" if labels else ""
    lines.append(f"{name}_sum{shown} {number(total)}\n{name}_count{shown} {so_far}\n")
    return "".join(lines)


@cache
def _bounds(buckets: tuple[float, ...]) -> tuple[str, ...]:
    """The last label of each bucket's line, and what closes it."""
    shown = (*(repr(float(each)) for each in buckets), "+Inf")
    return tuple(f'le="{each}"}}' for each in shown)


class Lines:
    """The lines of a page, by metric, as they are sent."""

    def __init__(self) -> None:
        self._lines: dict[str, list[bytes]] = {}

    def put(self, name: str, value: float | None, *values: str) -> None:
        """A value, with those of its labels; none when it is unknown."""
        if value is not None:
            metric = METRICS[name]
            made = sample(metric, labels_text(metric.labels, values), value)
            self._of(name).append(made.encode())

    def put_histogram(self, name: str, counts: Sequence[int], total: float, *values: str) -> None:
        """A histogram."""
        metric = METRICS[name]
        labels = labels_text(metric.labels, values)
        self._of(name).append(histogram(metric, labels, counts, total).encode())

    def put_lines(self, name: str, lines: Iterable[str]) -> None:
        """Lines that are made already."""
        self._of(name).append("".join(lines).encode())

    def put_blocks(self, name: str, blocks: Iterable[bytes]) -> None:
        """Lines that are encoded already."""
        self._of(name).extend(blocks)

    def add(self, others: "Lines") -> None:
        """Those of others, too."""
        for name, lines in others._lines.items():  # noqa: SLF001  of this class
            self._of(name).extend(lines)

    def _of(self, name: str) -> list[bytes]:
        return self._lines.setdefault(name, [])

    def render(self, form: str, end: str) -> list[bytes]:
        """The page in a format, a piece for each metric; what else is to be on it is at its end."""
        pieces = []
        for metric in TABLE:
            shown = b"".join(self._lines.get(metric.name, ()))
            if shown:
                pieces.append(heading(metric, form).encode() + shown)
        pieces.append(end.encode())
        return pieces


def heading(metric: Metric, form: str) -> str:
    """What stands before the lines of a metric."""
    name, kind = metric.name, metric.kind.value
    if form == OPEN_METRICS:
        # There a family is called without the suffix of its type.
        name = name.removesuffix("_total") if metric.kind is Kind.COUNTER else name
        name = name.removesuffix("_info") if metric.kind is Kind.INFO else name
    elif metric.kind is Kind.INFO:
        kind = Kind.GAUGE.value
    return f"# HELP {name} {escaped(metric.help)}\n# TYPE {name} {kind}\n"
