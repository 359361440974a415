"""What does somebody see who runs the connector in a terminal?"""

import asyncio
import os
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from cloudgate.connector.relay import Traffic
from cloudgate.connector.run import live_line
from cloudgate.network.hostport import HostPort
from tests.connector.support import Gateways, watched
from tests.support.running.tenant import PASSWORD

A, B = HostPort("a", 1), HostPort("b", 2)


@pytest.mark.anyio
async def test_who_watches_sees_tunnels_their_gateways_and_speeds_in_a_line_that_stays_clean(
    gateways: Gateways, ca_file: Path
) -> None:
    words = (f"localhost:{gateways.ports[0]}", "--tenant", "acme", "--ca", str(ca_file))
    speed = r"\d+\.\d MB/s up, \d+\.\d MB/s down"
    async with watched(*words, "-L", "0:repo.example:443", CLOUDGATE_TENANT_PASSWORD=PASSWORD) as (
        terminal,
        process,
    ):
        await terminal.shows(f"no tunnels, {speed}")
        leads, ready, _ = terminal.lines
        assert (leads.partition(" ")[2], ready) == ("leads to repo.example:443", "ready")

        port = int(leads.split()[0].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bytes(5_000_000))
        await reader.readexactly(5_000_000)
        shown = await terminal.shows(rf"1 tunnel \(by localhost:\d+\), {speed}")
        await terminal.shows(r".*, 0\.0 MB/s up, 0\.0 MB/s down")
        speeds = re.findall(rb"(\d+\.\d) MB/s", terminal.written)
        assert max(float(each) for each in speeds) > 1
        used = int(shown.partition("localhost:")[2].partition(")")[0])

        await gateways.lose(gateways.ports.index(used))
        await terminal.shows(rf"no tunnels \(the last by localhost:{used}\), {speed}")
        told = await terminal.shows(rf".*gateway lost.*{used}.*", above=True)
        assert "MB/s" not in told

        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        await terminal.shows("")
        writer.close()


@pytest.mark.anyio
async def test_who_watches_is_told_of_maintenance_above_the_line(
    gateways: Gateways, ca_file: Path
) -> None:
    words = ("--tenant", "acme", "--ca", str(ca_file), "-L", "0:repo.example:443")
    gateways.list(0, 1, 2, maintenance="New disks until 18:00.")
    async with watched(str(gateways.address(0)), *words, CLOUDGATE_TENANT_PASSWORD=PASSWORD) as (
        terminal,
        _,
    ):
        await terminal.shows(r"no tunnels, .*")
        told = await terminal.shows(r".*the provider is at work.*", above=True)
        assert "New disks until 18:00." in told
        leads = next(line for line in terminal.lines if "leads to" in line)
        gateways.list(0, 1, 2)
        _, writer = await asyncio.open_connection(
            "127.0.0.1", int(leads.split()[0].rpartition(":")[2])
        )
        await terminal.shows(r".*the provider's maintenance is over.*", above=True)
        assert sum("provider" in line for line in terminal.lines) == 2
        writer.close()


@pytest.mark.anyio
async def test_who_gave_no_password_is_asked_for_it_and_it_is_not_shown(
    gateways: Gateways, ca_file: Path
) -> None:
    words = ("--tenant", "acme", "--ca", str(ca_file), "-L", "0:repo.example:443")
    async with watched(str(gateways.address(0)), *words) as (terminal, _):
        await terminal.shows("Password of acme: ")
        os.write(terminal.ours, f"{PASSWORD}\n".encode())
        await terminal.shows("ready", above=True)
        assert PASSWORD not in terminal.written.decode()


@pytest.mark.parametrize(
    ("by", "last", "expected"),
    [
        ({}, None, "no tunnels, 11.8 MB/s up, 0.5 MB/s down"),
        ({A: 0}, A, "no tunnels (the last by a:1), 11.8 MB/s up, 0.5 MB/s down"),
        ({A: 1}, A, "1 tunnel (by a:1), 11.8 MB/s up, 0.5 MB/s down"),
        ({A: 2, B: 0}, B, "2 tunnels (by a:1), 11.8 MB/s up, 0.5 MB/s down"),
        ({A: 1, B: 2}, A, "3 tunnels (2 by b:2, 1 by a:1), 11.8 MB/s up, 0.5 MB/s down"),
    ],
)
def test_the_live_line_says_by_which_gateways_tunnels_go(
    by: dict[HostPort, int], last: HostPort | None, expected: str
) -> None:
    assert live_line(Traffic(by=Counter(by)), 12_345_678, 524_288, last=last) == expected
