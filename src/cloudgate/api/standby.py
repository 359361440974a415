"""Standby: what does a manager answer while another one leads? It hands each connection on.

Where the other one is not reached, it says itself that the caller is to try again.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit
from weakref import WeakSet

import structlog
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from cloudgate.api.connections.acceptor import Acceptor, Connection
from cloudgate.api.connections.connection_limit import (
    CONNECTIONS_PER_ADDRESS,
    Admission,
    ConnectionLimiter,
    connection_limits,
)
from cloudgate.api.connections.relay import Handover, MessageSigner, Relay, new_word
from cloudgate.api.http.proxies import Network, is_trusted
from cloudgate.api.rest_api import refusal
from cloudgate.api.server import configured
from cloudgate.background import Background
from cloudgate.errors import UnavailableError
from cloudgate.manager.core.unit_of_work import utc_now
from cloudgate.manager.lease import RETRY_SECONDS, Lease
from cloudgate.manager.security.authority import Authority, PortCertificate
from cloudgate.monitoring.endpoint import METRICS, Monitoring
from cloudgate.monitoring.endpoint import serve as serve_monitoring
from cloudgate.monitoring.exposition import Lines
from cloudgate.monitoring.health import Health
from cloudgate.monitoring.process_page import page
from cloudgate.network.happy_eyeballs import open_tls_transport
from cloudgate.processes.open_files import allow_many_files
from cloudgate.trust.certificate_roles import client_context, only_a_manager

log = structlog.get_logger(__name__)

RENEWAL_SECONDS = 3600.0
"""How often it is looked whether the port's certificate is to be made anew."""
GRACE_SECONDS = 2.0
"""How long a call that was handed on may go on when this manager ends, or begins to lead."""
_LOOK_SECONDS = 0.05
AWAY = (
    "The manager that leads is not reached from this one, which takes its place within seconds if"
    " it is gone. Try again."
)


@dataclass(frozen=True, kw_only=True)
class ManagerListeners:
    """Sockets that a manager is reached at, and how."""

    listener: socket.socket
    certificate: PortCertificate
    http_listener: socket.socket | None = None
    metrics_listener: socket.socket | None = None
    trusted_proxies: tuple[Network, ...] = ()
    connections_per_address: int = CONNECTIONS_PER_ADDRESS

    def again(self) -> "ManagerListeners":
        """The same, with sockets that can be closed while these stay open."""
        return replace(
            self,
            listener=self.listener.dup(),
            http_listener=self.http_listener and self.http_listener.dup(),
            metrics_listener=self.metrics_listener and self.metrics_listener.dup(),
        )

    def close(self) -> None:
        """Close the sockets; a second time means nothing."""
        for each in (self.listener, self.http_listener, self.metrics_listener):
            if each is not None:
                each.close()


class StandbyServer:
    """A manager's ports while another manager leads."""

    def __init__(
        self,
        lease: Lease,
        authority: Authority,
        marks: MessageSigner,
        listeners: ManagerListeners,
    ) -> None:
        self._lease = lease
        self._marks = marks
        self._certificate = listeners.certificate
        self._listeners = listeners
        self._relays: WeakSet[Relay] = WeakSet()
        self._context = client_context(only_a_manager, pem=authority.certificate_pem)
        self._context.check_hostname = False  # where it is, its own database says
        self.health = Health({"leader": self._problem})
        self._monitoring = Monitoring(self.health, {METRICS: self._page})
        limits = connection_limits(allow_many_files(), listeners.connections_per_address)
        self._seats = ConnectionLimiter(limits)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand on until `stop`, or until cancelled because nobody leads any more."""
        config = configured(self, self._certificate.usable_file(utc_now()))
        plain = configured(self, None)
        taking_in = [self._acceptor(self._listeners.listener, config)]
        if self._listeners.http_listener is not None:
            taking_in.append(self._acceptor(self._listeners.http_listener, plain))
        watched = self._listeners.metrics_listener
        showing = (
            asyncio.create_task(serve_monitoring(self._monitoring, watched)) if watched else None
        )
        try:
            while not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RENEWAL_SECONDS)
                file = self._certificate.usable_file(utc_now())
                if config.ssl is not None:
                    config.ssl.load_cert_chain(file)
            for each, _ in taking_in:
                each.close()
            await self._drain()
        finally:
            if showing is not None:
                showing.cancel()
            for each, _ in taking_in:
                each.close()
            await asyncio.gather(*(each.wait_closed() for each, _ in taking_in))
            for relay in self._open_relays():
                relay.client.abort()
            for _, state in taking_in:
                for connection in list(state.connections):
                    connection.transport.abort()

    async def _drain(self) -> None:
        """End what was handed on; what is being answered has a moment for that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GRACE_SECONDS
        while (now := loop.time()) < deadline:
            for each in self._open_relays():
                if each.is_settled(now):
                    each.client.close()
            if not self._open_relays():
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def _open_relays(self) -> list[Relay]:
        return [each for each in self._relays if each.is_open]

    def _acceptor(
        self, listener: socket.socket, config: uvicorn.Config
    ) -> tuple[Acceptor, ServerState]:
        config.load()
        state = ServerState()
        trusted = partial(is_trusted, trusted=self._listeners.trusted_proxies)
        made = Acceptor(
            listener,
            config,
            state,
            self._seats,
            trusted,
            protocol=partial(self._protocol, config, state),
        )
        made.start()
        return made, state

    def _protocol(
        self, config: uvicorn.Config, state: ServerState, seat: Admission
    ) -> asyncio.Protocol:
        here = partial(Connection, config, state, {}, seat)
        leader = self._lease.leader
        if leader is None or not leader.url:
            return here()
        relay = Relay(seat, self._dial, self._greeting, self._marks, here)
        self._relays.add(relay)
        return relay

    def _greeting(self, address: str, scheme: str) -> Handover:
        leader = self._lease.leader
        return Handover(leader.term if leader else 0, address, scheme, new_word())

    async def _dial(self, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        leader = self._lease.leader
        if leader is None:
            raise OSError("no manager leads")
        parts = urlsplit(leader.url)
        return await open_tls_transport(
            protocol, parts.hostname or "", parts.port or 443, self._context
        )

    async def _problem(self) -> str:
        """Why nobody is handed on; empty when the manager that leads is reached."""
        try:
            (await self._dial(asyncio.Protocol)).abort()
        except OSError as problem:
            return f"the manager that leads is not reached: {problem}"
        return ""

    async def _page(self, accept: str) -> tuple[Sequence[bytes], str]:
        return await page(accept, self.health, Background(()), _nothing_more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request that is not handed on."""
        if scope["type"] == "http":
            await (await self._respond(Request(scope, receive)))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.url.path.strip("/").lower()
        problem = UnavailableError(AWAY, retry_after_seconds=RETRY_SECONDS)
        if path.startswith("host/"):
            return JSONResponse({"message": problem.message}, 503)
        said = await self._monitoring.answer(path, {}) if path != METRICS else None
        if said is not None:
            return PlainTextResponse(said.body, said.status)
        return refusal(problem, request.headers.get("accept"))


def _nothing_more(_: Lines) -> None:
    return
