"""Many hosts: what do many hosts cost the manager, and how soon does a change reach them?

The hosts are simulated: each holds its poll over a TLS connection of its own, as a host service
does. The manager is real, in a process of its own.
"""

import asyncio
import time
from pathlib import Path
from statistics import median

from bench.report import Goal, Section, table
from bench.testbed.accounting import cpu_seconds, memory_kib
from bench.testbed.gateway import host_service
from bench.testbed.simulated_hosts import FilledManager, fill, polling
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.sessions.accounts import ensure_administrator
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from tests.support.running.product import PASSWORD, Product, product

IDLE_HOSTS = 3000
TOLD_HOSTS = 1000
TENANTS = 1000
CHANGES = 10
IDLE_SECONDS = 30.0
MOST_OF_A_CORE = 0.15
WANTED_SECONDS = 0.5
WANTED_MIB = 80.0


def measure(folder: Path) -> Section:
    """A manager with many hosts, doing nothing and then changing a tenant."""
    data = folder / "data"
    filled = _fill(data)
    with product(data) as started:
        manager = started.process.pid
        idle = asyncio.run(_idle(started, filled, manager))
        taken, cpu_ms, sent = asyncio.run(_told(started, filled.some(TOLD_HOSTS), manager))
        seconds = median(taken)
        mib = memory_kib([host_service(manager)]) / 1024
    rows = [
        (f"{IDLE_HOSTS} hosts polling, nothing changes: part of a core", f"{idle:.3f}"),
        (
            f"a change of a tenant seen by {TOLD_HOSTS} hosts, ms; median, longest of {CHANGES}",
            f"{_ms(seconds)}, {_ms(max(taken))}",
        ),
        (f"manager CPU for telling {TOLD_HOSTS} hosts, ms", f"{cpu_ms:.0f}"),
        ("bytes for each host and change", f"{sent:,.0f}"),
        ("memory of an idle host service, MiB", f"{mib:.0f}"),
    ]
    goals = (
        Goal(
            f"{IDLE_HOSTS} hosts polling",
            f"less than {MOST_OF_A_CORE:.0%} of a core",
            f"{idle:.1%}",
            idle < MOST_OF_A_CORE,
        ),
        Goal(
            f"a change at {TOLD_HOSTS} hosts",
            f"less than {WANTED_SECONDS:g} s",
            f"{seconds:.2f} s",
            seconds < WANTED_SECONDS,
        ),
        Goal(
            "an idle host service",
            f"less than {WANTED_MIB:.0f} MiB",
            f"{mib:.0f} MiB",
            mib < WANTED_MIB,
        ),
    )
    note = "Simulated hosts at a real manager, each with a TLS connection of its own."
    return Section("Many hosts", note, table(("", "reached"), rows), goals)


def _fill(data: Path) -> FilledManager:
    """A data folder with hosts that have joined, and tenants."""
    data.mkdir(parents=True)
    (data / "tls").mkdir()
    database = Database(sqlite_url(data / "cloudgate.db"))
    manager = Manager(database, open_authority(data / "tls"), open_sealing(data))
    ensure_administrator(manager, PASSWORD)
    filled = fill(manager, IDLE_HOSTS, TENANTS)
    database.close()
    return filled


async def _idle(started: Product, filled: FilledManager, manager: int) -> float:
    """The part of a core that the manager takes while nothing changes."""
    async with polling(filled, started.ca_file, started.port):
        await asyncio.sleep(IDLE_SECONDS)  # all have connected, and have polled once more
        before, begin = cpu_seconds([manager]), time.monotonic()
        await asyncio.sleep(IDLE_SECONDS)
        return (cpu_seconds([manager]) - before) / (time.monotonic() - begin)


async def _told(
    started: Product, filled: FilledManager, manager: int
) -> tuple[list[float], float, float]:
    """Seconds until all have heard, CPU milliseconds of the manager, and bytes for each host."""
    with started.client() as client:
        async with polling(filled, started.ca_file, started.port) as (hosts, heard):
            first = client.http.get("/cloud/tenants").json()["Refs"][0]["Href"]
            await asyncio.sleep(1)
            taken, cpu, heard_before = [], [], sum(each.bytes_heard for each in hosts)
            for number in range(CHANGES):
                begin, before = time.monotonic(), cpu_seconds([manager])
                change = {"Description": f"change {number}"}
                await asyncio.to_thread(client.http.put, first, json=change)
                for _ in hosts:
                    await heard.get()
                taken.append(time.monotonic() - begin)
                cpu.append(1000 * (cpu_seconds([manager]) - before))
                await asyncio.sleep(0.2)
            sent = sum(each.bytes_heard for each in hosts) - heard_before
            return taken, median(cpu), sent / len(hosts) / CHANGES


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}"
