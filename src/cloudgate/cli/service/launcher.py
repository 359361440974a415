"""Launcher: how is Cloudgate started and stopped in one process tree, with nothing left?"""

import asyncio
import gc
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy.exc import DatabaseError

from cloudgate.api.connections.connection_limit import CONNECTIONS_PER_ADDRESS
from cloudgate.api.http.proxies import networks
from cloudgate.api.metrics_tokens import MetricsTokens
from cloudgate.api.server import Extras, ManagerServer, open_listener
from cloudgate.background import Background, Failing, Job
from cloudgate.cli.service.logs import log_to_stderr
from cloudgate.cli.service.outgoing import OutgoingOptions, outgoing_of
from cloudgate.cli.settings import DEFAULT_PORT, default_data_folder
from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.host.manager_link.join import join_host
from cloudgate.host.platform.addresses import host_addresses
from cloudgate.host.state.paths import state_paths
from cloudgate.manager.audit.outlets import open_outlet
from cloudgate.manager.core.lease import Lease
from cloudgate.manager.core.marks import check_keys, knows_keys
from cloudgate.manager.core.reachable import reachable_by
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.gateways.operations import (
    list_gateways,
    settings_in_force,
    wanted_settings,
)
from cloudgate.manager.gateways.rules import listening_addresses, listening_port
from cloudgate.manager.host_protocol.enrolment import new_token, preregister
from cloudgate.manager.jobs.backup_schedule import Schedule
from cloudgate.manager.jobs.span_export import open_export
from cloudgate.manager.registries.acme_challenges import AcmeChallenges
from cloudgate.manager.registries.presence import ONLINE_FOR
from cloudgate.manager.security import installation
from cloudgate.manager.security.authority import (
    GATEWAY_DAYS,
    PortCertificate,
    gateway_term,
    open_authority,
)
from cloudgate.manager.security.generated_passwords import generate_password
from cloudgate.manager.security.sealed_files import sealing_secret
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.servers.backup_servers import (
    BackupServerSettings,
    create_backup_server,
    list_backup_servers,
)
from cloudgate.manager.servers.managed_servers import list_managed_servers
from cloudgate.manager.sessions.accounts import ensure_administrator, has_administrator
from cloudgate.manager.storage.database import Database, sqlite_url
from cloudgate.manager.storage.failures import reason as database_reason
from cloudgate.monitoring.endpoint import DEFAULT_LISTEN, OFF, listen
from cloudgate.monitoring.systemd import Notifier, keep_informed

log = structlog.get_logger(__name__)

STOP_SECONDS = 10.0
"""How long the host service may take to end."""
RESTART_SECONDS = 1.0
"""How long to wait before a host service that died is started again."""
LONGEST_RESTART_SECONDS = 5.0
"""Before it is started once more, however often it has ended."""
GATEWAY_SECONDS = 30.0
"""How long at most it waits for the gateway of this machine before it says that it is ready."""
_Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Options:
    """What the operator decides at the start."""

    data: Path
    host: str
    port: int
    admin_password_file: Path | None
    http_port: int | None = None
    """Where the API is served without TLS; nowhere when None."""
    trusted_proxies: tuple[str, ...] = ()
    audit_log: str | None = None
    """A file, or ``syslog``; nowhere but in the database when None."""
    acme_dns_hook: Path | None = None
    """The operator's program that puts records into DNS."""
    gateway_certificate_days: int | None = None
    """How long gateways' own certificates are good; `GATEWAY_DAYS` when None."""
    connections_per_address: int | None = None
    """How many connections one address may have; `CONNECTIONS_PER_ADDRESS` when None."""
    reachable: tuple[str, ...] = ()
    """Networks that those may name who do not administer."""
    measurable_folders: tuple[str, ...] = ()
    """Folders of managed servers that they may have measured."""
    audit_days: int | None = None
    """How long entries of the audit log are kept; for ever when None."""
    metrics_listen: str | None = None
    """Where health and figures are shown; at `DEFAULT_LISTEN`, if that is free, when None."""
    metrics_token_file: Path | None = None
    """With tokens by which they are shown on the API's port, too; none when None."""
    backup_folder: Path | None = None
    """Where the manager backs itself up; nowhere when None."""
    backup_every: str = "24h"
    backup_keep: int = 14
    """How many backups are left."""
    backup_passphrase_file: Path | None = None
    """With what they are sealed with; or the next."""
    backup_key_file: Path | None = None
    database: str | None = None
    """Address of one of PostgreSQL; a file of SQLite in the data folder when None."""
    outgoing: OutgoingOptions = field(default_factory=OutgoingOptions)
    """Of mail, and of calls to programs."""
    config: Path | None = None
    """Where settings are written down; nowhere when None."""
    in_config: frozenset[str] = frozenset()
    """Names of those that were taken from there."""


async def run_serve(options: Options) -> None:
    """The manager alone, until SIGINT or SIGTERM."""
    log_to_stderr()
    with installation.locked(options.data), _opened(options) as manager:
        password = _administrator(manager, options.admin_password_file)
        async with _served(manager, options) as server:
            _greet(options, password)
            async with _telling_systemd(manager, server):
                await _stopped(server)


async def run_up(options: Options) -> None:
    """Manager, local backup server and local managed server, until SIGINT or SIGTERM."""
    log_to_stderr()
    with installation.locked(options.data), _opened(options) as manager:
        password = _administrator(manager, options.admin_password_file)
        token = _local_server_token(manager)
        async with _served(manager, options) as server:
            url = f"https://localhost:{options.port}"
            await join_host(options.data / "host", url, token, manager.authority.certificate_pem)
            host = asyncio.create_task(_host_running(manager, options.data).run())
            stopped = asyncio.create_task(_stopped(server))
            back = asyncio.create_task(_gateway_back(manager, options.data))
            try:
                await asyncio.wait({stopped, back}, return_when=asyncio.FIRST_COMPLETED)
                if not stopped.done():
                    _greet(options, password)
                async with _telling_systemd(manager, server):
                    await stopped
            finally:
                for each in (host, back):
                    each.cancel()
                await asyncio.gather(host, back, return_exceptions=True)


@contextmanager
def _opened(options: Options) -> Iterator[Manager]:
    lease: Lease | None = None
    if options.database is None:
        installation.begin(options.data)
        authority, sealing = open_authority(options.data / "tls"), open_sealing(options.data)
        database = Database(sqlite_url(options.data / installation.DATABASE))
    else:
        # Looked at first: keys are made for a database that is empty, and for no other.
        database = Database(options.database)
    try:
        if options.database is not None:
            installation.begin_keys(options.data, is_new=not knows_keys(database))
            authority, sealing = open_authority(options.data / "tls"), open_sealing(options.data)
        check_keys(database, authority, sealing)
        installation.end(options.data)
        if options.database is not None:
            wanted = Lease(database, f"{socket.gethostname()}:{options.data.resolve()}")
            wanted.take()
            lease = wanted  # only what was taken is given back
        yield Manager(
            database,
            authority,
            sealing,
            challenges=AcmeChallenges(options.acme_dns_hook),
            own_addresses=host_addresses,
            gateway_term=gateway_term(options.gateway_certificate_days or GATEWAY_DAYS),
            reachable=reachable_by(options.reachable, options.measurable_folders),
            outgoing=outgoing_of(options.outgoing),
            lease=lease,
        )
    except DatabaseError as problem:
        found = database_reason(problem)
        if found is None:
            raise
        raise UnavailableError(found) from problem
    finally:
        if lease is not None:
            with suppress(DatabaseError, UnavailableError):  # it ends by itself
                lease.give_back()
        database.close()


def _administrator(manager: Manager, file: Path | None) -> str | None:
    """See to the administrator's account. Returns the password when it was generated now."""
    if file is not None:
        try:
            password = file.read_text(encoding="utf-8").strip()
        except OSError as problem:
            raise CloudgateError(
                f"Cannot read the password file {file}: {problem.strerror}."
            ) from None
        except UnicodeDecodeError:
            raise CloudgateError(f"The password file {file} is not UTF-8 text.") from None
        if not password:
            raise CloudgateError(f"The password file {file} is empty.")
        ensure_administrator(manager, password)
        return None
    if has_administrator(manager):
        return None
    generated = generate_password()
    ensure_administrator(manager, generated)
    return generated


def _local_server_token(manager: Manager) -> str:
    """See to the local backup server and managed server; a token for the latter to join with."""
    with manager.changing() as work:
        local = next((server for server in list_managed_servers(work) if server.local), None)
        if local is not None:
            return new_token(work, local)
        site = next((s for s in list_backup_servers(work) if s.name == "localhost"), None)
        if site is None:
            settings = BackupServerSettings(
                name="localhost", description="The backup server of this machine."
            )
            site = create_backup_server(work, settings)
        _, token = preregister(
            work, site, socket.gethostname(), description="This machine.", local=True
        )
        return token


@asynccontextmanager
async def _served(manager: Manager, options: Options) -> AsyncIterator[ManagerServer]:
    names = {socket.gethostname(), "localhost", *host_addresses()}
    if options.host:
        names.add(options.host)
    certificate = PortCertificate(options.data / "tls", manager.authority, tuple(names))
    with ExitStack() as listeners:
        listener = listeners.enter_context(open_listener(options.host, options.port))
        plain = None
        if options.http_port is not None:
            plain = listeners.enter_context(open_listener(options.host, options.http_port))
        extras = Extras(
            http_listener=plain,
            metrics_tokens=_metrics_tokens(options.metrics_token_file),
            metrics_listener=listeners.enter_context(_metrics_listener(options.metrics_listen)),
            trusted_proxies=networks(options.trusted_proxies),
            audit_outlet=open_outlet(options.audit_log) if options.audit_log else None,
            connections_per_address=options.connections_per_address or CONNECTIONS_PER_ADDRESS,
            span_export=open_export(),
            audit_kept=timedelta(days=options.audit_days) if options.audit_days else None,
            backups=_backups(options),
        )
        server = ManagerServer(manager, listener, certificate, extras)
        running = asyncio.create_task(server.run())
        try:
            await _first(asyncio.create_task(server.listening()), running)
            _spare_the_collector()
            yield server
        finally:
            server.stop()
            await running


@asynccontextmanager
async def _telling_systemd(manager: Manager, server: ManagerServer) -> AsyncIterator[None]:
    """While it runs, systemd hears so, if it wants to."""

    def describe() -> str:
        online = sum(
            manager.clock() - seen < ONLINE_FOR for seen in manager.presence.all().values()
        )
        return f"{online} managed server{'' if online == 1 else 's'} online"

    telling = asyncio.create_task(keep_informed(Notifier(), server.health, describe))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])


def _metrics_tokens(file: Path | None) -> MetricsTokens | None:
    return MetricsTokens(file) if file is not None else None


def _backups(options: Options) -> tuple[Path, Schedule] | None:
    """When the manager is backed up by itself.

    Raises:
        CloudgateError: backups are wanted that cannot be sealed, or not as often.
    """
    files = (options.backup_passphrase_file, options.backup_key_file)
    if options.backup_folder is not None and options.database is not None:
        raise CloudgateError(
            "--backup-folder is for a database in the data folder. Back PostgreSQL up with its own"
            " tools, and the keys with cloudgate manager export-secrets."
        )
    if options.backup_folder is None:
        if any(files):
            raise CloudgateError("Name the folder that backups go into, with --backup-folder.")
        return None
    if not any(files):
        raise CloudgateError(
            "Say what backups are sealed with, by --backup-passphrase-file or --backup-key-file:"
            " they hold the keys of this installation."
        )
    schedule = Schedule(
        options.backup_folder,
        _span(options.backup_every),
        options.backup_keep,
        sealing_secret(*files, options="--backup-"),
    )
    return options.data, schedule


def _span(text: str) -> timedelta:
    units = {"m": "minutes", "h": "hours", "d": "days"}
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text)
    if found is None:
        raise CloudgateError(
            f"--backup-every {text!r} is no time between backups. Give it as 30m, 24h or 7d."
        )
    return timedelta(**{units[found[2]]: int(found[1])})


def _metrics_listener(where: str | None) -> AbstractContextManager[socket.socket | None]:
    """Where figures are shown.

    Raises:
        CloudgateError: they cannot be shown where they are wanted. Where nobody said where, it is
            no reason not to start: another manager on this machine has that address.
    """
    if where == OFF:
        return nullcontext()
    if where is not None:
        return listen(where)
    try:
        return listen(DEFAULT_LISTEN)
    except CloudgateError as problem:
        log.warning("metrics are shown nowhere", reason=problem.message)
        return nullcontext()


def _spare_the_collector() -> None:
    """Take what was loaded at the start out of garbage collection: it never becomes garbage.

    Walking over it took some 200 ms now and then, in the middle of some request.
    """
    gc.collect()
    gc.freeze()


async def _first(wanted: asyncio.Task[None], running: asyncio.Task[None]) -> None:
    """Wait for `wanted`; if `running` ends before, its failure is raised."""
    await asyncio.wait({wanted, running}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        wanted.cancel()
        await running


async def _stopped(server: ManagerServer) -> None:
    """Returns at SIGINT or SIGTERM."""
    del server
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    _say("stopping")


def _host_running(manager: Manager, data: Path) -> Background:
    """Keeps the host service running as a child, and says so where it does not."""
    job = Job(
        name="Running the host service of this machine",
        attempt=partial(_run_host_service, data),
        interval_seconds=RESTART_SECONDS,
        longest_pause_seconds=LONGEST_RESTART_SECONDS,
        lasts=True,
    )

    def note(name: str, failing: Failing | None) -> None:
        manager.warn(name, failing.text if failing else "")

    return Background([job], on_change=note)


async def _run_host_service(data: Path) -> None:
    """Until it ends; it is ended when this is cancelled.

    Raises:
        OSError: it cannot be started.
        UnavailableError: it has ended.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cloudgate",
        "host",
        "run",
        "--with-parent",
        str(os.getpid()),
        "--data",
        str(data),
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = await child.wait()
    except asyncio.CancelledError:
        await _end(child)
        raise
    raise UnavailableError(f"It has ended with status {status}, and is started again.")


async def _gateway_back(manager: Manager, data: Path) -> None:
    """Wait until this machine's gateway, should it have one, lets tenants in; but not for ever.

    One that drains lets nobody in any more, whatever was in force before.
    """
    with manager.reading() as work:
        here = [each for each in list_gateways(work) if each.managed_server.local]
        open_ = [each for each in here if not each.removing and wanted_settings(each).enabled]
        known = [each for each in map(settings_in_force, open_) if each.enabled]
        doors = [
            (address, listening_port(each))
            for each in known
            for address in listening_addresses(each)[:1] or ("localhost",)
        ]
    authorizer = str(state_paths(data / "host").authorizer_socket)
    with suppress(TimeoutError):
        async with asyncio.timeout(GATEWAY_SECONDS):
            for address, port in doors:
                await _until_open(partial(asyncio.open_unix_connection, authorizer))
                await _until_open(partial(asyncio.open_connection, address, port))


async def _until_open(connect: Callable[[], Awaitable[_Line]]) -> None:
    while True:
        try:
            _, writer = await connect()
        except OSError:  # ENOENT, ECONNREFUSED: nobody listens yet
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), STOP_SECONDS)
    except TimeoutError:
        log.warning("the host service did not end in time; it was killed")
        child.kill()
        await child.wait()


def _greet(options: Options, password: str | None) -> None:
    """What the operator needs to go on."""
    url = f"https://localhost:{options.port}"
    _say(f"console   {url}/console/")
    _say(f"API       {url}/api/")
    _say(f"trust     {options.data / 'tls' / 'ca.pem'}")
    if password is not None:
        _say("user      admin")
        _say(f"password  {password}   (shown this once)")
        _say("")
        _say("Next, in another terminal:")
        for line in _next_commands(options):
            _say(f"  {line}")
        _say("")
    _say("ready")


def _next_commands(options: Options) -> tuple[str, ...]:
    shown = _shown_program()
    settings = ""
    if options.data != default_data_folder():
        settings += f"--ca {options.data / 'tls' / 'ca.pem'} "
    if options.port != DEFAULT_PORT:
        settings += f"--url https://localhost:{options.port} "
    return (
        f"{shown} {settings}gateway create {socket.gethostname()}",
        (
            f"{shown} {settings}repository create vault --endpoint vault.example:8443"
            " --address 127.0.0.1:8443"
        ),
        f"{shown} {settings}tenant create acme --repository vault=100 --generate-password",
    )


def _shown_program() -> str:
    """How a person in this folder types the command line's name."""
    program = Path(sys.executable).with_name("cloudgate")
    if found := shutil.which("cloudgate"):
        return "cloudgate" if Path(found).samefile(program) else str(program)
    here = Path.cwd()
    return str(program.relative_to(here)) if program.is_relative_to(here) else str(program)


def _say(text: str) -> None:
    print(text, flush=True)
