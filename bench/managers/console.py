"""Console pages: what does one cost a large provider, and how soon does its reader see it?"""

import asyncio
import http.client
import secrets
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.managers.api import GATEWAYS, PASSWORD, TENANTS, Process, fill, serving
from bench.report import Goal, Section, table
from bench.testbed.accounting import cpu_seconds
from bench.testbed.machine import LOAD_CORES, PROXY_CORES, pinned
from bench.testbed.simulated_hosts import FilledManager, polling
from cloudgate import __version__
from cloudgate.manager.audit import chain
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import (
    CloudGateway,
    CloudTenant,
    HeldBackTime,
    Repository,
    Task,
    TenantResource,
    Usage,
)
from cloudgate.protocol import GatewayState, HostFacts, LiveTunnel
from cloudgate.trust.password_hashes import hash_password
from cloudgate.trust.token_hashes import token_hash
from tests.support.programs.browser import CHROMIUM, WIDE, chromium
from tests.support.running.host import gateway_scope, public_key_pem

RECORDS = 5_000
"""Tasks, and entries of the audit log."""
WANTED_PAINT_MS, WANTED_BYTES, WANTED_CPU_MS = 300.0, 100_000, 30.0
_UNTIL_WARM = 8
"""How often a page is asked for before: Python makes what it has run some times faster."""
_OWN = "tenant 05001"
"""The tenant that is looked at, and that comes to the portal."""
_LOOK_SECONDS, _IDLE_TIMES, _IDLE_SHARE, _IDLE_WITHIN_SECONDS = 0.02, 5, 0.03, 10.0
"""As long as a manager uses less than that share of a core so many times, it is idle."""
_ONLINE = 3
"""Gateways whose hosts poll, and answer that they have a tunnel of that tenant; others are away."""
_USED_DAYS = 100
"""For so long that tenant has backed up, each night by two gateways for four hours."""


@dataclass(frozen=True)
class Kind:
    """A page that is measured."""

    name: str
    path: str


@dataclass(frozen=True)
class Figures:
    """What one page took."""

    kind: Kind
    first_cpu_ms: float
    """Right after something was changed."""
    cpu_ms: float
    """Once more, with nothing changed."""
    size_bytes: int
    paint_ms: float


class Reader:
    """Somebody who has signed in, over one connection."""

    def __init__(self, port: int, section: str, name: str) -> None:
        """Sign in."""
        context = ssl._create_unverified_context()  # noqa: SLF001  as it was made here
        self._line = http.client.HTTPSConnection("localhost", port, context=context)
        form = urlencode({"name": name, "password": PASSWORD})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._line.request("POST", f"/{section}/sign-in", form, kind)
        answer = self._line.getresponse()
        content = answer.read()
        if answer.status != http.client.SEE_OTHER:
            raise RuntimeError(f"{name} cannot sign in: {answer.status} {content[-1500:]!r}")
        self.cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]

    def get(self, path: str) -> bytes:
        """A page; over a new connection, where the old one was idle for too long."""
        try:
            answer = self._ask(path)
        except http.client.RemoteDisconnected:
            self._line.close()
            answer = self._ask(path)
        content = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
        return content

    def _ask(self, path: str) -> http.client.HTTPResponse:
        self._line.request("GET", path, headers={"Cookie": self.cookie, "Accept": "text/html"})
        return self._line.getresponse()

    def change(self, tenant: UUID, text: str) -> None:
        """Have something new be true, so that nothing that is remembered is."""
        token = self.get(f"/console/tenants/{tenant}/edit").partition(b'name="token" value="')[2]
        form = urlencode({"token": token.partition(b'"')[0], "description": text, "portal": "yes"})
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self.cookie}
        self._line.request("POST", f"/console/tenants/{tenant}/edit", form, kind)
        answer = self._line.getresponse()
        answer.read()
        if answer.status != http.client.SEE_OTHER:
            raise RuntimeError(f"The tenant was not changed: {answer.status}")


def measure(folder: Path, rounds: int) -> Section:
    """Each page, by itself and in a browser."""
    if CHROMIUM is None:
        raise SystemExit("The part console needs Chromium: sudo apt-get install chromium")
    data = folder / "data"
    data.mkdir(parents=True)
    fill(data)
    known = _fill_more(data)
    tenant, gateway = known.tenant_id, known.gateway_id
    operators = (
        Kind("overview", "/console/"),
        Kind("tenants", "/console/tenants"),
        Kind("tenants, searched", "/console/tenants?search=tenant%20050"),
        Kind("tenants, a page in the middle", "/console/tenants?page=100"),
        Kind("one tenant", f"/console/tenants/{tenant}"),
        Kind("gateways", "/console/gateways"),
        Kind("one gateway", f"/console/gateways/{gateway}"),
        Kind("tasks", "/console/tasks"),
        Kind("audit log", "/console/audit"),
        Kind("managed servers", "/console/servers"),
        Kind("how a tenant connects", f"/console/tenants/{tenant}/connect"),
        Kind("usage of a month", "/console/usage"),
        Kind("form for a gateway, of 500 servers", "/console/gateways/create"),
        Kind("form for a message, of 500 tenants", "/console/notifications/create"),
        Kind("form for a certificate, of 500 gateways", "/console/certificates/import"),
        Kind("form for a pool, of 500 gateways and tenants", "/console/pools/create"),
    )
    customers = (
        Kind("portal", "/portal/"),
        Kind("portal, how to connect", "/portal/connect"),
        Kind("portal, usage of a month", "/portal/usage"),
    )
    with ExitStack() as stack:
        with pinned(PROXY_CORES):
            manager = stack.enter_context(serving(data))
        stack.enter_context(pinned(LOAD_CORES))
        stack.enter_context(_answering(known, data / "tls" / "ca.pem", manager.port))
        browser = stack.enter_context(chromium())
        operator = Reader(manager.port, "console", "admin")
        customer = Reader(manager.port, "portal", _OWN)
        asked = [(operator, each) for each in operators]
        asked += [(customer, each) for each in customers]
        found = list(_measured(manager, browser, asked, (operator, tenant), rounds))
    return _section(found)


@contextmanager
def _answering(known: "_KnownIds", ca_file: Path, port: int) -> Iterator[None]:
    """Hosts poll and say which tunnels they have, beside all else."""
    is_over, have_come = threading.Event(), threading.Event()

    async def poll() -> None:
        filled = FilledManager(known.credentials, 1)
        async with polling(filled, ca_file, port) as (hosts, _heard):
            for number, each in enumerate(hosts):
                each.tunnels = (_tunnel(known.tenant_id, number),)
            have_come.set()
            await asyncio.to_thread(is_over.wait)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(asyncio.run, poll())
        have_come.wait(30)
        try:
            yield
        finally:
            is_over.set()
            running.result()


def _tunnel(tenant_id: UUID, number: int) -> LiveTunnel:
    return LiveTunnel(
        tunnel=f"{number}-1",
        tenant_id=tenant_id,
        target="vault.example:8443",
        client=f"198.51.100.{number}:40000",
        started_at=datetime.now(UTC),
        bytes_up=10**9,
        bytes_down=10**6,
    )


def _measured(
    manager: Process,
    browser: Any,
    asked: Sequence[tuple[Reader, Kind]],
    changing: tuple[Reader, UUID],
    rounds: int,
) -> Iterator[Figures]:
    operator, tenant = changing
    for reader, kind in asked:
        for _ in range(_UNTIL_WARM):
            content = reader.get(kind.path)
        _until_idle(manager)
        first, again = [], []
        for number in range(rounds):
            operator.change(tenant, f"{kind.name} {number}")
            _until_idle(manager)  # what follows from a change is not a page's
            first.append(_cpu_ms(manager, reader, kind))
            again.append(_cpu_ms(manager, reader, kind))
        paint = _paint_ms(browser, manager.port, reader, kind, rounds)
        yield Figures(kind, median(first), median(again), len(content), paint)


def _until_idle(manager: Process) -> None:
    """Wait until a manager does nothing for a tenth of a second, as it does soon after it began."""
    idle, until = 0, time.monotonic() + _IDLE_WITHIN_SECONDS
    while idle < _IDLE_TIMES and time.monotonic() < until:
        before = cpu_seconds((manager.pid,))
        time.sleep(_LOOK_SECONDS)
        used = cpu_seconds((manager.pid,)) - before
        idle = idle + 1 if used < _IDLE_SHARE * _LOOK_SECONDS else 0


def _cpu_ms(manager: Process, reader: Reader, kind: Kind) -> float:
    before = cpu_seconds((manager.pid,))
    reader.get(kind.path)
    return 1000 * (cpu_seconds((manager.pid,)) - before)


def _paint_ms(browser: Any, port: int, reader: Reader, kind: Kind, rounds: int) -> float:
    """From the click until something is seen: First Contentful Paint."""
    url = f"https://localhost:{port}"
    context = browser.new_context(ignore_https_errors=True, viewport=WIDE)
    try:
        name, _, value = reader.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": url, "secure": True}])
        page = context.new_page()
        taken = []
        for _ in range(rounds + 1):
            page.goto(url + kind.path, wait_until="load")
            taken.append(float(page.evaluate(_PAINTED)))
        return median(taken[1:])  # the first has the style sheet to fetch
    finally:
        context.close()


_PAINTED = """() => new Promise((done) => {
  new PerformanceObserver((seen) => {
    const [first] = seen.getEntriesByName("first-contentful-paint");
    if (first) done(first.startTime);
  }).observe({ type: "paint", buffered: true });
})"""


def _section(found: Sequence[Figures]) -> Section:
    head = ("Page", "first paint ms", "answer KB", "CPU ms after a change", "CPU ms again")
    rows = [
        (
            each.kind.name,
            f"{each.paint_ms:.0f}",
            f"{each.size_bytes / 1000:.1f}",
            f"{each.first_cpu_ms:.1f}",
            f"{each.cpu_ms:.1f}",
        )
        for each in found
    ]
    paint = max(found, key=lambda each: each.paint_ms)
    size = max(found, key=lambda each: each.size_bytes)
    cpu = max(found, key=lambda each: each.first_cpu_ms)
    goals = (
        Goal(
            "first paint of the slowest page",
            f"less than {WANTED_PAINT_MS:.0f} ms",
            f"{paint.paint_ms:.0f} ms ({paint.kind.name})",
            paint.paint_ms < WANTED_PAINT_MS,
        ),
        Goal(
            "largest page",
            f"less than {WANTED_BYTES / 1000:.0f} KB",
            f"{size.size_bytes / 1000:.1f} KB ({size.kind.name})",
            size.size_bytes < WANTED_BYTES,
        ),
        Goal(
            "manager's CPU for the most costly page, after a change",
            f"less than {WANTED_CPU_MS:.0f} ms",
            f"{cpu.first_cpu_ms:.1f} ms ({cpu.kind.name})",
            cpu.first_cpu_ms < WANTED_CPU_MS,
        ),
    )
    note = (
        f"With {TENANTS:,} tenants, {GATEWAYS:,} gateways, of which {_ONLINE} are there, and"
        f" {RECORDS:,} tasks and entries of the audit log. The tenant has a tunnel at each of the"
        f" {_ONLINE}, and a past of {_USED_DAYS} days; what asking its gateways takes is in it. Not"
        " compressed. Medians. First paint is Chromium's, without a window."
    )
    return Section("Pages of the console", note, table(head, rows), goals)


@dataclass(frozen=True)
class _KnownIds:
    """What there is to look at."""

    tenant_id: UUID
    gateway_id: UUID
    credentials: list[str]
    """Of the hosts that are there."""


def _fill_more(data: Path) -> _KnownIds:
    """Quotas for all tenants, records, and one tenant with a password and a past."""
    database = Database(sqlite_url(data / "cloudgate.db"))
    manager = Manager(database, open_authority(data / "tls"), open_sealing(data))
    with manager.changing() as work:
        session, now = work.session, work.now
        tenants = list(session.scalars(select(CloudTenant)))
        gateway = session.scalars(select(CloudGateway)).first()
        credentials = _joined(session, now)
        own = next(each for each in tenants if each.login == _OWN)
        assert gateway is not None
        own.password_hash = hash_password(PASSWORD)
        vault = Repository(
            id=uuid4(), backup_server_id=own.backup_server_id, name="vault", kind="Generic",
            endpoint="vault.example:8443", address="192.0.2.1:8443",
        )  # fmt: skip
        session.add(vault)
        session.flush()
        session.add_all(
            TenantResource(tenant_id=each.id, repository_id=vault.id, name="vault", quota_mb=102400)
            for each in tenants
        )
        session.add_all(_past(own.id, gateway, now))
        for number in range(RECORDS):
            at = now - timedelta(minutes=RECORDS - number)
            name = tenants[number].name
            session.add(
                Task(
                    operation="EditTenant",
                    created_at=at,
                    deadline_at=at,
                    finished_at=at,
                    success=True,
                    related_name=name,
                )
            )
            entry = {
                "at": at, "account": "admin", "address": "192.0.2.7", "code": 0,
                "severity": "Information", "operation": "EditTenant",
                "text": f"Tenant {name} was changed.", "success": True,
                "object_type": "CloudTenant", "object_id": tenants[number].id, "object_name": name,
                "before": {"Description": ""}, "after": {"Description": "new"}, "message": "",
            }  # fmt: skip
            chain.append(work, entry)
        known = _KnownIds(own.id, gateway.id, credentials)
    database.close()
    return known


def _joined(session: Session, now: datetime) -> list[str]:
    """Have the hosts of the first gateways joined; their credentials."""
    credentials = []
    first = session.scalars(select(CloudGateway).order_by(CloudGateway.name).limit(_ONLINE))
    for gateway in first:
        server, credential = gateway.managed_server, secrets.token_urlsafe(32)
        facts = HostFacts(
            host_name=server.name,
            addresses=("192.0.2.1",),
            platform="Linux",
            version=__version__,
            envoy_version="1.40.0",
            public_key_pem=public_key_pem(),
        )
        server.facts, server.scope = facts.model_dump(mode="json"), gateway_scope()
        server.credential_hash, server.credential_made_at = token_hash(credential), now
        server.reported_state, server.reported_revision = GatewayState.LISTENING, 0
        # It reports nothing: no change is newer than what it is taken to know, so tasks end.
        tomorrow = now + timedelta(days=1)
        server.report = {"directory_revision": int(tomorrow.timestamp() * 1000)}
        credentials.append(credential)
    return credentials


def _past(tenant_id: UUID, gateway: CloudGateway, now: datetime) -> Iterator[Usage | HeldBackTime]:
    """As the manager has it: minutes of two days, and hours."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(_USED_DAYS):
        for hour in range(4):
            begin, is_late = today - timedelta(days=day + 1, hours=-hour), day < 2
            for minute in range(60 if is_late else 1):
                for way in range(2):
                    yield Usage(
                        at=begin + timedelta(minutes=minute),
                        minutes=1 if is_late else 60,
                        tenant_id=tenant_id,
                        managed_server_id=gateway.managed_server_id,
                        gateway_name=f"gateway{way:05d}.example",
                        target="vault.example:8443",
                        tunnels=1,
                        bytes_up=10**9,
                        bytes_down=10**6,
                    )
            yield HeldBackTime(
                at=begin, minutes=60, tenant_id=tenant_id, limit_seconds=600, share_seconds=60
            )
