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
KINDS = tuple((way, count) for way in (UPLOAD, DOWNLOAD) for count in (1, 16, 256))
"""Direction, and connections at once."""

Kind = tuple[bytes, int]


@dataclass
class Figures:
    """Gigabytes per second and core, a figure for each round."""

    rounds: dict[tuple[str, Kind], list[float]] = field(default_factory=dict)

    def add(self, name: str, kind: Kind, figure: float) -> None:
        """Note what a proxy reached in a round."""
        self.rounds.setdefault((name, kind), []).append(figure)

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
                figures.add(each.name, kind, _per_core(load, each, kind, seconds))
    names = [each.name for each in proxies]
    return Section("Throughput", _note(rounds, seconds), _table(figures, names), _goals(figures))


def _turned(proxies: Sequence[Proxy], by: int) -> list[Proxy]:
    first = by % len(proxies)
    return [*proxies[first:], *proxies[:first]]


def _per_core(load: Load, proxy: Proxy, kind: Kind, seconds: float) -> float:
    with load.flowing(proxy.way, *kind):
        time.sleep(WARM_UP_SECONDS)
        moved, used = load.transferred_bytes(), _cpu_seconds(proxy)
        time.sleep(seconds)
        moved, used = load.transferred_bytes() - moved, _cpu_seconds(proxy) - used
    return moved / GIGABYTE / used


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
