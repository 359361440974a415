"""Throughput: how many bytes does a proxy move for a second of its core?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.report import Goal, Section, table
from bench.testbed.load import Load
from bench.testbed.proxies import GATEWAY, GATEWAY_BY_HTTP, HAPROXY, Proxy
from bench.testbed.tunnels import DOWNLOAD, UPLOAD

WANTED_RATIO = 1.25
"""How many times HAProxy's GB for a second of CPU, with few connections."""
GIGABYTE = 1e9
FEW = (1, 16)
MANY = 256
FEWEST_ROUNDS = 5
"""That tell two proxies apart when they agree: by chance all of five do in one of sixteen cases."""
KINDS = tuple((way, count) for way in (UPLOAD, DOWNLOAD) for count in (*FEW, MANY))
"""Direction, and connections at once."""

Kind = tuple[bytes, int]


@dataclass(frozen=True)
class Flow:
    """What went through a proxy, and what that has cost."""

    moved_bytes: int
    cpu: float
    """Seconds of CPU."""
    host_cpu: float = 0.0
    """Those of the host service among them."""


@dataclass
class Figures:
    """Gigabytes for a second of CPU, a figure for each round."""

    rounds: dict[tuple[str, Kind], list[float]] = field(default_factory=dict)
    host: dict[tuple[str, Kind], list[float]] = field(default_factory=dict)
    """CPU seconds for a gigabyte, those of the host service alone."""

    def add(self, name: str, kind: Kind, flow: "Flow") -> None:
        """Note what a proxy reached in a round."""
        self.rounds.setdefault((name, kind), []).append(flow.moved_bytes / GIGABYTE / flow.cpu)
        self.host.setdefault((name, kind), []).append(flow.host_cpu / flow.moved_bytes * GIGABYTE)

    def seconds_per_gigabyte(self, name: str, kind: Kind) -> list[float]:
        """CPU time for a gigabyte, a figure for each round."""
        return [1 / each for each in self.rounds[name, kind]]

    def typical(self, name: str, kind: Kind) -> float:
        """The median of all rounds."""
        return median(self.rounds[name, kind])

    def ratios(self, name: str, other: str, kind: Kind) -> list[float]:
        """How many times as good as another in each round."""
        pairs = zip(self.rounds[name, kind], self.rounds[other, kind], strict=True)
        return [mine / its for mine, its in pairs]

    def ratio(self, name: str, other: str, kind: Kind) -> float:
        """How many times as good as another, compared round by round."""
        return median(self.ratios(name, other, kind))


def measure(load: Load, proxies: Sequence[Proxy], rounds: int, volume_bytes: int) -> Section:
    """Compare proxies in alternation."""
    figures = Figures()
    for number in range(rounds):
        for kind in KINDS:
            for each in _turned(proxies, number):
                figures.add(each.name, kind, _flow(load, each, kind, volume_bytes))
    names = [each.name for each in proxies]
    body = "\n\n".join((_table(figures, names), _table_of_costs(figures, names), _told(figures)))
    return Section("Throughput", _note(rounds, volume_bytes), body, _goals(figures))


def _turned(proxies: Sequence[Proxy], by: int) -> list[Proxy]:
    first = by % len(proxies)
    return [*proxies[first:], *proxies[:first]]


def _flow(load: Load, proxy: Proxy, kind: Kind, volume_bytes: int) -> Flow:
    with load.about_to_move(proxy.way, *kind, volume_bytes) as move:
        own, host = proxy.cpu_seconds(), proxy.authorizer_cpu_seconds()
        moved = move()
        host = proxy.authorizer_cpu_seconds() - host
        return Flow(moved, proxy.cpu_seconds() - own + host, host)


def _note(rounds: int, volume_bytes: int) -> str:
    return (
        "TLS 1.3 in, TCP out, in segments as Ethernet carries. Gigabytes per second and core: bytes"
        " moved by CPU time used, in brackets how many times HAProxy's. The gateway's figure"
        " includes its host service."
        f" Median of {rounds} rounds, by turns, of {volume_bytes / GIGABYTE:.2g} GB each from the"
        " first byte that a client sends to the last that arrives."
    )


def _table(figures: Figures, names: Sequence[str]) -> str:
    head = ["GB/s per core", *(_title(kind) for kind in KINDS)]
    rows = [[name, *(_cell(figures, name, kind) for kind in KINDS)] for name in names]
    return table(head, rows)


def _table_of_costs(figures: Figures, names: Sequence[str]) -> str:
    head = ["CPU s per GB", *(_title(kind) for kind in KINDS)]
    rows = [
        [name, *(_spread(figures.seconds_per_gigabyte(name, kind)) for kind in KINDS)]
        for name in names
    ]
    host = [_spread(figures.host[GATEWAY, kind]) for kind in KINDS]
    return table(head, [*rows, [f"{GATEWAY}, its host service alone", *host]])


def _spread(figures: Sequence[float]) -> str:
    return f"{median(figures):.2f} ({min(figures):.2f} - {max(figures):.2f})"


def _title(kind: Kind) -> str:
    direction, connections = kind
    what = "upload" if direction == UPLOAD else "download"
    return f"{what}, {connections} connection{'s' if connections > 1 else ''}"


def _cell(figures: Figures, name: str, kind: Kind) -> str:
    return f"{figures.typical(name, kind):.2f} ({figures.ratio(name, HAPROXY, kind):.2f})"


def _told(figures: Figures) -> str:
    others = _others(figures)
    lines = [f"- {_title(kind)}: {_told_of(figures, others, kind)}." for kind in KINDS]
    return "\n".join(
        (f"CPU time of {GATEWAY}, as many times others' in the same round:", "", *lines)
    )


def _told_of(figures: Figures, others: Sequence[str], kind: Kind) -> str:
    found: dict[str, list[str]] = {}
    for other in others:
        ratios = [1 / each for each in figures.ratios(GATEWAY, other, kind)]
        found.setdefault(verdict(ratios), []).append(f"{other} {_spread(ratios)}")
    return "; ".join(f"{what} {', '.join(of)}" for what, of in sorted(found.items()))


def verdict(ratios: Sequence[float]) -> str:
    """What may be said of costs that are so many times another's in each of several rounds."""
    if len(ratios) < FEWEST_ROUNDS or min(ratios) <= 1 <= max(ratios):
        return "not to be told from"
    return "less than" if max(ratios) < 1 else "more than"


def _others(figures: Figures) -> list[str]:
    ours = {GATEWAY, GATEWAY_BY_HTTP}
    return [name for name in dict.fromkeys(name for name, _ in figures.rounds) if name not in ours]


def _goals(figures: Figures) -> tuple[Goal, ...]:
    few = [kind for kind in KINDS if kind[1] in FEW]
    to_haproxy = [figures.ratio(GATEWAY, HAPROXY, kind) for kind in few]
    many = [kind for kind in KINDS if kind[1] == MANY]
    to_best = [
        max(1 / figures.ratio(GATEWAY, other, kind) for other in _others(figures)) for kind in many
    ]
    return (
        Goal(
            f"GB per core, {' and '.join(map(str, FEW))} connections, against HAProxy's defaults",
            f"at least {WANTED_RATIO:.2f} times",
            _range(to_haproxy),
            round(min(to_haproxy), 2) >= WANTED_RATIO,
        ),
        Goal(
            f"CPU time for a GB, {MANY} connections, against the best of the others",
            "at most 1.00 times",
            _range(to_best),
            round(max(to_best), 2) <= 1,
        ),
    )


def _range(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f} times"
