"""Many hosts at two managers: what do they notice of a change, and of a death?"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import httpx2

from bench.testbed.simulated_hosts import FilledManager, SimulatedHost, fill, polling
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.sessions.accounts import ensure_administrator
from cloudgate.manager.storage.database import Database
from tests.support.observation.monitored_product import Site
from tests.support.running.managers import Managers, logged_on
from tests.support.running.product import PASSWORD, Client
from tests.support.waiting import until

HOSTS, TOLD, TENANTS, CHANGES = 1000, 200, 1000, 40
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """What they noticed."""

    told_seconds: list[float]
    """From a change at one of the managers until `TOLD` hosts over both had heard of it, in turns
    at the one that leads and at the other."""
    all_again_seconds: float
    """From the death of the one that led until all hosts had heard of a change made after it."""
    shown_offline: int
    """Hosts that the other one showed as offline meanwhile, at most."""

    @property
    def median_seconds(self) -> float:
        """Of the changes."""
        return median(self.told_seconds)

    @property
    def p99_seconds(self) -> float:
        """In 99 of 100 changes."""
        return quantiles(self.told_seconds, n=100, method="inclusive")[98]


def prepare(data: Path, url: str) -> FilledManager:
    """An empty database, and the folder of the manager that is started first on it."""
    (data / "tls").mkdir(parents=True)
    database = Database(url)
    manager = Manager(database, open_authority(data / "tls"), open_sealing(data))
    ensure_administrator(manager, PASSWORD)
    filled = fill(manager, HOSTS, TENANTS)
    database.close()
    return filled


async def measure(both: Managers, filled: FilledManager) -> Outcome:
    """Change tenants, then kill the one that leads."""
    leader, other = both.leading()
    told, offline = list[float](), list[int]()
    with logged_on(leader) as at_leader, logged_on(other) as at_other:
        async with _hosts(both, filled.some(TOLD)) as (hosts, heard):
            for number in range(CHANGES):
                began = time.monotonic()
                client = (at_leader, at_other)[number % 2]
                await asyncio.to_thread(_change, client, f"change {number}")
                for _ in hosts:
                    await heard.get()
                told.append(time.monotonic() - began)
        async with _hosts(both, filled) as (hosts, heard):
            revision = max(each.revision for each in hosts)
            watching = asyncio.create_task(_watch(other, offline))
            began = time.monotonic()
            leader.manager.process.kill()
            await asyncio.to_thread(_change, at_other, "after the death")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while any(each.revision <= revision for each in hosts):
                    await heard.get()
            again = time.monotonic() - began
            watching.cancel()
    return Outcome(told, again, max(offline, default=0))


@asynccontextmanager
async def _hosts(
    both: Managers, filled: FilledManager
) -> AsyncIterator[tuple[list[SimulatedHost], "asyncio.Queue[int]"]]:
    """They poll, half of them at each manager, and know all that there is."""
    ports = tuple(each.port for each in both.sites)
    async with polling(filled, both.sites[0].ca_file, *ports) as (hosts, heard):
        while any(each.revision < max(each.revision for each in hosts) for each in hosts):
            await heard.get()
        while not heard.empty():
            heard.get_nowait()
        yield hosts, heard


def _change(client: Client, text: str) -> None:
    """Change a tenant there; again, until somebody leads."""

    def is_done() -> bool:
        try:
            found = client.http.get("/cloud/tenants")
        except httpx2.RemoteProtocolError:  # its connection was idle while a thousand hosts came
            return False
        if found.status_code == 503:
            return False
        first = found.raise_for_status().json()["Refs"][0]["Href"]
        answer = client.http.put(first, json={"Description": text})
        return answer.status_code != 503 and answer.raise_for_status().is_success

    until(is_done, PATIENCE_SECONDS)


async def _watch(site: Site, offline: list[int]) -> None:
    """How many hosts it shows as offline, again and again."""
    while True:
        page = (await asyncio.to_thread(site.manager.get, "/metrics")).text
        offline += (
            int(line.rpartition(" ")[2])
            for line in page.splitlines()
            if line.startswith('cloudgate_hosts{state="Offline"}')
        )
        await asyncio.sleep(0.5)
