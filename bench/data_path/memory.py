"""Memory: how much memory does an idle tunnel hold?"""

import time
from collections.abc import Sequence

from bench.report import Goal, Section, table
from bench.testbed.load import Load
from bench.testbed.proxies import GATEWAY, Proxy

WANTED_KIB = 25.0
FIRST_PART = 20
"""One tunnel of so many is open before the first look, so that what is made once is not counted."""
SETTLE_SECONDS = 1.0
FIRST_SECONDS = 12.0
"""After the first ones: a host service makes its page of metrics for the first time within ten."""


def measure(load: Load, proxies: Sequence[Proxy], tunnels: int) -> Section:
    """Compare proxies that have carried nothing yet: memory once had is used again."""
    first = tunnels // FIRST_PART
    grown = {each.name: _grown_kib(load, each, first, tunnels) for each in proxies}
    rows = [(name, f"{kib:.1f}") for name, kib in grown.items()]
    note = (
        f"Growth of the process (PSS) for each tunnel, from {first} open ones to {tunnels},"
        " each used once; the gateway's figure includes its host service."
    )
    reached = grown[GATEWAY]
    goal = Goal(
        "memory of an idle tunnel",
        f"at most {WANTED_KIB:.0f} KiB",
        f"{reached:.1f} KiB",
        reached <= WANTED_KIB,
    )
    return Section("Idle tunnels", note, table(("", "KiB per tunnel"), rows), (goal,))


def _grown_kib(load: Load, proxy: Proxy, first: int, tunnels: int) -> float:
    with load.holding(proxy.way, first):
        time.sleep(FIRST_SECONDS)
        before = proxy.memory_kib()
        with load.holding(proxy.way, tunnels - first):
            time.sleep(SETTLE_SECONDS)
            return (proxy.memory_kib() - before) / (tunnels - first)
