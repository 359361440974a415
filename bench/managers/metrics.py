"""Metrics: what do metrics cost the manager that shows them, the API meanwhile, and who counts?"""

import asyncio
import gc
import gzip
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import mean, median, quantiles
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import insert

from bench.report import Goal, Section, table
from cloudgate import __version__
from cloudgate.api.server import ManagerServer, ServerOptions, open_listener
from cloudgate.cli.service.event_loop import run as run_on_loop
from cloudgate.host.authorization.meter import AuthorizationMeter
from cloudgate.host.monitoring.figures import cpu_seconds
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.host_protocol.enrolment import join, preregister
from cloudgate.manager.registries.hosts.tenant_counts import WANTED_SECONDS
from cloudgate.manager.security.authority import PortCertificate, open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.servers.backup_servers import BackupServerSettings, create_backup_server
from cloudgate.manager.servers.managed_servers import list_managed_servers
from cloudgate.manager.sessions.accounts import ensure_administrator
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import (
    CloudGateway,
    CloudTenant,
    Repository,
    TenantResource,
    UsageTotal,
)
from cloudgate.monitoring.endpoint import listen
from cloudgate.monitoring.stopwatch import Stopwatch
from cloudgate.protocol import (
    SETUP_BUCKETS_SECONDS,
    Distribution,
    Figures,
    GatewayState,
    HostFacts,
    JoinRequest,
    Refusal,
    Report,
)
from tests.support.ports import free_port
from tests.support.running.host import public_key_pem
from tests.support.running.product import PASSWORD
from tests.support.waiting import until

HOSTS = 1000
TENANTS = 10_000
SCRAPES = 20
CALLS = 300
SCRAPE_SECONDS = 2.0
"""Between two scrapes of both pages while the API is measured; the examples have 15 and 60."""
TUNNELS = 100_000
PAGE_MS, PAGE_KIB, TENANTS_MS = 50.0, 200.0, 300.0
MOST_TUNNEL_US = 20.0


def measure(folder: Path) -> Section:
    """A manager with many gateways that report, and many tenants."""
    data = folder / "data"
    _fill(data)
    metrics, port = free_port(), free_port()
    with _manager(folder, data, port, metrics) as pid:
        page = _scraped(pid, metrics, "/metrics")
        tenants = _scraped(pid, metrics, "/metrics/tenants")
        alone, meanwhile = _api(port, data, metrics)
    tunnel_us = _tunnel_us()
    rows = [
        (
            "/metrics, 1,000 gateways",
            f"{page[0]:.0f} ms",
            f"{page[3]:.0f} ms",
            f"{page[1]:.0f} KiB",
            f"{page[2]:.0f} KiB",
        ),
        (
            "/metrics/tenants, 10,000 tenants",
            f"{tenants[0]:.0f} ms",
            f"{tenants[3]:.0f} ms",
            f"{tenants[1]:.0f} KiB",
            f"{tenants[2]:.0f} KiB",
        ),
    ]
    note = (
        f"An API call took {alone[0]:.1f} ms ({alone[1]:.1f} ms in 99 of 100), and while both pages"
        f" were scraped every {SCRAPE_SECONDS:g} s {meanwhile[0]:.1f} ms ({meanwhile[1]:.1f} ms)."
        f" Counting costs {tunnel_us:.1f} µs for a tunnel."
    )
    return Section(
        "Metrics",
        note,
        table(
            (
                "Page",
                "Median",
                "CPU of the manager",
                "Compressed, as Prometheus gets it",
                "As text",
            ),
            rows,
        ),
        (
            Goal(
                "/metrics at 1,000 gateways",
                f"{PAGE_MS:.0f} ms",
                f"{page[0]:.0f} ms",
                page[0] < PAGE_MS,
            ),
            Goal("its size", f"{PAGE_KIB:.0f} KiB", f"{page[1]:.0f} KiB", page[1] < PAGE_KIB),
            Goal(
                "/metrics/tenants at 10,000",
                f"{TENANTS_MS:.0f} ms",
                f"{tenants[0]:.0f} ms",
                tenants[0] < TENANTS_MS,
            ),
            Goal(
                "API meanwhile, 99 of 100",
                f"{alone[1]:.1f} ms + 5 ms",
                f"{meanwhile[1]:.1f} ms",
                meanwhile[1] < alone[1] + 5,
            ),
            Goal(
                "counting, for a tunnel",
                f"{MOST_TUNNEL_US:.0f} µs",
                f"{tunnel_us:.1f} µs",
                tunnel_us < MOST_TUNNEL_US,
            ),
        ),
    )


def _fill(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "tls").mkdir()
    database = Database(sqlite_url(data / "cloudgate.db"))
    manager = Manager(database, open_authority(data / "tls"), open_sealing(data))
    ensure_administrator(manager, PASSWORD)
    with manager.changing() as work:
        site = create_backup_server(work, BackupServerSettings(name="site.example"))
        for number in range(HOSTS):
            name = f"gw{number:04d}.example"
            server, token = preregister(work, site, name)
            facts = HostFacts(
                host_name=name,
                addresses=(f"10.0.{number // 250}.{number % 250 + 1}",),
                platform="Linux",
                version=__version__,
                envoy_version="1.40.0",
                public_key_pem=_KEY,
            )
            join(work, JoinRequest(token=token, facts=facts))
            server.online_since, server.reported_state = datetime.now(UTC), GatewayState.LISTENING
            settings = GatewaySettings().as_document()
            gateway = CloudGateway(
                managed_server_id=server.id,
                backup_server_id=site.id,
                name=name,
                wanted=settings,
                confirmed=settings,
            )
            work.session.add(gateway)
            work.session.flush()
        repository = Repository(
            backup_server_id=site.id,
            name="vault",
            kind="Other",
            endpoint="vault.example:443",
            address="127.0.0.1:443",
        )
        work.session.add(repository)
        work.session.flush()
        ids = [uuid4() for _ in range(TENANTS)]
        limits = {
            "throttling_enabled": True,
            "throttling_speed_limit": 10,
            "max_concurrent_tasks": 4,
        }
        now = datetime.now(UTC)
        work.session.execute(
            insert(CloudTenant),
            [
                {
                    "id": each,
                    "backup_server_id": site.id,
                    "name": f"tenant {number:05d}",
                    "login": f"tenant {number:05d}",
                    "limits": limits,
                    "directory_revision": 1,
                }
                for number, each in enumerate(ids)
            ],
        )
        work.session.execute(
            insert(TenantResource),
            [
                {
                    "tenant_id": each,
                    "repository_id": repository.id,
                    "name": "quota",
                    "quota_mb": 1024,
                    "used_bytes": 10**9,
                }
                for each in ids
            ],
        )
        work.session.execute(
            insert(UsageTotal),
            [
                {
                    "tenant_id": each,
                    "tunnels": 100,
                    "bytes_up": 123456789012,
                    "bytes_down": 9876543210,
                    "at": now,
                }
                for each in ids
            ],
        )
    database.close()


_KEY = public_key_pem()


@contextmanager
def _manager(folder: Path, data: Path, port: int, metrics: int) -> Iterator[int]:
    with (folder / "manager.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.managers.metrics", str(data), str(port), str(metrics)],
            env=dict(os.environ),
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: _answers(metrics), 60)
            until(lambda: _has_settled(metrics), 120)
            yield process.pid
        finally:
            process.terminate()
            process.wait(30)


def _answers(metrics: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{metrics}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def _has_settled(metrics: int) -> bool:
    """Whether what is done at the start of a manager is over, such as a thousand certificates."""
    page = httpx2.get(f"http://127.0.0.1:{metrics}/metrics").text
    runs = [each for each in page.splitlines() if each.startswith("cloudgate_job_runs_total")]
    return bool(runs) and all(int(each.rpartition(" ")[2]) > 0 for each in runs)


def _figures(number: int, more: int) -> Figures:
    number += 17 * more
    counts = tuple(range(len(SETUP_BUCKETS_SECONDS) + 1))
    times = Distribution(counts=counts, sum_seconds=12.3 + number)
    return Figures(
        run=f"run {number}",
        uptime_seconds=1000.0 + number,
        tunnels_live=number % 100,
        tunnels_opened=number * 1000,
        bytes_up=number * 10**9 + 12345,
        bytes_down=number * 10**8 + 777,
        refused={Refusal.CHALLENGE: number * 7, Refusal.CREDENTIALS: number, Refusal.TUNNELS: 3},
        setup=times,
        authorization=times,
        held_back_seconds={"limit": round(number / 7, 1), "share": 0.0},
        handshakes=number * 1100,
        tls_failures=number,
        connections=number % 120,
        connections_rejected=0,
        target_failures=number,
        full={
            "files of Envoy": 0.01,
            "files of the host service": 0.01,
            "memory": 0.3,
            "connections": 0.02,
            "heap": 0.1,
            "processors": round(number / HOSTS, 2),
            "line": 0.5,
        },
        cpu_seconds={"envoy": number * 1.5, "host": round(number * 0.1, 1)},
        memory_bytes={"envoy": 8e7 + number, "host": 8e7},
        disk_free_bytes=7e10 + number * 4096,
        clock_ahead_seconds=0.1,
        certificate_expires_at=1.8e9 + number,
    )


def serve(data: Path, port: int, metrics: int) -> None:
    """A manager that hears the figures of all hosts, until it is told to end."""
    database = Database(sqlite_url(data / "cloudgate.db"))
    manager = Manager(database, open_authority(data / "tls"), open_sealing(data))
    with manager.reading() as work:
        hosts = [each.id for each in list_managed_servers(work)]

    def tell(number: int, host: UUID, more: int) -> None:
        report = Report(
            assignment_revision=1,
            directory_revision=0,
            state=GatewayState.LISTENING,
            figures=_figures(number, more),
        )
        now = manager.clock()
        manager.hosts.presence.touch(host, now)
        manager.figures.keep(host, report, now)

    for number, host in enumerate(hosts):
        tell(number, host, 0)
    certificate = PortCertificate(data / "tls", manager.authority, ("localhost", "127.0.0.1"))
    shown = ServerOptions(metrics_listener=listen(f"127.0.0.1:{metrics}"))

    async def go_on() -> None:
        """All of them tell anew, one after the other, as often as they would."""
        for more in count(1):
            for number, host in enumerate(hosts):
                await asyncio.sleep(WANTED_SECONDS / len(hosts))
                tell(number, host, more)

    async def run() -> None:
        server = ManagerServer(manager, open_listener("127.0.0.1", port), certificate, shown)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        telling = asyncio.create_task(go_on())
        gc.collect()
        gc.freeze()  # as `cloudgate serve` does once it has started
        await server.run()
        telling.cancel()

    run_on_loop(run())


def _scraped(pid: int, metrics: int, path: str) -> tuple[float, float, float, float]:
    """Median in milliseconds, KiB as they come and as text, and milliseconds of CPU."""
    took, size, text, used = [], 0, b"", []
    with httpx2.Client(base_url=f"http://127.0.0.1:{metrics}", timeout=60) as client:
        for _ in range(SCRAPES):
            began, before = time.perf_counter(), cpu_seconds(pid) or 0.0
            with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
                raw = b"".join(answer.iter_raw())
            took.append((time.perf_counter() - began) * 1000)
            used.append(((cpu_seconds(pid) or 0.0) - before) * 1000)
            size, text = len(raw), raw
    return median(took[1:]), size / 1024, len(gzip.decompress(text)) / 1024, mean(used[1:])


def _api(port: int, data: Path, metrics: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Median and 99 of 100 of a call, alone and while pages are scraped."""
    context = ssl.create_default_context(cafile=str(data / "tls" / "ca.pem"))
    accept = {"Accept": "application/json"}
    url = f"https://127.0.0.1:{port}/api"
    with httpx2.Client(base_url=url, verify=context, headers=accept, timeout=60) as client:
        client.post("/sessionMngr/", auth=("admin", PASSWORD)).raise_for_status()
        path = client.get("/cloud/tenants?format=Entity").json()["CloudTenants"][0]["Href"]
        path = f"{path.split('?')[0]}/usage"

        def measured() -> tuple[float, float]:
            took = []
            for _ in range(CALLS):
                began = time.perf_counter()
                client.get(path).raise_for_status()
                took.append((time.perf_counter() - began) * 1000)
            return median(took), quantiles(took, n=100)[98]

        alone = measured()
        stop = threading.Event()

        def scrape() -> None:
            while not stop.wait(SCRAPE_SECONDS):
                for each in ("/metrics", "/metrics/tenants"):
                    _scrape_as_another_program(f"http://127.0.0.1:{metrics}{each}")

        scraping = threading.Thread(target=scrape)
        scraping.start()
        meanwhile = measured()
        stop.set()
        scraping.join()
    return alone, meanwhile


def _scrape_as_another_program(url: str) -> None:
    """As Prometheus does: what reading costs is not taken from whoever calls the API here."""
    curl = ("curl", "--silent", "--fail", "--compressed", "--output", os.devnull, url)
    subprocess.run(curl, check=True)


def _tunnel_us() -> float:
    """What is counted for a tunnel: its request, a refusal before it, and its beginning."""
    meter, setup, tenant = AuthorizationMeter(), Stopwatch(), uuid4()
    began = time.process_time()
    for _ in range(TUNNELS):
        with meter.answering():
            pass
        meter.note_refused(Refusal.CHALLENGE)
        meter.note_refused(Refusal.TUNNELS, tenant)
        setup.observe(0.02)
    return (time.process_time() - began) / TUNNELS * 1e6


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
