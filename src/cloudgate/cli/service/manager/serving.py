"""Serving: what does a manager have from start to end, and what while it leads or stands by?"""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from cloudgate.api.connections.connection_limit import CONNECTIONS_PER_ADDRESS
from cloudgate.api.http.proxies import networks
from cloudgate.api.server import ManagerServer, ServerOptions, open_listener
from cloudgate.api.standby import ManagerListeners, StandbyServer
from cloudgate.cli import passwords
from cloudgate.cli.service.manager.brand import brand_of
from cloudgate.cli.service.manager.greeting import greet
from cloudgate.cli.service.manager.leader_election import own_url
from cloudgate.cli.service.manager.metrics import metrics_listener_of, metrics_tokens_of
from cloudgate.cli.service.manager.options import Options
from cloudgate.cli.service.manager.outgoing import dns_of, outgoing_of
from cloudgate.cli.service.manager.scheduled_backups import scheduled_backups_of
from cloudgate.cli.service.manager.signing_in import signing_in_of
from cloudgate.cli.service.manager.typed_options import settings_in_force
from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.host.platform.addresses import host_addresses
from cloudgate.manager.audit.outlets import open_outlet
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.span_export import open_export
from cloudgate.manager.lease import Lease
from cloudgate.manager.registries.acme_challenges import AcmeChallenges
from cloudgate.manager.security import installation
from cloudgate.manager.security.authority import (
    GATEWAY_DAYS,
    Authority,
    PortCertificate,
    gateway_term,
    open_authority,
)
from cloudgate.manager.security.database_keys import check_keys, knows_keys
from cloudgate.manager.security.sealing import SealingKey, open_sealing
from cloudgate.manager.sessions.accounts import (
    begin_administrator,
    ensure_administrator,
    first_password,
    note_first_password_known,
)
from cloudgate.manager.settings.dns_names import DnsNames
from cloudgate.manager.settings.outgoing import OutgoingSettings
from cloudgate.manager.settings.reachable import reachable_by
from cloudgate.manager.settings.signing_in import SigningInSettings
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.failures import reason as database_reason
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.monitoring.endpoint import OFF
from cloudgate.monitoring.systemd import Notifier, keep_informed
from cloudgate.processes.signals import is_hangup_ignored, on_end

log = structlog.get_logger(__name__)

_NEW_OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""A few megabytes of them; Python's own 700 are a seventh of what a page of a hundred makes."""


@dataclass
class Service:
    """A manager that was started: what it has whether it leads or not."""

    options: Options
    database: Database
    authority: Authority
    sealing: SealingKey
    lease: Lease | None
    """Of a server's database; None of a file's, where there is nobody else."""
    listeners: ManagerListeners
    outgoing: OutgoingSettings
    dns: DnsNames
    signing_in: SigningInSettings
    stop: asyncio.Event
    """Set by SIGINT and SIGTERM."""
    greeted: bool = False

    def new_manager(self) -> Manager:
        """With nothing in memory yet, on a database at this release's revision."""
        self.database.bring_forward()
        return Manager(
            self.database,
            self.authority,
            self.sealing,
            challenges=AcmeChallenges(self.options.acme_dns_hook),
            own_addresses=host_addresses,
            gateway_term=gateway_term(self.options.gateway_certificate_days or GATEWAY_DAYS),
            reachable=reachable_by(self.options.reachable, self.options.measurable_folder),
            outgoing=self.outgoing,
            dns=self.dns,
            signing_in=self.signing_in,
            protection_hook=self.options.protection_hook,
            portal_is_open=self.options.portal_of.portal.lower() != OFF,
            lease=self.lease,
            settings=settings_in_force(self.options),
        )

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """The whole manager."""
        manager = await asyncio.to_thread(self.new_manager)
        password = await asyncio.to_thread(administrator, manager, self.options)
        async with served(manager, self.options, self.listeners) as server:
            await self.greet(manager, password)
            async with telling_systemd(manager, server, self.goes_on):
                yield

    @asynccontextmanager
    async def standing_by(self) -> AsyncIterator[None]:
        """What hands on to the manager that leads."""
        if self.lease is None:
            raise AssertionError("Nobody else can lead.")
        listeners = self.listeners.again()
        server = StandbyServer(self.lease, self.authority, self.sealing, listeners)
        leader = self.lease.leader
        log.info("this manager stands by", leader=leader and leader.url)
        informing = keep_informed(Notifier(), server.health, lambda: "stands by", self.goes_on)
        try:
            # A server that fails ends all: who stood by without one would be reached by nobody.
            async with asyncio.TaskGroup() as group:
                running = group.create_task(server.run(self.stop))
                telling = group.create_task(informing)
                self._greet(None)
                try:
                    yield
                finally:
                    if self.goes_on():
                        running.cancel()
                    telling.cancel()
        finally:
            listeners.close()

    def goes_on(self) -> bool:
        """Whether the process has another role next."""
        return not self.stop.is_set()

    async def greet(self, manager: Manager, password: str | None) -> None:
        """Tell the operator that it leads, and once the password that was made for `admin`.

        Raises:
            SQLAlchemyError: that it was shown cannot be written; the next start makes another one.
            UnavailableError: likewise, since another manager leads, which has made another one.
        """
        self._greet(password)
        if password is not None:
            await asyncio.to_thread(_note_shown, manager)

    def _greet(self, password: str | None) -> None:
        # Who stood by before was greeted, and has heard of no password.
        if not self.greeted or password is not None:
            greet(self.options, password)
        self.greeted = True


@contextmanager
def started(options: Options) -> Iterator[Service]:
    """A manager on its data folder and its database, whose ports are open.

    Raises:
        CloudgateError: one of them cannot be had.
    """
    stop = asyncio.Event()
    # Signals are heard until all that was opened is closed.
    with ExitStack() as heard, ExitStack() as opened:
        opened.enter_context(installation.locked(options.data))
        database, authority, sealing = opened.enter_context(_opened(options))
        lease = None
        if options.database is not None:
            holder = f"{socket.gethostname()}:{options.data.resolve()}"
            lease = Lease(database, holder, own_url(options.own_url, options.host, options.port))
        certificate = PortCertificate(options.data / "tls", authority, _names(options))
        plain = None
        listener = opened.enter_context(open_listener(options.host, options.port))
        if options.http_port is not None:
            plain = opened.enter_context(open_listener(options.host, options.http_port))
        listeners = ManagerListeners(
            listener=listener,
            certificate=certificate,
            http_listener=plain,
            metrics_listener=opened.enter_context(metrics_listener_of(options.metrics_listen)),
            trusted_proxies=networks(options.trusted_proxy),
            connections_per_address=options.connections_per_address or CONNECTIONS_PER_ADDRESS,
        )
        # A terminal that is closed is no reason to leave anything behind.
        hangup = None if is_hangup_ignored() else stop.set
        heard.enter_context(on_end(stop.set, hangup=hangup))
        yield Service(
            options,
            database,
            authority,
            sealing,
            lease,
            listeners,
            outgoing_of(options.outgoing),
            dns_of(options.dns, options.acme_dns_hook),
            signing_in_of(options.signing_in),
            stop,
        )


def _names(options: Options) -> tuple[str, ...]:
    """Those of the port's certificate."""
    names = {socket.gethostname(), "localhost", *host_addresses()}
    if options.host:
        names.add(options.host)
    if options.own_url and (name := urlsplit(options.own_url).hostname):
        names.add(name)
    return tuple(names)


@contextmanager
def _opened(options: Options) -> Iterator[tuple[Database, Authority, SealingKey]]:
    """The database, at this release's revision where nobody else can be at work in it; and keys."""
    if options.database is None:
        installation.begin(options.data)
        authority, sealing = open_authority(options.data / "tls"), open_sealing(options.data)
        database = Database(sqlite_url(options.data / installation.DATABASE))
    else:
        # Looked at first: keys are made for a database that is empty, and for no other.
        database = Database(options.database, as_it_is=True)
    try:
        if options.database is not None:
            installation.begin_keys(options.data, is_new=not knows_keys(database))
            authority, sealing = open_authority(options.data / "tls"), open_sealing(options.data)
        check_keys(database, authority, sealing)
        installation.end(options.data)
        yield database, authority, sealing
    except DatabaseError as problem:
        found = database_reason(problem)
        if found is None:
            raise
        raise UnavailableError(found) from problem
    finally:
        database.close()


@contextmanager
def alone(service: Service) -> Iterator[None]:
    """Be the manager that leads, for what cannot stand by.

    Raises:
        UnavailableError: another one leads.
    """
    if service.lease is None:
        yield
        return
    loop = asyncio.get_running_loop()
    service.lease.take()
    service.lease.keep(lambda: loop.call_soon_threadsafe(service.stop.set))
    try:
        yield
    finally:
        with suppress(SQLAlchemyError):  # it ends by itself
            service.lease.give_back()


def administrator(manager: Manager, options: Options) -> str | None:
    """See to the administrator's account. Returns a password that nobody has seen yet, if any.

    Raises:
        InvalidRequestError: a file that his password is wanted of cannot be read, or is empty.
    """
    always, first = options.admin_password_file, options.first_admin_password_file
    if always is not None:
        ensure_administrator(manager, passwords.from_file(always))
    elif first is not None:
        begin_administrator(manager, lambda: _first_of_file(first))
    else:
        return first_password(manager)
    return None


def _first_of_file(file: Path) -> str:
    try:
        return passwords.from_file(file)
    except InvalidRequestError as problem:
        raise InvalidRequestError(
            f"{problem.message} admin has no password yet: write the one that he is to begin with"
            " into that file, or leave out --first-admin-password-file."
        ) from None


def _note_shown(manager: Manager) -> None:
    with manager.changing() as work:
        note_first_password_known(work)


@asynccontextmanager
async def served(
    manager: Manager, options: Options, listeners: ManagerListeners
) -> AsyncIterator[ManagerServer]:
    """While a manager answers at its listeners, which stay open afterwards for what comes next."""
    mine = listeners.again()
    extras = ServerOptions(
        http_listener=mine.http_listener,
        metrics_tokens=metrics_tokens_of(options.metrics_token_file),
        metrics_listener=mine.metrics_listener,
        trusted_proxies=listeners.trusted_proxies,
        audit_outlet=open_outlet(options.audit_log) if options.audit_log else None,
        connections_per_address=listeners.connections_per_address,
        span_export=open_export(),
        audit_kept=timedelta(days=options.audit_days) if options.audit_days else None,
        backups=scheduled_backups_of(options),
        brand=brand_of(options.portal_of),
    )
    server = ManagerServer(manager, mine.listener, listeners.certificate, extras)
    running = asyncio.create_task(server.run())
    try:
        await _first(asyncio.create_task(server.listening()), running)
        _spare_the_collector()
        yield server
    finally:
        server.stop()
        await running
        mine.close()


@asynccontextmanager
async def telling_systemd(
    manager: Manager, server: ManagerServer, goes_on: Callable[[], bool] = lambda: False
) -> AsyncIterator[None]:
    """While it runs, systemd hears so, if it wants to."""

    def describe() -> str:
        now = manager.clock()
        presence = manager.hosts.presence
        there_since = presence.there_since(now, was_online=False)
        online = sum(seen > there_since for seen in presence.all(now).values())
        return f"{online} managed server{'' if online == 1 else 's'} online"

    telling = asyncio.create_task(keep_informed(Notifier(), server.health, describe, goes_on))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])


def _spare_the_collector() -> None:
    """Take what was loaded at the start out of garbage collection: it never becomes garbage.

    Walking over it took some 200 ms now and then, in the middle of some request. What a request
    makes is mostly gone with its answer: a page of a hundred things had it looked for ten times.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_BETWEEN_COLLECTIONS)


async def _first(wanted: asyncio.Task[None], running: asyncio.Task[None]) -> None:
    """Wait for `wanted`; if `running` ends before, its failure is raised."""
    await asyncio.wait({wanted, running}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        wanted.cancel()
        await running
