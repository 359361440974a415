"""How many bytes does a proxy move for a second of its core?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.load import Load
from bench.proxies import GATEWAY, HAPROXY, Proxy
from bench.report import Goal, Section, table
from bench.tunnels import DOWNLOAD, UPLOAD

WANTED_RATIO = 1.2
WARM_UP_SECONDS = 0.4
GIGABYTE = 1e9
MANY = 256
MANY_NOTE = (
    f"With {MANY} connections load and proxies share the cores, and who gets them changes from"
    " round to round: GB/s say nothing there. CPU seconds for a GB do, as far as the spreads of two"
    " proxies, in brackets, do not overlap."
)
KINDS = tuple((way, count) for way in (UPLOAD, DOWNLOAD) for count in (1, 16, MANY))
"""Direction, and connections at once."""

Kind = tuple[bytes, int]


@dataclass(frozen=True)
class Flow:
    """What went through a proxy, and what that has cost."""

    moved_bytes: int
    cpu: float
    """Seconds of CPU."""
    seconds: float


@dataclass
class Figures:
    """Gigabytes per second and core, a figure for each round."""

    rounds: dict[tuple[str, Kind], list[float]] = field(default_factory=dict)
    speeds: dict[tuple[str, Kind], list[float]] = field(default_factory=dict)
    """Gigabytes per second, whoever had the cores."""

    def add(self, name: str, kind: Kind, flow: "Flow") -> None:
        """Note what a proxy reached in a round."""
        self.rounds.setdefault((name, kind), []).append(flow.moved_bytes / GIGABYTE / flow.cpu)
        self.speeds.setdefault((name, kind), []).append(flow.moved_bytes / GIGABYTE / flow.seconds)

    def seconds_per_gigabyte(self, name: str, kind: Kind) -> list[float]:
        """CPU time for a gigabyte, a figure for each round, the lowest first."""
        return sorted(1 / each for each in self.rounds[name, kind])

    def typical(self, name: str, kind: Kind) -> float:
        """The median of all rounds."""
        return median(self.rounds[name, kind])

    def ratio(self, name: str, other: str, kind: Kind) -> float:
        """How many times as good as another, compared round by round."""
        pairs = zip(self.rounds[name, kind], self.rounds[other, kind], strict=True)
        return median(mine / its for mine, its in pairs)


def measure(load: Load, proxies: Sequence[Proxy], rounds: int, seconds: float) -> Section:
    """Compare proxies in alternation."""
    figures = Figures()
    for number in range(rounds):
        for kind in KINDS:
            for each in _turned(proxies, number):
                figures.add(each.name, kind, _flow(load, each, kind, seconds))
    names = [each.name for each in proxies]
    body = f"{_table(figures, names)}\n\n{MANY_NOTE}\n\n{_table_of_many(figures, names)}"
    return Section("Throughput", _note(rounds, seconds), body, _goals(figures))


def _turned(proxies: Sequence[Proxy], by: int) -> list[Proxy]:
    first = by % len(proxies)
    return [*proxies[first:], *proxies[:first]]


def _flow(load: Load, proxy: Proxy, kind: Kind, seconds: float) -> Flow:
    with load.flowing(proxy.way, *kind):
        time.sleep(WARM_UP_SECONDS)
        moved, used, began = load.transferred_bytes(), _cpu_seconds(proxy), time.monotonic()
        time.sleep(seconds)
        moved, used = load.transferred_bytes() - moved, _cpu_seconds(proxy) - used
        return Flow(moved, used, time.monotonic() - began)


def _cpu_seconds(proxy: Proxy) -> float:
    return proxy.cpu_seconds() + proxy.authorizer_cpu_seconds()


def _note(rounds: int, seconds: float) -> str:
    return (
        "TLS 1.3 in, TCP out. Gigabytes per second and core: bytes moved by CPU time used, in"
        " brackets how many times HAProxy's. The gateway's figure includes its host service."
        f" Median of {rounds} rounds of {seconds:g} seconds."
    )


def _table(figures: Figures, names: Sequence[str]) -> str:
    head = ["GB/s per core", *(_title(kind) for kind in KINDS)]
    rows = [[name, *(_cell(figures, name, kind) for kind in KINDS)] for name in names]
    return table(head, rows)


def _table_of_many(figures: Figures, names: Sequence[str]) -> str:
    kinds = [kind for kind in KINDS if kind[1] == MANY]
    head = ["", *(f"{_title(kind)}: {what}" for kind in kinds for what in ("CPU s/GB", "GB/s"))]
    rows = [
        [name, *(cell for kind in kinds for cell in _cells_of_many(figures, name, kind))]
        for name in names
    ]
    return table(head, rows)


def _cells_of_many(figures: Figures, name: str, kind: Kind) -> tuple[str, str]:
    costs, speeds = figures.seconds_per_gigabyte(name, kind), sorted(figures.speeds[name, kind])
    return _spread(costs), _spread(speeds)


def _spread(figures: Sequence[float]) -> str:
    return f"{median(figures):.2f} ({figures[0]:.2f} - {figures[-1]:.2f})"


def _title(kind: Kind) -> str:
    direction, connections = kind
    what = "upload" if direction == UPLOAD else "download"
    return f"{what}, {connections} connection{'s' if connections > 1 else ''}"


def _cell(figures: Figures, name: str, kind: Kind) -> str:
    return f"{figures.typical(name, kind):.2f} ({figures.ratio(name, HAPROXY, kind):.2f})"


def _goals(figures: Figures) -> tuple[Goal, ...]:
    others = {name for name, _ in figures.rounds} - {GATEWAY}
    to_haproxy = [figures.ratio(GATEWAY, HAPROXY, kind) for kind in KINDS]
    to_best = [min(figures.ratio(GATEWAY, other, kind) for other in others) for kind in KINDS]
    return (
        _goal("GB per core, against HAProxy's defaults", WANTED_RATIO, to_haproxy),
        _goal("GB per core, against the best of the others", 1.0, to_best),
    )


def _goal(name: str, wanted: float, ratios: Sequence[float]) -> Goal:
    reached = f"{min(ratios):.2f} to {max(ratios):.2f} times"
    return Goal(name, f"at least {wanted:.2f} times", reached, round(min(ratios), 2) >= wanted)
