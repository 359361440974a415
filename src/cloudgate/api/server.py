"""Manager server: how is the manager served? Over HTTPS, and over HTTP where wanted."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy.exc import DatabaseError, OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from cloudgate.api.application import Application
from cloudgate.api.connections.acceptor import Acceptor
from cloudgate.api.connections.connection_limit import (
    CONNECTIONS_PER_ADDRESS,
    ConnectionLimiter,
    connection_limits,
)
from cloudgate.api.connections.deadlines import IDLE_SECONDS
from cloudgate.api.connections.relay import Handovers
from cloudgate.api.http.header_spelling import PublishedHeaderNames, all_spelled
from cloudgate.api.http.proxies import Network, is_trusted
from cloudgate.api.metrics_tokens import MetricsTokens
from cloudgate.api.monitoring_endpoint import MonitoringTarget
from cloudgate.background import Background, FailingJob, Job
from cloudgate.console.brand import Brand
from cloudgate.errors import CloudgateError
from cloudgate.manager.audit.outlets import Outlet
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.acme_orders import AcmeWorker
from cloudgate.manager.jobs.backup_schedule import BackupWorker, Schedule
from cloudgate.manager.jobs.dns_updates import DnsWorker
from cloudgate.manager.jobs.protection_checks import ProtectionCheckWorker
from cloudgate.manager.jobs.reachability_probe import Prober, ReachabilityMonitor, dial
from cloudgate.manager.jobs.scheduler import Scheduler
from cloudgate.manager.jobs.span_export import Export, SpanExporter
from cloudgate.manager.jobs.usage_probes import UsageProbeWorker
from cloudgate.manager.monitoring.health import manager_health
from cloudgate.manager.monitoring.metrics import ManagerMetrics
from cloudgate.manager.monitoring.tenant_metrics import TenantMetrics
from cloudgate.manager.notifications.worker import NotificationWorker
from cloudgate.manager.security.authority import PortCertificate
from cloudgate.manager.storage.failures import reason as database_reason
from cloudgate.monitoring.endpoint import METRICS, RECENT, TENANTS, Monitoring
from cloudgate.monitoring.endpoint import serve as serve_monitoring
from cloudgate.monitoring.recent_pages import RecentPages
from cloudgate.processes.open_files import allow_many_files

BACKLOG = 1024
_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """Uvicorn with an event for being ready, which takes connections in as `Acceptor` does.

    It has no signal handlers of its own.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        seats: ConnectionLimiter,
        is_trusted: Callable[[str], bool],
        handovers: Handovers | None,
    ) -> None:
        super().__init__(config)
        self._handovers = handovers
        self.listening = asyncio.Event()
        self._seats = seats
        self._is_trusted = is_trusted

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever started the server."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Once in a tenth of a second; the headers of all answers are made anew."""
        ends = await super().on_tick(counter)
        self.server_state.default_headers = all_spelled(self.server_state.default_headers)
        return ends

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        taking_in: list[Any] = []
        for listener in sockets or ():
            accepting = Acceptor(
                listener,
                self.config,
                self.server_state,
                self._seats,
                self._is_trusted,
                handovers=self._handovers,
            )
            accepting.start()
            taking_in.append(accepting)
        self.servers = taking_in
        self.started = True
        self.listening.set()


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """What a manager may have besides its HTTPS port."""

    http_listener: socket.socket | None = None
    """Where the API is served without TLS."""
    trusted_proxies: tuple[Network, ...] = ()
    """The proxies that are believed about where requests come from."""
    audit_outlet: Outlet | None = None
    span_export: Export | None = None
    """Sends the spans of changes to a collector."""
    audit_kept: timedelta | None = None
    """How long entries of the audit log are kept; for ever when None."""
    backups: tuple[Path, Schedule] | None = None
    """The data folder, and when it is backed up by itself; never when None."""
    prober: Prober = dial
    """Says whether a gateway is reached at its advertised address."""
    metrics_listener: socket.socket | None = None
    """Where health and figures are shown to whoever reaches it; nowhere when None."""
    metrics_tokens: MetricsTokens | None = None
    """Who besides sessions may see figures on the API's port; nobody when None."""
    brand: Brand | None = None
    """What tenants see at the portal; the product's own when None."""
    connections_per_address: int = CONNECTIONS_PER_ADDRESS
    """How many connections one address may have; those of trusted proxies are not counted so."""


class ManagerServer:
    """The manager's ports and its jobs, run together."""

    def __init__(
        self,
        manager: Manager,
        listener: socket.socket,
        certificate: PortCertificate,
        extras: ServerOptions | None = None,
    ) -> None:
        extras = extras or ServerOptions()
        self._clock = manager.clock
        self._certificate = certificate
        self._notifier = manager.wakeups
        self._manager = manager
        self._acme_worker = AcmeWorker(manager)
        self._usage_probes = UsageProbeWorker(manager)
        self._protection_checks = ProtectionCheckWorker(manager)
        self._scheduler = Scheduler(
            manager, extras.audit_outlet, self._renew_certificate, extras.audit_kept
        )
        recent = RecentPages(manager.clock)
        self._background = Background(
            (*self._scheduler.jobs(), recent.job(), *self._other_jobs(extras)),
            on_change=self._note_failing,
            foreseen=_foreseen,
        )
        manager.warnings.await_kinds(lambda: self._background.untried)
        self.health = manager_health(manager, self._background)
        self._monitoring = self._shown(recent, has_outlet=extras.audit_outlet is not None)
        self._metrics_listener = extras.metrics_listener
        self._application = Application(
            manager,
            lambda: self._background.wake(*self._scheduler.after_change),
            extras.trusted_proxies,
            extras.prober,
            MonitoringTarget(self._monitoring, extras.metrics_tokens),
            brand=extras.brand,
        )
        self._servers = list(self._served(listener, extras))

    def _other_jobs(self, extras: ServerOptions) -> Iterator[Job]:
        """All but those of the scheduler, which run at deadlines and after changes."""
        manager = self._manager
        yield self._acme_worker.job()
        yield self._usage_probes.job()
        yield self._protection_checks.job()
        yield ReachabilityMonitor(manager, extras.prober).job()
        yield from NotificationWorker(manager).jobs()
        if manager.dns.names:
            yield DnsWorker(manager, extras.prober).job()
        if extras.span_export:
            yield SpanExporter(manager.timelines, extras.span_export).job()
        if extras.backups:
            yield from BackupWorker(manager, *extras.backups).jobs()

    def _shown(self, recent: RecentPages, *, has_outlet: bool) -> Monitoring:
        """Health and figures. `has_outlet`: the audit log goes elsewhere besides."""
        metrics = ManagerMetrics(
            self._manager,
            self._background,
            self.health,
            port_certificate=self._certificate.known_file,
            has_outlet=has_outlet,
        )
        recent.source = metrics.document
        documents = {
            METRICS: metrics.document,
            TENANTS: TenantMetrics(self._manager).document,
            RECENT: recent.document,
        }
        return Monitoring(self.health, documents)

    def _served(
        self, listener: socket.socket, extras: ServerOptions
    ) -> Iterator[tuple[_Server, socket.socket]]:
        """Each port, and what is served there."""
        seats = ConnectionLimiter(
            connection_limits(allow_many_files(), extras.connections_per_address)
        )
        lease, handovers = self._manager.lease, None
        if lease is not None:
            handovers = Handovers(self._manager.sealing, lambda: lease.term)

        def serve(file: Path | None) -> _Server:
            trusted = partial(is_trusted, trusted=extras.trusted_proxies)
            return _Server(configured(self._application, file), seats, trusted, handovers)

        yield serve(self._certificate.usable_file(self._clock())), listener
        if extras.http_listener is not None:
            yield serve(None), extras.http_listener

    async def listening(self) -> None:
        """Returns when requests are answered."""
        for server, _ in self._servers:
            await server.listening.wait()

    async def run(self) -> None:
        """Serve until `stop` is called."""
        async with asyncio.TaskGroup() as group:
            by_itself = group.create_task(self._background.run())
            watched = [
                group.create_task(serve_monitoring(self._monitoring, each))
                for each in (self._metrics_listener,)
                if each is not None
            ]
            try:
                async with asyncio.TaskGroup() as serving:
                    for server, listener in self._servers:
                        serving.create_task(server.serve(sockets=[listener]))
            finally:
                self._acme_worker.stop()
                self._usage_probes.stop()
                self._protection_checks.stop()
                for each in (by_itself, *watched):
                    each.cancel()
        await run_in_threadpool(self._scheduler.finish)

    def _note_failing(self, name: str, failing: FailingJob | None) -> None:
        self._manager.warn(name, failing.text if failing else "")

    def _renew_certificate(self) -> None:
        """Show a new certificate from the next connection on, if it is time."""
        file = self._certificate.file(self._clock())
        for server, _ in self._servers:
            context = server.config.ssl
            if context is not None:
                context.load_cert_chain(file)

    def wake(self) -> None:
        """Look after the tasks now: something that they depend on has changed."""
        self._background.wake()

    def stop(self) -> None:
        """End `run`: hosts that wait for news are answered, other requests may finish."""
        self.health.drain()
        self._notifier.close()
        self._application.stop()
        for server, _ in self._servers:
            server.should_exit = True


def _foreseen(error: Exception) -> str | None:
    """What an operator can do something about."""
    if isinstance(error, DatabaseError) and (found := database_reason(error)):
        return found
    if isinstance(error, OperationalError):
        return f"The database cannot be used: {error.orig}."
    return None


def configured(application: ASGIApp, certificate: Path | None) -> uvicorn.Config:
    """How a manager's port is served; `certificate` is None for one without TLS."""
    return uvicorn.Config(
        PublishedHeaderNames(application),
        ssl_certfile=certificate,
        log_config=None,
        access_log=False,
        interface="asgi3",
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=int(IDLE_SECONDS),
    )


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; on all of them when `host` is empty.

    Raises:
        CloudgateError: the address cannot be listened on; the message says why.
    """
    try:
        listener = _open(host, port)
    except OSError as problem:
        where = f"{host or 'all addresses'}, port {port}"
        # Python adds to the system's words; those that are no system's have a number below 0.
        number = problem.errno or 0
        why = os.strerror(number) if number > 0 else problem.strerror or problem
        raise CloudgateError(
            f"Cannot listen on {where}: {why}."
            " Stop what uses that port, or choose another with --port."
        ) from None
    # Connections inherit it. Otherwise, the second packet of an answer would wait until the client
    # has confirmed the first, which clients put off by 40 milliseconds.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _open(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
