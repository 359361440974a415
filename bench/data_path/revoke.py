"""Revocation: how soon do a tenant's live tunnels end once it is disabled?"""

import selectors
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bench.report import Goal, Section, table
from bench.testbed.gateway import provider
from bench.testbed.tunnels import (
    PATIENCE_SECONDS,
    client_context,
    open_tunnel,
)

WANTED_SECONDS = 1.0
_AT_ONCE = 8


def measure(folder: Path, tunnels: int) -> Section:
    """Disable a tenant that has many tunnels while another one has one."""
    with ExitStack() as stack:
        client, ways = stack.enter_context(provider(folder, "acme", "other"))
        context = client_context()
        spared = stack.enter_context(open_tunnel(ways["other"], context))
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            opened = list(threads.map(lambda _: open_tunnel(ways["acme"], context), range(tunnels)))
        selector = stack.enter_context(selectors.DefaultSelector())
        for each in opened:
            stack.enter_context(each)
            each.settimeout(0)
            selector.register(each, selectors.EVENT_READ)
        refs = client.http.get("/cloud/tenants").json()["Refs"]
        (acme,) = (each for each in refs if each["Name"] == "acme")
        begin = time.perf_counter()
        uid = acme["UID"].rpartition(":")[2]
        client.http.put(f"/cloud/tenants/{uid}", json={"Enabled": False}).raise_for_status()
        answered = time.perf_counter() - begin
        ends = []
        while selector.get_map() and time.perf_counter() - begin < PATIENCE_SECONDS:
            for key, _ in selector.select(0.1):
                selector.unregister(key.fileobj)
                ends.append(time.perf_counter() - begin)
        spared.settimeout(PATIENCE_SECONDS)
        spared.sendall(b"P")
        if spared.recv(1) != b"p" or len(ends) != tunnels:
            raise RuntimeError(f"{len(ends)} of {tunnels} tunnels have ended.")
    rows = [
        ("the call is answered", f"{1000 * answered:.0f}"),
        ("the first tunnel has ended", f"{1000 * ends[0]:.0f}"),
        (f"all {tunnels} have ended", f"{1000 * ends[-1]:.0f}"),
    ]
    goal = Goal(
        f"{tunnels} tunnels of a tenant ended",
        f"less than {WANTED_SECONDS:.0f} s",
        f"{ends[-1]:.2f} s",
        ends[-1] < WANTED_SECONDS,
    )
    note = (
        "Milliseconds from `PUT /api/cloud/tenants/{id}` with `Enabled` false, as seen by the"
        " clients. Another tenant's tunnel goes on."
    )
    return Section("Revoking a tenant", note, table(("Until", "ms"), rows), (goal,))
