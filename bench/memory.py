"""How much memory does an idle tunnel hold?"""

import time
from collections.abc import Sequence

from bench.load import Load
from bench.proxies import GATEWAY, Proxy
from bench.report import Goal, Section, table

WANTED_KIB = 36.0
FIRST_TUNNELS = 20
"""Opened and closed beforehand, so that what is made once is not counted."""
SETTLE_SECONDS = 1.0


def measure(load: Load, proxies: Sequence[Proxy], tunnels: int) -> Section:
    """Compare proxies that have carried nothing yet: memory once had is used again."""
    grown = {each.name: _grown_kib(load, each, tunnels) for each in proxies}
    rows = [(name, f"{kib:.1f}") for name, kib in grown.items()]
    note = (
        f"Growth of the process (PSS) by {tunnels} open tunnels that were used once; the gateway's"
        " figure includes its host service."
    )
    reached = grown[GATEWAY]
    goal = Goal(
        "memory of an idle tunnel",
        f"less than {WANTED_KIB:.0f} KiB",
        f"{reached:.1f} KiB",
        reached < WANTED_KIB,
    )
    return Section("Idle tunnels", note, table(("", "KiB per tunnel"), rows), (goal,))


def _grown_kib(load: Load, proxy: Proxy, tunnels: int) -> float:
    with load.holding(proxy.way, FIRST_TUNNELS):
        pass
    time.sleep(SETTLE_SECONDS)
    before = proxy.memory_kib()
    with load.holding(proxy.way, tunnels):
        time.sleep(SETTLE_SECONDS)
        return (proxy.memory_kib() - before) / tunnels
