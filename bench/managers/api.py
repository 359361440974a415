"""API calls: what does one cost, beside a bare route that returns as many bytes?"""

import base64
import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

from sqlalchemy import insert

from bench.report import Goal, Section, table
from bench.testbed.accounting import cpu_seconds
from bench.testbed.machine import LOAD_CORES, PROXY_CORES, pinned
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import (
    Account,
    AccountRole,
    BackupServer,
    CloudGateway,
    CloudTenant,
    LogonSession,
    ManagedServer,
)
from cloudgate.trust.password_hashes import hash_password
from tests.support.ports import free_port

GATEWAYS, TENANTS, SESSIONS = 1_000, 10_000, 10_000
MANY_TENANTS = 100_000
WANTED_OF_BARE = 0.7
WANTED_PAGE_MS = 10.0
HEADER = "X-RestSvcSessionId"
PASSWORD = "bench password"
TURNS = 5
"""Of manager and bare route, for each kind of call."""
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Figures:
    """What one kind of call cost."""

    name: str
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    size_bytes: int


@dataclass
class Caller:
    """One connection that stays open."""

    port: int
    headers: dict[str, str]

    def __post_init__(self) -> None:
        """Connect; whose certificate it is does not matter here."""
        context = ssl._create_unverified_context()  # noqa: SLF001
        self._connection = http.client.HTTPSConnection("localhost", self.port, context=context)

    def call(self, verb: str, path: str, body: bytes = b"") -> bytes:
        """The body of an answer that is no error."""
        headers = self.headers | ({"Content-Type": "application/json"} if body else {})
        self._connection.request(verb, path, body or None, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{verb} {path}: {answer.status} {content[:300]!r}")
        return content


@dataclass(frozen=True)
class Data:
    """What there is to ask for."""

    session_id: UUID
    gateway_id: UUID
    site_id: UUID


def measure(folder: Path, calls: int) -> Section:
    """Each kind of call, by turns with the bare route."""
    data = folder / "data"
    data.mkdir(parents=True)
    known = fill(data, MANY_TENANTS)
    token = base64.b64encode(str(known.session_id).encode()).decode()
    with ExitStack() as stack:
        with pinned(PROXY_CORES):
            manager = stack.enter_context(serving(data))
            bare = stack.enter_context(_bare(data / "tls"))
        stack.enter_context(pinned(LOAD_CORES))
        accept = {"Accept": "application/json"}
        ours = Caller(manager.port, {**accept, HEADER: token})
        basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        logon = Caller(manager.port, {**accept, "Authorization": f"Basic {basic}"})
        theirs = Caller(bare.port, accept)
        rows = list(_rows(manager, bare, (ours, logon, theirs), known, calls))
    return _section(rows)


def _rows(
    manager: "Process",
    bare: "Process",
    callers: tuple[Caller, Caller, Caller],
    known: Data,
    calls: int,
) -> Iterator[tuple[Figures, Figures]]:
    ours, logon, theirs = callers
    filtered = quote("Enabled==true;Name>=tenant 01000")
    page = f"/api/query?type=CloudTenant&format=Entities&sortAsc=name&filter={filtered}"
    one = f"/api/cloud/gateways/{known.gateway_id}?format=Entity"
    posts = iter(range(10_000))

    def create() -> bytes:
        spec = {
            "ServerHostName": f"spare{next(posts):05d}.example",
            "NetworkType": "Direct",
            "BackupServerUid": str(known.site_id),
        }
        return ours.call("POST", "/api/cloud/gateways", json.dumps(spec).encode())

    kinds: tuple[tuple[str, Callable[[], bytes], int], ...] = (
        ("logon", lambda: logon.call("POST", "/api/sessionMngr/?v=latest"), max(20, calls // 10)),
        ("one gateway", lambda: ours.call("GET", one), calls),
        (
            f"{GATEWAYS} gateways",
            lambda: ours.call("GET", "/api/cloud/gateways?format=Entity"),
            max(10, calls // 25),
        ),
        (
            f"page of 100 of {MANY_TENANTS} tenants",
            lambda: ours.call("GET", page),
            max(20, calls // 10),
        ),
        ("POST of a gateway", create, max(20, calls // 10)),
    )
    for name, call, count in kinds:
        ours_of_it = _Turns(name, manager, call)
        beside = _Turns("bare", bare, _bare_call(theirs, ours_of_it.size_bytes))
        for _ in range(TURNS):
            for each in (ours_of_it, beside):
                each.go_on(count // TURNS)
        yield ours_of_it.figures, beside.figures


def _bare_call(caller: Caller, size_bytes: int) -> Callable[[], bytes]:
    return lambda: caller.call("GET", f"/{size_bytes}")


class _Turns:
    """Calls of one kind, some at a time: the other kind meets the same machine."""

    def __init__(self, name: str, process: "Process", call: Callable[[], bytes]) -> None:
        self._name, self._process, self._call = name, process, call
        self._taken_seconds: list[float] = []
        self._cpu_seconds = 0.0
        self.size_bytes = len(call())

    def go_on(self, count: int) -> None:
        """Make so many calls, after a few that do not count."""
        for _ in range(max(3, count // 10)):
            self._call()
        before = cpu_seconds((self._process.pid,))
        for _ in range(count):
            begun = time.perf_counter()
            self._call()
            self._taken_seconds.append(time.perf_counter() - begun)
        self._cpu_seconds += cpu_seconds((self._process.pid,)) - before

    @property
    def figures(self) -> Figures:
        """What the calls cost that were counted."""
        taken = self._taken_seconds
        return Figures(
            self._name,
            1000 * self._cpu_seconds / len(taken),
            1000 * median(taken),
            1000 * quantiles(taken, n=100)[98],
            self.size_bytes,
        )


def _section(rows: Sequence[tuple[Figures, Figures]]) -> Section:
    head = ("Call", "CPU ms", "requests/s and core", "p50 ms", "p99 ms", "bytes", "of bare")
    lines = [
        (
            ours.name,
            f"{ours.cpu_ms:.2f}",
            f"{1000 / ours.cpu_ms:.0f}",
            f"{ours.p50_ms:.2f}",
            f"{ours.p99_ms:.2f}",
            f"{ours.size_bytes:,}",
            f"{bare.cpu_ms / ours.cpu_ms:.2f}",
        )
        for ours, bare in rows
    ]
    by_name = {ours.name: (ours, bare) for ours, bare in rows}
    one, bare_one = by_name["one gateway"]
    ratio = bare_one.cpu_ms / one.cpu_ms
    page = by_name[f"page of 100 of {MANY_TENANTS} tenants"][0].cpu_ms
    goals = (
        Goal(
            "one gateway, of the bare route",
            f"at least {WANTED_OF_BARE:.2f} times",
            f"{ratio:.2f} times",
            ratio >= WANTED_OF_BARE,
        ),
        Goal(
            "CPU of a filtered page of 100",
            f"less than {WANTED_PAGE_MS:.0f} ms",
            f"{page:.1f} ms",
            page < WANTED_PAGE_MS,
        ),
    )
    note = (
        f"One connection over TLS, with {SESSIONS:,} logon sessions open. Requests per second and"
        " core by CPU time used; in the last column, how many times those of a bare Starlette"
        " route on the same server that returns as many bytes; both by turns."
    )
    return Section("Calls of the REST API", note, table(head, lines), goals)


@dataclass(frozen=True)
class Process:
    """A server under test."""

    pid: int
    port: int


@contextmanager
def serving(data: Path) -> Iterator[Process]:
    """A manager of that data folder."""
    port = free_port()
    command = [sys.executable, "-m", "cloudgate", "serve", "--data", str(data), "--port", str(port)]
    with _running([*command, "--host", "127.0.0.1"], port) as process:
        yield process


@contextmanager
def _bare(tls: Path) -> Iterator[Process]:
    port = free_port()
    certificate = str(tls / "manager.pem")
    with _running(
        [sys.executable, "-m", "bench.testbed.bare", str(port), certificate], port
    ) as found:
        yield found


@contextmanager
def _running(command: list[str], port: int) -> Iterator[Process]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Process(process.pid, port)
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def fill(data: Path, tenants: int = TENANTS) -> Data:
    """A database with as much in it as a large provider has."""
    (data / "tls").mkdir()
    open_authority(data / "tls")
    open_sealing(data)
    database = Database(sqlite_url(data / "cloudgate.db"))
    now = datetime.now(UTC)
    with database.writing() as session, session.begin():
        site = BackupServer(id=uuid4(), name="localhost", port=9392)
        role = AccountRole(role_id=Role.PORTAL_ADMINISTRATOR.id)
        admin = Account(
            id=uuid4(), name="admin", password_hash=hash_password(PASSWORD), roles=[role]
        )
        session.add_all((site, admin))
        session.flush()
        servers = [_server(site, name, now) for name in _names()]
        session.add_all(servers)
        session.flush()
        gateways = [_gateway(site, server) for server in servers[:GATEWAYS]]
        session.add_all(gateways)
        session.execute(insert(CloudTenant), _tenants(site, tenants))
        sessions = [
            LogonSession(
                id=uuid4(), account_id=admin.id, version="latest", created_at=now, used_at=now
            )
            for _ in range(SESSIONS)
        ]
        session.add_all(sessions)
        session.flush()
        known = Data(sessions[0].id, gateways[0].id, site.id)
    database.close()
    return known


def _names() -> Iterator[str]:
    yield from (f"gateway{number:05d}.example" for number in range(GATEWAYS))
    yield from (f"spare{number:05d}.example" for number in range(GATEWAYS))


def _server(site: BackupServer, name: str, now: datetime) -> ManagedServer:
    return ManagedServer(id=uuid4(), backup_server_id=site.id, name=name, kind="Linux", seen_at=now)


def _gateway(site: BackupServer, server: ManagedServer) -> CloudGateway:
    settings = GatewaySettings(description="made for measuring").as_document()
    return CloudGateway(
        id=uuid4(),
        managed_server_id=server.id,
        backup_server_id=site.id,
        name=server.name,
        wanted=settings,
        confirmed=settings,
        certificate_pem="",
    )


def _tenants(site: BackupServer, count: int) -> list[dict[str, Any]]:
    names = (f"Tenant {number:05d}" for number in range(count))
    return [
        {
            "id": uuid4(),
            "backup_server_id": site.id,
            "name": name,
            "login": name.lower(),
            "enabled": number % 10 != 0,
            "directory_revision": 1,
        }
        for number, name in enumerate(names)
    ]
