"""What do many hosts cost the manager, and how soon does a change reach them?

The hosts are simulated: each holds its poll over a TLS connection of its own, as a host service
does. The manager is real, in a process of its own.
"""

import asyncio
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx2

from bench.accounting import cpu_seconds, memory_kib
from bench.gateway import host_service
from bench.report import Goal, Section, table
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol.enrolment import join, preregister
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.servers.backup_servers import BackupServerSettings, create_backup_server
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.sessions.accounts import ensure_administrator
from cloudgate.manager.storage.database import Database, sqlite_url
from cloudgate.protocol import HostFacts, JoinRequest, PollRequest, Update
from tests.support.host import gateway_scope, public_key_pem
from tests.support.product import PASSWORD, Client, Product, product

IDLE_HOSTS = 1000
TOLD_HOSTS = 200
TENANTS = 1000
CHANGES = 10
IDLE_SECONDS = 30.0
MOST_OF_A_CORE = 0.10
WANTED_SECONDS = 2.0
WANTED_MIB = 80.0


@dataclass
class SimulatedHost:
    """A host that only listens."""

    client: httpx2.AsyncClient
    credential: str
    revision: int = 0
    assignment: int | None = None
    site: int = 0
    bytes_heard: int = 0

    async def listen(self, heard: "asyncio.Queue[int]") -> None:
        """Poll for ever; each new revision of the directory is put into `heard`."""
        while True:
            request = PollRequest(
                assignment_revision=self.assignment,
                directory_revision=self.revision,
                site_revision=self.site,
            )
            answer = await self.client.post(
                "/host/v1/poll",
                content=request.model_dump_json(),
                headers={"Authorization": f"Bearer {self.credential}"},
            )
            self.bytes_heard += len(answer.content)
            update = Update.model_validate_json(answer.raise_for_status().content)
            if update.assignment is not None:
                self.assignment = update.assignment.revision
            if update.site is not None:
                self.site = update.site.revision
            if update.directory is not None:
                self.revision = update.directory.revision
                heard.put_nowait(self.revision)


def measure(folder: Path) -> Section:
    """A manager with many hosts, doing nothing and then changing a tenant."""
    data = folder / "data"
    credentials = _fill(data)
    with product(data) as started:
        manager = started.process.pid
        idle = asyncio.run(_idle(started, credentials, manager))
        seconds, cpu_ms, sent = asyncio.run(_told(started, credentials[:TOLD_HOSTS], manager))
        mib = memory_kib([host_service(manager)]) / 1024
    rows = [
        (f"{IDLE_HOSTS} hosts polling, nothing changes: part of a core", f"{idle:.3f}"),
        (f"a change of one tenant of {TENANTS} seen by {TOLD_HOSTS} hosts, ms", _ms(seconds)),
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
            f"less than {WANTED_SECONDS:.0f} s",
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


def _fill(data: Path) -> list[str]:
    """A data folder with hosts that have joined, and tenants; the hosts' credentials."""
    data.mkdir(parents=True)
    (data / "tls").mkdir()
    database = Database(sqlite_url(data / "cloudgate.db"))
    manager = Manager(database, open_authority(data / "tls"), open_sealing(data))
    ensure_administrator(manager, PASSWORD)
    key = public_key_pem()
    credentials = []
    with manager.changing() as work:
        site = create_backup_server(work, BackupServerSettings(name="localhost"))
        for number in range(IDLE_HOSTS):
            _, token = preregister(work, site, f"host{number:04d}.example")
            facts = HostFacts(
                host_name=f"host{number:04d}.example",
                addresses=("192.0.2.1",),
                platform="Linux",
                version="0.1.0",
                envoy_version="1.40.0",
                public_key_pem=key,
            )
            work.session.flush()
            joined = join(work, JoinRequest(token=token, facts=facts))
            # Told as gateways are; with the role, each change of a tenant would wait for all.
            get_managed_server(work, joined.server_id).scope = gateway_scope()
            credentials.append(joined.credential)
    database.close()
    return credentials


async def _hosts(
    started: Product, credentials: list[str]
) -> tuple[list[SimulatedHost], "list[asyncio.Task[None]]", "asyncio.Queue[int]"]:
    context = ssl.create_default_context(cafile=str(started.ca_file))
    heard: asyncio.Queue[int] = asyncio.Queue()
    hosts = [
        SimulatedHost(
            httpx2.AsyncClient(base_url=started.url, verify=context, timeout=60), credential
        )
        for credential in credentials
    ]
    return hosts, [asyncio.create_task(each.listen(heard)) for each in hosts], heard


async def _idle(started: Product, credentials: list[str], manager: int) -> float:
    """The part of a core that the manager takes while nothing changes."""
    _, tasks, _ = await _hosts(started, credentials)
    await asyncio.sleep(IDLE_SECONDS)  # all have connected, and have polled once more
    before, begin = cpu_seconds([manager]), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    used = (cpu_seconds([manager]) - before) / (time.monotonic() - begin)
    await _end(tasks)
    return used


async def _told(
    started: Product, credentials: list[str], manager: int
) -> tuple[float, float, float]:
    """Seconds until all have heard, CPU milliseconds of the manager, and bytes for each host."""
    with started.client() as client:
        await asyncio.to_thread(_add_tenants, client)
        hosts, tasks, heard = await _hosts(started, credentials)
        for _ in hosts:
            await heard.get()
        (first,) = client.http.get("/cloud/tenants").json()["Refs"][:1]
        await asyncio.sleep(1)
        taken, cpu, heard_before = [], [], sum(each.bytes_heard for each in hosts)
        for number in range(CHANGES):
            begin, before = time.monotonic(), cpu_seconds([manager])
            change = {"Description": f"change {number}"}
            await asyncio.to_thread(client.http.put, first["Href"], json=change)
            for _ in hosts:
                await heard.get()
            taken.append(time.monotonic() - begin)
            cpu.append(1000 * (cpu_seconds([manager]) - before))
        sent = (sum(each.bytes_heard for each in hosts) - heard_before) / len(hosts) / CHANGES
        await _end(tasks)
    return median(taken), median(cpu), sent


def _add_tenants(client: Client) -> None:
    for number in range(TENANTS):
        client.http.post("/cloud/tenants", json={"Name": f"t{number}"}).raise_for_status()


async def _end(tasks: "list[asyncio.Task[None]]") -> None:
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}"
