"""Setup: what does it cost to set up a tunnel?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.report import Goal, Section, table
from bench.testbed.load import Load
from bench.testbed.proxies import GATEWAY, HAPROXY, Proxy

AT_ONCE = (1, 8)
WANTED_RATIO = 1.5
SETTLE_SECONDS = 0.3
"""How long a proxy has to tidy up after the last tunnel."""


@dataclass
class Cost:
    """What tunnels through one proxy have cost, in seconds, a figure for each round or tunnel."""

    proxy: list[float] = field(default_factory=list)
    authorizer: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    @property
    def typical(self) -> float:
        """The median of all CPU that a tunnel has cost."""
        return median(self.proxy) + median(self.authorizer)


def measure(load: Load, proxies: Sequence[Proxy], rounds: int, tunnels: int) -> Section:
    """Compare proxies in alternation, `tunnels` in each round."""
    costs = {(each.name, at_once): Cost() for each in proxies for at_once in AT_ONCE}
    for _ in range(rounds):
        for at_once in AT_ONCE:
            for each in proxies:
                _add(costs[each.name, at_once], load, each, tunnels, at_once)
    rows = [[name, str(at_once), *_figures(cost)] for (name, at_once), cost in costs.items()]
    head = ("Per tunnel", "at once", "proxy CPU ms", "authorizer CPU ms", "wall ms")
    return Section("Setting up a tunnel", _note(rounds * tunnels), table(head, rows), _goals(costs))


def _goals(costs: dict[tuple[str, int], Cost]) -> tuple[Goal, ...]:
    ratios = [
        costs[GATEWAY, at_once].typical / costs[HAPROXY, at_once].typical for at_once in AT_ONCE
    ]
    reached = f"{min(ratios):.2f} to {max(ratios):.2f} times"
    name = "CPU for a new tunnel, its check included, against HAProxy's TLS"
    wanted = f"at most {WANTED_RATIO:.1f} times"
    return (Goal(name, wanted, reached, max(ratios) <= WANTED_RATIO),)


def _add(cost: Cost, load: Load, proxy: Proxy, tunnels: int, at_once: int) -> None:
    used, used_by_authorizer = proxy.cpu_seconds(), proxy.authorizer_cpu_seconds()
    wall = load.open_one_by_one(proxy.way, tunnels, at_once)
    time.sleep(SETTLE_SECONDS)
    opened = len(wall) + at_once  # each client opens one before its clock starts
    cost.proxy.append((proxy.cpu_seconds() - used) / opened)
    cost.authorizer.append((proxy.authorizer_cpu_seconds() - used_by_authorizer) / opened)
    cost.wall += wall


def _figures(cost: Cost) -> list[str]:
    authorizer = median(cost.authorizer)
    return [
        f"{1000 * median(cost.proxy):.2f}",
        f"{1000 * authorizer:.2f}" if authorizer else "-",
        f"{1000 * median(cost.wall):.2f}",
    ]


def _note(tunnels: int) -> str:
    return (
        "TCP, a full TLS 1.3 handshake, for the gateway CONNECT with its password check, the"
        " connection to the repository, one byte there and one back, and the end of it all."
        f" {tunnels} tunnels one after the other, and as many by 8 clients; proxy and authorizer"
        " share one core."
    )
