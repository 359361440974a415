"""How does a test run a manager? In a thread of its own, with its real port, over HTTPS."""

import asyncio
import atexit
import shutil
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from cloudgate.api.server import ManagerServer, ServerOptions, open_listener
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck
from cloudgate.manager.jobs.reachability_probe import Prober
from cloudgate.manager.registries.acme_challenges import AcmeChallenges
from cloudgate.manager.registries.hosts.host_registry import HostRegistry
from cloudgate.manager.registries.hosts.listening_time import ListeningTime
from cloudgate.manager.security.authority import PortCertificate, open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.servers.backup_servers import BackupServerSettings, create_backup_server
from cloudgate.manager.sessions.accounts import ensure_administrator
from cloudgate.manager.settings.dns_names import DnsNames
from cloudgate.manager.settings.outgoing import OutgoingSettings
from cloudgate.manager.settings.signing_in import SigningInSettings
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import AuditEvent
from tests.support.scratch import scratch_root
from tests.support.waiting import PATIENCE_SECONDS, looks, until

PASSWORD = "correct horse battery staple"


@dataclass
class Clock:
    """The manager's clock, which a test may put forward: so much time goes by.

    Or it steps, as a machine's clock that is set, or as it seems to who stood still meanwhile.
    """

    ahead: timedelta = field(default_factory=timedelta)
    stepped: timedelta = field(default_factory=timedelta)

    _began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.stepped + self.ahead

    def steps(self) -> datetime:
        """What stands still but for its steps: a busy machine's are not among them."""
        return self._began + self.stepped

    def begin(self, span_seconds: int) -> None:
        """Put it forward to where a span begins, so that what follows is within one."""
        self.ahead += timedelta(seconds=span_seconds - self().timestamp() % span_seconds)


class _LastingCertificate(PortCertificate):
    """Of the machine's clock, by which programs verify it, also while the manager's is another."""

    def file(self, now: datetime) -> Path:
        return super().file(datetime.now(UTC))


class _LateError(Exception):
    """What a change fails with that is rolled back."""


@dataclass
class RunningManager:
    """A manager that answers."""

    manager: Manager
    url: str
    ca_file: Path
    clock: Clock
    wake: Callable[[], None]
    clients: ExitStack = field(default_factory=ExitStack)
    """Closed before the manager is."""

    @property
    def context(self) -> ssl.SSLContext:
        """What a client that trusts this manager verifies with."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    @contextmanager
    def rolled_back(self) -> Iterator[UnitOfWork]:
        """A change of which nothing is written down: it fails at its end."""
        with suppress(_LateError), self.manager.changing() as work:
            yield work
            raise _LateError

    def audited(self) -> list[AuditEvent]:
        """What is in the audit log."""
        with self.manager.reading() as work:
            return list(work.session.scalars(select(AuditEvent).order_by(AuditEvent.number)))

    def logged(self, operation: str) -> AuditEvent:
        """The newest entry whose operation begins so, once it is there: as its task ends."""

        def found() -> AuditEvent | None:
            entries = reversed(self.audited())
            return next((each for each in entries if each.operation.startswith(operation)), None)

        until(found)
        entry = found()
        assert entry is not None
        return entry

    def client(self, **headers: str) -> httpx2.Client:
        """A client without a logon session."""
        return self.clients.enter_context(
            httpx2.Client(
                base_url=f"{self.url}/api",
                verify=self.context,
                headers=headers,
                timeout=PATIENCE_SECONDS,
            )
        )

    def logged_on(self, accept: str = "application/json") -> httpx2.Client:
        """A client with a logon session, in the cookie."""
        client = self.client(Accept=accept)
        client.post("/sessionMngr/?v=latest", auth=("admin", PASSWORD)).raise_for_status()
        return client


def finished(client: httpx2.Client, task: dict[str, Any]) -> dict[str, Any]:
    """The task of a 202 answer, once it is finished."""
    for _ in looks(PATIENCE_SECONDS):
        found: dict[str, Any] = client.get(task["Href"]).raise_for_status().json()
        if found["State"] == "Finished":
            return found
    raise AssertionError(f"The task did not end: {task}")


@cache
def first_start() -> Path:
    """A data folder as a manager's first start leaves it; made once, for all to copy."""
    folder = Path(tempfile.mkdtemp(prefix="cloudgate-tests-", dir=scratch_root()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = Database(sqlite_url(folder / "cloudgate.db"))
    ensure_administrator(Manager(database, open_authority(folder), open_sealing(folder)), PASSWORD)
    database.close()
    return folder


async def _reached(reach: ReachabilityCheck) -> str:
    """Hosts that do what a test says have no gateway that could be reached."""
    del reach
    return ""


@contextmanager
def running_manager(
    folder: Path,
    *,
    site: str | None = "localhost",
    extras: ServerOptions | None = None,
    dns_hook: Path | None = None,
    prober: Prober = _reached,
    tls: Path | None = None,
    names: tuple[str, ...] = (),
    database_url: str | None = None,
    outgoing: OutgoingSettings | None = None,
    dns: DnsNames | None = None,
    ahead: timedelta = timedelta(),
    port: type[PortCertificate] = _LastingCertificate,
    protection_hook: Path | None = None,
    signing_in: Callable[[str], SigningInSettings] = lambda _url: SigningInSettings(),
    listens_at: str = "127.0.0.1",
) -> Iterator[RunningManager]:
    """A manager on an empty or existing data folder, with a backup server of that name.

    `prober` says whether a gateway is reached at its advertised address; `tls` is where the
    certificate of the manager's port is, when that is elsewhere, and `names` are more names in it.
    `database_url` is of a database of PostgreSQL with all tables; a file in the folder when None.
    `outgoing` is how it sends mail, and which programs inside it may call; neither when None.
    `dns` has the names that it keeps in DNS; none when None. `ahead` is its clock from the start;
    the certificate of its port ages by it where `port` is a plain `PortCertificate`.
    `protection_hook` is the operator's program that knows of snapshots. `signing_in` is how people
    sign in besides by name and password, given the manager's address.
    """
    if not (folder / "cloudgate.db").exists():
        shutil.copytree(first_start(), folder, dirs_exist_ok=True)
    listener = open_listener(listens_at, 0)
    url = f"https://localhost:{listener.getsockname()[1]}"
    authority = open_authority(folder)
    database = Database(database_url or sqlite_url(folder / "cloudgate.db"))
    clock = Clock(ahead)
    manager = Manager(
        database,
        authority,
        open_sealing(folder),
        clock=clock,
        hosts=HostRegistry(clock(), ListeningTime(clock.steps)),
        challenges=AcmeChallenges(dns_hook),
        outgoing=outgoing or OutgoingSettings(),
        dns=dns or DnsNames(),
        protection_hook=protection_hook,
        signing_in=signing_in(url),
    )
    if database_url is not None:
        ensure_administrator(manager, PASSWORD)
    if site is not None:
        with manager.changing() as work:
            create_backup_server(work, BackupServerSettings(name=site))
    certificate = port(tls or folder, authority, ("localhost", "127.0.0.1", *names))
    started: list[Any] = []
    ready = threading.Event()

    async def serve() -> None:
        server = ManagerServer(
            manager, listener, certificate, replace(extras or ServerOptions(), prober=prober)
        )
        started.extend((server, asyncio.get_running_loop()))
        running = asyncio.create_task(server.run())
        await server.listening()
        ready.set()
        await running

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    if not ready.wait(PATIENCE_SECONDS):
        raise AssertionError("The manager did not start.")
    server, loop = started
    started_manager = RunningManager(
        manager=manager,
        url=url,
        ca_file=folder / "ca.pem",
        clock=clock,
        wake=lambda: loop.call_soon_threadsafe(server.wake),
    )
    try:
        with started_manager.clients:
            yield started_manager
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join(PATIENCE_SECONDS)
        listener.close()
        database.close()


def manager_of_module(
    prepare: Callable[[RunningManager], object] = lambda _: None, **options: Any
) -> object:
    """A fixture: one manager for all tests of a module, called as what this is assigned to.

    `prepare` has something be there from the beginning; `options` are those of `running_manager`.
    """

    @pytest.fixture(scope="module")
    def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningManager]:
        with running_manager(tmp_path_factory.mktemp("manager"), **options) as started:
            prepare(started)
            yield started

    return running


def client_of_module() -> object:
    """A fixture: the administrator, logged on at the module's `running`."""

    @pytest.fixture(scope="module")
    def client(running: RunningManager) -> httpx2.Client:
        return running.logged_on()

    return client
