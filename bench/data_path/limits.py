"""Limits: does a tenant keep to the speed that it was sold, from the first byte on?"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.report import Goal, Section, table
from tests.support.observation.arrivals import (
    DOWNLOAD,
    UPLOAD,
    Arrivals,
    Course,
    Tenant,
    course,
    endless_repository,
)
from tests.support.ports import free_port
from tests.support.running.product import Client, product
from tests.support.running.tunnel import open_tunnel

MEGABYTES = (1, 10)
SHAPES: dict[str, dict[str, float]] = {
    "1 tunnel": {"count": 1},
    "16 at once": {"count": 16},
    "a new one every second": {"count": 1, "every_seconds": 1.0},
}
MOST_IN_A_SECOND = 1.5
EVENNESS = 0.2
LONGEST_PAUSE_SECONDS = 0.25
_PASSWORD = "p4ssword"


def measure(folder: Path, seconds: float) -> Section:
    """Let tenants of two limits send and fetch as fast as they can."""
    folder.mkdir()
    rows, met = [], True
    for where, found in _courses(folder, seconds):
        kept = _is_kept(found)
        met = met and kept
        rows.append(
            (
                *where,
                f"{found.first_second:.2f}",
                f"{found.most_in_a_second:.2f}",
                f"{found.least_in_two_seconds:.2f} - {found.most_in_two_seconds:.2f}",
                f"{1000 * found.longest_pause_seconds:.0f}",
                "kept" if kept else "not kept",
            )
        )
    head = (
        "Limit",
        "direction",
        "tunnels",
        "first second",
        "most in a second",
        "two seconds",
        "longest pause ms",
        "",
    )
    note = "Bytes that arrived, as parts of what the limit allows in that time."
    goal = Goal(
        "Speed limit: in any second, then over two, and the longest pause",
        f"{MOST_IN_A_SECOND:g} x, {1 - EVENNESS:g} - {1 + EVENNESS:g} x,"
        f" {1000 * LONGEST_PAUSE_SECONDS:.0f} ms",
        f"{sum(row[-1] == 'kept' for row in rows)} of {len(rows)} rows",
        met,
    )
    return Section("Speed limits", note, table(head, rows), (goal,))


def _is_kept(found: Course) -> bool:
    return (
        found.most_in_a_second <= MOST_IN_A_SECOND
        and found.least_in_two_seconds >= 1 - EVENNESS
        and found.most_in_two_seconds <= 1 + EVENNESS
        and found.longest_pause_seconds <= LONGEST_PAUSE_SECONDS
    )


def _courses(folder: Path, seconds: float) -> Iterator[tuple[tuple[str, str, str], Course]]:
    with ExitStack() as stack:
        started = stack.enter_context(product(folder / "data"))
        client = stack.enter_context(started.client())
        port = free_port()
        client.create_gateway(port)
        for megabytes in MEGABYTES:
            limit = megabytes * 1024 * 1024
            for number, (shape, how) in enumerate(SHAPES.items()):
                for direction, word in ((UPLOAD, "up"), (DOWNLOAD, "down")):
                    name = f"t{megabytes}-{number}-{word}"
                    arrivals, target = Arrivals(), f"{name}.example:443"
                    address = stack.enter_context(endless_repository(arrivals))
                    _add(client, name, megabytes, client.add_repository(name, target, address))
                    tenant = Tenant(port, started.ca_file, target, f"{name}:{_PASSWORD}")
                    _await(tenant)
                    with tenant.flowing(direction, arrivals, **how):  # type: ignore[arg-type]
                        time.sleep(seconds + 0.5)
                    yield (f"{megabytes} MB/s", word, shape), course(arrivals, limit, seconds)


def _add(client: Client, name: str, megabytes: int, vault: str) -> None:
    resource = {"Name": "quota", "RepositoryUid": vault, "QuotaMb": 10240}
    spec = {
        "Name": name,
        "Password": _PASSWORD,
        "ThrottlingEnabled": True,
        "ThrottlingSpeedLimit": megabytes,
        "ThrottlingSpeedUnit": "MBps",
        "Resources": {"BackupResources": [resource]},
    }
    client.done(client.http.post("/cloud/tenants", json=spec))


def _await(tenant: Tenant) -> None:
    """Until the gateway knows the tenant."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        tunnel = open_tunnel(tenant.port, tenant.ca_file, tenant.target, tenant.login)
        tunnel.close()
        if tunnel.status == 200:
            time.sleep(1.5)
            return
        time.sleep(0.1)
