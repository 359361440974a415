"""Creation of a gateway: how long does it take from the call to a gateway that answers?"""

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.report import Goal, Section, table
from bench.testbed.tunnels import PATIENCE_SECONDS, client_context
from tests.support.ports import free_port
from tests.support.running.product import Client, product

WANTED_SECONDS = 0.5
_LOOK_AGAIN_SECONDS = 0.005


class Times(NamedTuple):
    """Seconds since the call."""

    accepted: float
    """Answered with 202."""
    finished: float
    """The task is Finished."""
    open: float
    """A TLS handshake on the gateway's port succeeded."""


def measure(folder: Path, rounds: int) -> Section:
    """Create and delete a gateway again and again."""
    folder.mkdir()
    with product(folder / "data") as started, started.client() as client:
        taken = [_create(client) for _ in range(rounds)]
    names = ("202 Accepted", "TLS on the gateway's port", "task Finished")
    columns = ("accepted", "open", "finished")
    rows = [
        (name, *_figures([getattr(each, column) for each in taken]))
        for name, column in zip(names, columns, strict=True)
    ]
    reached = median(each.finished for each in taken)
    goal = Goal(
        "POST to Finished, median",
        f"less than {1000 * WANTED_SECONDS:.0f} ms",
        f"{1000 * reached:.0f} ms",
        reached < WANTED_SECONDS,
    )
    note = (
        "Milliseconds from `POST /api/cloud/gateways`. Envoy is started anew in each of"
        f" {rounds} rounds; all cores may be used."
    )
    head = ("Until", "median", "fastest", "slowest")
    return Section("Creating a gateway", note, table(head, rows), (goal,))


def _create(client: Client) -> Times:
    port = free_port()
    spec = {"ServerHostName": "localhost", "NetworkType": "Direct", "ExternalPort": port}
    with ThreadPoolExecutor(1) as watcher:
        start = time.perf_counter()
        opened = watcher.submit(_opened, port)
        answer = client.http.post("/cloud/gateways", json=spec)
        accepted = time.perf_counter()
        task = answer.raise_for_status().json()
        while task["State"] != "Finished" and time.perf_counter() - start < PATIENCE_SECONDS:
            time.sleep(_LOOK_AGAIN_SECONDS)
            task = client.http.get(task["Href"]).raise_for_status().json()
        finished = time.perf_counter()
        if task["State"] != "Finished" or task["Result"]["Success"] is not True:
            raise RuntimeError(f"There is no gateway: {task}")
        times = Times(accepted - start, finished - start, opened.result() - start)
    client.done(client.http.delete(client.gateway()["Href"]))
    return times


def _opened(port: int) -> float:
    context, deadline = client_context(), time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < deadline:
        try:
            _shake_hands(port, context)
        except OSError:
            time.sleep(_LOOK_AGAIN_SECONDS)
        else:
            break
    return time.perf_counter()


def _shake_hands(port: int, context: ssl.SSLContext) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as plain:
        context.wrap_socket(plain).close()


def _figures(seconds: list[float]) -> tuple[str, str, str]:
    return (
        f"{1000 * median(seconds):.0f}",
        f"{1000 * min(seconds):.0f}",
        f"{1000 * max(seconds):.0f}",
    )
