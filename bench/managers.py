"""What does a second manager cost, and what is lost when one dies? PostgreSQL beside SQLite."""

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import many_at_two
from bench.deaths import kill_while_writing
from bench.report import Goal, Section, table
from cloudgate.host.monitoring.figures import cpu_seconds
from tests.support.managers import Managers, add_site, spec, start, two_managers
from tests.support.postgres import new_server
from tests.support.product import Client
from tests.support.watched import Site

READS, WRITES = 400, 100
IDLE_SECONDS = 10.0
WANTED_SECONDS = 15.0
"""Within which another manager leads."""
WANTED_IDLE = 0.02
"""Of a core."""
WANTED_WRITES, WRITERS, WRITING_SECONDS = 100, 4, 8.0
"""A second; operators at each manager."""
WANTED_TOLD_SECONDS = 1.0


def measure(folder: Path, rounds: int) -> Section:
    """Calls at one manager and at two, and `rounds` deaths of the one that leads, while writing."""
    folder.mkdir()
    (folder / "sqlite").mkdir()
    server, rows = new_server(), []
    with ExitStack() as stack:
        alone = Site(folder / "sqlite", stack)
        with alone.client() as client:
            add_site(client)
            rows.append(_calls("one on SQLite", client, [alone]))
    with ExitStack() as stack:
        server.run("CREATE DATABASE one TEMPLATE template0")
        (folder / "one").mkdir()
        alone = start(folder / "one", server.url("one"), stack)
        with alone.client() as client:
            add_site(client)
            rows.append(_calls("one on PostgreSQL", client, [alone]))
    server.run("CREATE DATABASE two TEMPLATE template0")
    (folder / "two").mkdir()
    with two_managers(folder / "two", server.url("two")) as both:
        leader, other = both.leading()
        idle = _idle([leader, other])
        with leader.client() as client:
            rows.append(_calls("two, the one that leads is asked", client, both.sites))
        with other.client() as client:
            rows.append(_calls("two, the other one is asked", client, both.sites))
        written = _writes_a_second(both)
        deaths = kill_while_writing(both, rounds)
    server.run("CREATE DATABASE many TEMPLATE template0")
    filled = many_at_two.prepare(folder / "many" / "one" / "manager", server.url("many"))
    with two_managers(folder / "many", server.url("many"), is_filled=True) as both:
        many = asyncio.run(many_at_two.measure(both, filled))
    server.stop()
    waits = deaths.waits_seconds or [0.0]
    goals = (
        Goal(
            "another manager leads after a kill -9",
            f"<= {WANTED_SECONDS:g} s",
            f"{max(waits):.1f} s, median {median(waits):.1f} of {len(waits)}",
            max(waits) <= WANTED_SECONDS,
        ),
        Goal(
            f"writes that were accepted and are lost, of {deaths.rounds} rounds",
            "0",
            f"{deaths.lost} of {deaths.accepted} ({deaths.asked} were asked for)",
            deaths.lost == 0,
        ),
        Goal(
            "tunnels that were cut meanwhile",
            "0",
            f"{deaths.cut} of {deaths.tunnels}, which carried {deaths.carried_bytes / 1e6:.0f} MB",
            deaths.cut == 0,
        ),
        Goal(
            f"writes a second, of {2 * WRITERS} operators at both",
            f">= {WANTED_WRITES}",
            f"{written:.0f}",
            written >= WANTED_WRITES,
        ),
        Goal(
            f"a change at either, at {many_at_two.TOLD} hosts over both, in 99 of 100",
            f"<= {WANTED_TOLD_SECONDS:g} s",
            f"{many.p99_seconds:.2f} s, median {many.median_seconds:.2f}",
            many.p99_seconds <= WANTED_TOLD_SECONDS,
        ),
        Goal(
            f"of {many_at_two.HOSTS} hosts shown offline while one that leads dies",
            "0",
            f"{many.shown_offline}; all had heard of a change after {many.all_again_seconds:.1f} s",
            many.shown_offline == 0,
        ),
        Goal(
            "of a core, an idle manager",
            f"<= {WANTED_IDLE:.0%}",
            f"{idle[0]:.1%} leads, {idle[1]:.1%} stands by",
            max(idle) <= WANTED_IDLE,
        ),
    )
    head = ("Managers", "GET of an entity: ms", "CPU ms", "POST: ms", "CPU ms")
    note = (
        f"One client, {READS} reads and {WRITES} writes; CPU of all managers together. Then"
        f" {rounds} times one of them is killed at a random moment, in seven of ten the one that"
        " leads, while operators write at both and tunnels carry data."
    )
    return Section("Managers", note, table(head, rows), goals)


def _calls(name: str, client: Client, sites: Iterable[Site]) -> tuple[str, ...]:
    pids = [each.manager.process.pid for each in sites]

    def took(count: int, call: str) -> tuple[str, str]:
        cpu, began = _cpu(pids), time.monotonic()
        for number in range(count):
            if call == "GET":
                client.http.get("/backupServers?format=Entity").raise_for_status()
            else:
                body = spec(f"{name.replace(' ', '-').replace(',', '')}{number}.example")
                client.http.post("/repositories", json=body).raise_for_status()
        wall = (time.monotonic() - began) / count
        return f"{wall * 1000:.1f}", f"{(_cpu(pids) - cpu) / count * 1000:.1f}"

    return (name, *took(READS, "GET"), *took(WRITES, "POST"))


def _writes_a_second(both: Managers) -> float:
    """How many are accepted, of operators at both who write without a pause."""
    until_seconds = time.monotonic() + WRITING_SECONDS

    def write(who: int) -> int:
        done, site = 0, both.sites[who % 2]
        with site.client() as client:
            while time.monotonic() < until_seconds:
                made = client.http.post("/repositories", json=spec(f"w{who}-{done}.example"))
                done += made.raise_for_status().is_success
        return done

    with ThreadPoolExecutor(2 * WRITERS) as writing:
        return sum(writing.map(write, range(2 * WRITERS))) / WRITING_SECONDS


def _cpu(pids: Iterable[int]) -> float:
    return sum(cpu_seconds(each) or 0.0 for each in pids)


def _idle(sites: Iterable[Site]) -> list[float]:
    pids = [each.manager.process.pid for each in sites]
    before = [_cpu([each]) for each in pids]
    time.sleep(IDLE_SECONDS)
    return [(_cpu([each]) - was) / IDLE_SECONDS for each, was in zip(pids, before, strict=True)]
