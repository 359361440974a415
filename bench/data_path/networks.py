"""Edited networks: how soon do edited networks take effect for new tunnels?"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.report import Goal, Section, table
from bench.testbed.gateway import provider
from bench.testbed.tunnels import (
    PATIENCE_SECONDS,
    TunnelRefusedError,
    client_context,
    open_tunnel,
)

WANTED_SECONDS = 1.0
HERE, ELSEWHERE = "127.0.0.0/8", "192.0.2.0/24"


def measure(folder: Path, edits: int) -> Section:
    """Edit a tenant's networks, so that it may come no more, and so that it may again."""
    with provider(folder, "acme") as (client, ways):
        context = client_context()
        (acme,) = client.http.get("/cloud/tenants").json()["Refs"]
        path = f"/cloud/tenants/{acme['UID'].rpartition(':')[2]}"

        def is_let_in() -> bool:
            try:
                open_tunnel(ways["acme"], context).close()
            except TunnelRefusedError as refusal:
                if " 403 " not in str(refusal):
                    raise
                return False
            return True

        def seconds(network: str, *, lets_in: bool) -> float:
            begin = time.perf_counter()
            body = {"AllowedNetworks": {"Networks": [network]}}
            client.http.put(path, json=body).raise_for_status()
            return _until(begin, lambda: is_let_in() is lets_in)

        kept_out, let_in = [], []
        for _ in range(edits):
            kept_out.append(seconds(ELSEWHERE, lets_in=False))
            let_in.append(seconds(HERE, lets_in=True))
    rows = [
        ("it is refused", *_shown(kept_out)),
        ("it is let in again", *_shown(let_in)),
    ]
    longest = max(*kept_out, *let_in)
    goal = Goal(
        "edited networks are in force for new tunnels",
        f"less than {WANTED_SECONDS:.0f} s",
        f"{longest:.2f} s",
        longest < WANTED_SECONDS,
    )
    note = (
        f"Milliseconds from `PUT /api/cloud/tenants/{{id}}` with other `AllowedNetworks` until a"
        f" new tunnel fares by them, of {edits} edits each way. Tunnels are opened one after the"
        " other."
    )
    return Section("Editing networks", note, table(("Until", "median", "longest"), rows), (goal,))


def _until(begin: float, holds: Callable[[], bool]) -> float:
    while not holds():
        if time.perf_counter() - begin > PATIENCE_SECONDS:
            raise RuntimeError("What was edited does not take effect.")
    return time.perf_counter() - begin


def _shown(seconds: list[float]) -> tuple[str, str]:
    return f"{1000 * statistics.median(seconds):.0f}", f"{1000 * max(seconds):.0f}"
