"""Fairness: what does each of two tenants get of a gateway that is full?"""

import time
from contextlib import ExitStack
from pathlib import Path

from bench.report import Goal, Section, table
from bench.testbed.load import Load, load
from bench.testbed.machine import PROXY_CORES, pinned
from bench.testbed.tunnels import UPLOAD, Way, connect_request
from tests.support.ports import free_port
from tests.support.running.product import product

SHARES = {"acme": 16, "other": 1}
"""Tunnels of each."""
WARM_UP_SECONDS = 8.0
"""Until the shares have settled."""
WANTED_AT_FIRST, WANTED_PART = 0.15, 0.45
_TENANT_PASSWORD = "p4ssword"


def measure(folder: Path, seconds: float) -> Section:
    """Let both upload as fast as they can, one with many tunnels and one with one."""
    folder.mkdir()
    with ExitStack() as stack:
        with pinned(PROXY_CORES):
            started = stack.enter_context(product(folder / "data"))
        client = stack.enter_context(started.client())
        port = free_port()
        client.create_gateway(port)
        works: dict[str, Load] = {}
        for name, tunnels in SHARES.items():
            works[name] = work = stack.enter_context(load())
            target = f"{name}.example:443"
            vault = client.add_repository(name, target, f"127.0.0.1:{work.port}")
            client.add_tenant(name, _TENANT_PASSWORD, vault)
            way = Way(port, connect_request(target, name, _TENANT_PASSWORD))
            stack.enter_context(work.flowing(way, UPLOAD, tunnels, clients=1))
        first = _speeds(works, 1.0)
        time.sleep(WARM_UP_SECONDS)
        shared = _speeds(works, seconds)
    rows = [
        (name, f"{tunnels}", f"{first[name]:.0f}", f"{shared[name]:.0f}")
        for name, tunnels in SHARES.items()
    ]
    at_first, part = (each["other"] / sum(each.values()) for each in (first, shared))
    goal = Goal(
        "What a tenant with 1 tunnel gets beside one with 16, in its first second and then",
        f"at least {WANTED_AT_FIRST:.0%}, {WANTED_PART:.0%}",
        f"{at_first:.0%}, {part:.0%}",
        at_first >= WANTED_AT_FIRST and part >= WANTED_PART,
    )
    note = "MB/s of uploads, in the first second and when the shares have settled."
    return Section(
        "Sharing a full gateway",
        note,
        table(("Tenant", "tunnels", "at first", "then"), rows),
        (goal,),
    )


def _speeds(works: dict[str, Load], seconds: float) -> dict[str, float]:
    before = {name: work.transferred_bytes() for name, work in works.items()}
    time.sleep(seconds)
    return {
        name: (work.transferred_bytes() - before[name]) / seconds / 1e6
        for name, work in works.items()
    }
