"""Two managers: what does the second cost, and what is lost when one dies?"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Barrier

from bench.managers import many_at_two
from bench.managers.api import HEADER, Caller
from bench.managers.deaths import kill_while_writing
from bench.managers.outage import AWAY_SECONDS, stop_while_writing
from bench.report import Goal, Section, table
from cloudgate.host.monitoring.figures import cpu_seconds
from tests.support.observation.monitored_product import Site
from tests.support.programs.postgres import new_server
from tests.support.running.managers import (
    PATIENCE_SECONDS,
    Managers,
    add_site,
    spec,
    start,
    two_managers,
)
from tests.support.running.product import Client

READS, WRITES = 400, 100
IDLE_SECONDS = 10.0
WANTED_SECONDS = 15.0
"""Within which another manager leads."""
WANTED_IDLE = 0.02
"""Of a core."""
WANTED_WRITES, WRITERS, WRITING_SECONDS = 100, 4, 8.0
"""A second; operators at each manager."""
WANTED_OF_SQLITE = 1.3
"""CPU of a GET that is read anew, beside one manager on SQLite."""
WANTED_TOLD_SECONDS = 1.0


def measure(folder: Path, rounds: int) -> Section:
    """Calls at one manager and at two, and `rounds` deaths of the one that leads, while writing."""
    folder.mkdir()
    (folder / "sqlite").mkdir()
    server, rows = new_server(), list[_Calls]()
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
        outage = stop_while_writing(both, server)
    server.run("CREATE DATABASE many TEMPLATE template0")
    filled = many_at_two.prepare(folder / "many" / "one" / "manager", server.url("many"))
    with two_managers(folder / "many", server.url("many"), is_filled=True) as both:
        many = asyncio.run(many_at_two.measure(both, filled))
    server.stop()
    waits = deaths.waits_seconds or [0.0]
    of_sqlite = rows[1].read[1] / rows[0].read[1]
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
            f"writes that were accepted and are lost, PostgreSQL away for {AWAY_SECONDS:.0f} s",
            "0",
            f"{outage.lost} of {outage.accepted} ({outage.asked} were asked for, {outage.refused}"
            f" answered with 503); the next one {outage.again_seconds:.1f} s after it was back",
            outage.lost == 0,
        ),
        Goal(
            f"writes a second, of {2 * WRITERS} operators at both",
            f">= {WANTED_WRITES}",
            f"{written.a_second:.0f}, each {written.cpu_ms:.1f} ms of both managers' CPU",
            written.a_second >= WANTED_WRITES,
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
        Goal(
            "CPU of a GET that is read anew, on PostgreSQL",
            f"<= {WANTED_OF_SQLITE:g} times SQLite's",
            f"{of_sqlite:.2f} times",
            of_sqlite <= WANTED_OF_SQLITE,
        ),
    )
    head = ("Managers", "GET of an entity: ms", "CPU ms", "read anew: ms", "CPU ms", "POST: ms")
    note = (
        f"One client, {READS} reads each way and {WRITES} writes; CPU of all managers together."
        f" Then {rounds} times one of them is killed at a random moment, in seven of ten the one"
        " that leads, while operators write at both and tunnels carry data."
    )
    shown = table((*head, "CPU ms"), (each.row for each in rows))
    return Section("Managers", note, shown, goals)


@dataclass(frozen=True)
class _Calls:
    """What calls at one kind of manager took: wall-clock time and CPU of all managers, in ms."""

    name: str
    known: tuple[float, float]
    """A GET of an entity that is in memory."""
    read: tuple[float, float]
    """One that is read anew."""
    post: tuple[float, float]

    @property
    def row(self) -> tuple[str, ...]:
        """Of the table."""
        return (
            self.name,
            *(f"{each:.1f}" for pair in (self.known, self.read, self.post) for each in pair),
        )


def _calls(name: str, client: Client, sites: Iterable[Site]) -> _Calls:
    pids = [each.manager.process.pid for each in sites]
    (site,) = client.http.get("/backupServers").raise_for_status().json()["Refs"]
    caller, known = _caller(client), f"/api/backupServers/{site['UID']}?format=Entity"
    made = name.replace(" ", "-").replace(",", "")

    def took(count: int, call: Callable[[int], bytes]) -> tuple[float, float]:
        cpu, began = _cpu(pids), time.monotonic()
        for number in range(count):
            call(number)
        wall = (time.monotonic() - began) / count
        return wall * 1000, (_cpu(pids) - cpu) / count * 1000

    return _Calls(
        name,
        took(READS, lambda _: caller.call("GET", known)),
        took(READS, lambda number: caller.call("GET", f"{known}&number={number}")),
        took(WRITES, lambda number: _post(caller, f"{made}{number}.example")),
    )


def _caller(client: Client) -> Caller:
    """A connection of its own for a client that has logged on; it takes little of the machine."""
    session = client.http.cookies[HEADER]
    port = client.http.base_url.port
    assert port is not None
    return Caller(port, {"Accept": "application/json", HEADER: session})


def _post(caller: Caller, name: str) -> bytes:
    return caller.call("POST", "/api/repositories", json.dumps(spec(name)).encode())


@dataclass(frozen=True)
class _Writes:
    """How many were accepted, of operators at both who write without a pause."""

    a_second: float
    cpu_ms: float
    """Of both managers, for each."""


def _writes_a_second(both: Managers) -> _Writes:
    pids = [each.manager.process.pid for each in both.sites]
    ready, began = Barrier(2 * WRITERS), _cpu(pids)

    def write(who: int) -> int:
        done, site = 0, both.sites[who % 2]
        with site.client() as client:
            caller = _caller(client)
            ready.wait(PATIENCE_SECONDS)
            until_seconds = time.monotonic() + WRITING_SECONDS
            while time.monotonic() < until_seconds:
                _post(caller, f"w{who}-{done}.example")
                done += 1
        return done

    with ThreadPoolExecutor(2 * WRITERS) as writing:
        done = sum(writing.map(write, range(2 * WRITERS)))
    return _Writes(done / WRITING_SECONDS, (_cpu(pids) - began) / done * 1000)


def _cpu(pids: Iterable[int]) -> float:
    return sum(cpu_seconds(each) or 0.0 for each in pids)


def _idle(sites: Iterable[Site]) -> list[float]:
    pids = [each.manager.process.pid for each in sites]
    before = [_cpu([each]) for each in pids]
    time.sleep(IDLE_SECONDS)
    return [(_cpu([each]) - was) / IDLE_SECONDS for each, was in zip(pids, before, strict=True)]
