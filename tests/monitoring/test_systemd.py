"""Does systemd hear of a service what it waits for, by its socket's protocol?"""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cloudgate.monitoring.health import Health
from cloudgate.monitoring.systemd import Notifier, keep_informed
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["file", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """An address as systemd names it in the environment, and who listens there."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@cloudgate-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        listener.setblocking(False)
        yield name, listener


async def said(listener: socket.socket) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return (await asyncio.get_running_loop().sock_recv(listener, 65536)).decode()


async def test_it_says_ready_lives_how_it_is_and_that_it_ends(
    heard: tuple[str, socket.socket],
) -> None:
    address, listener = heard
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000"})
    problems = {"disk": ""}
    health = Health({"disk": lambda: problems["disk"]}, clock_seconds=iter(range(10**6)).__next__)
    informing = asyncio.ensure_future(keep_informed(notifier, health, lambda: "all is\nwell"))
    assert await said(listener) == "READY=1"
    found = {await said(listener) for _ in range(4)}
    assert found == {"WATCHDOG=1", "STATUS=ready: all is well"}
    informing.cancel()
    with suppress(asyncio.CancelledError):
        await informing
    while (last := await said(listener)) == "WATCHDOG=1":
        pass
    assert last == "STOPPING=1"


async def test_a_process_that_goes_on_as_another_program_says_that_it_reloads(
    heard: tuple[str, socket.socket],
) -> None:
    address, listener = heard
    notifier, health = Notifier({"NOTIFY_SOCKET": address}), Health({})
    informing = asyncio.ensure_future(
        keep_informed(notifier, health, lambda: "well", starts_anew=lambda: True)
    )
    assert await said(listener) == "READY=1"
    informing.cancel()
    with suppress(asyncio.CancelledError):
        await informing
    while (last := await said(listener)).startswith("STATUS="):
        pass
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    name, microseconds = last.split("\n")
    assert name == "RELOADING=1"
    assert 0 <= now - int(microseconds.removeprefix("MONOTONIC_USEC=")) < 60_000_000


async def test_what_keeps_it_from_being_ready_is_its_status(
    heard: tuple[str, socket.socket],
) -> None:
    address, listener = heard
    health = Health({"disk": lambda: "it is full"})
    informing = asyncio.ensure_future(
        keep_informed(Notifier({"NOTIFY_SOCKET": address}), health, lambda: "well")
    )
    assert await said(listener) == "READY=1"
    assert await said(listener) == "STATUS=not ready: disk: it is full"
    informing.cancel()
    with suppress(asyncio.CancelledError):
        await informing


def test_the_watchdog_is_served_three_times_in_its_interval_and_only_by_who_is_meant() -> None:
    asked = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "60000000"}
    assert Notifier(asked).watchdog_seconds == 60
    assert Notifier(asked | {"WATCHDOG_PID": str(os.getpid())}).watchdog_seconds == 60
    for other in (
        {"WATCHDOG_PID": str(os.getpid() + 1)},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "²"},
    ):
        assert Notifier(asked | other).watchdog_seconds is None


def test_a_socket_that_is_gone_or_full_holds_nobody_up(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nothing")}).notify("READY=1")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / ("long" * 50))}).notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "full"))
        full = Notifier({"NOTIFY_SOCKET": str(tmp_path / "full")})
        for _ in range(5000):
            full.notify("WATCHDOG=1")
