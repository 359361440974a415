"""Acceptor: how does a connection come in, and when is it hung up on?"""

import asyncio
import contextlib
import errno
import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
import uvicorn
from uvicorn.server import ServerState

from cloudgate.api.connections.connection_limit import Admission, ConnectionLimiter
from cloudgate.api.connections.deadlines import (
    MOST_HEADER_BYTES,
    SPEAK_SECONDS,
    Deadlines,
    RequestPhase,
    WriteProgress,
)
from cloudgate.api.connections.relay import Handover, Handovers, may_begin
from cloudgate.api.connections.request_parser import RequestParser
from cloudgate.api.connections.tls_handshakes import Handshakes, wait_for_bytes
from cloudgate.background import Background, Job
from cloudgate.network.waiting_requests import BoundedHttp
from cloudgate.wire import xml
from cloudgate.wire.resources.base import Error

log = structlog.get_logger(__name__)

SEAT = "seat"
"""Under which a request's state has the seat of its connection."""
LOOK_SECONDS = 0.5
"""How often is looked who has had his time."""
TLS_END_SECONDS = 2.0
"""How long a client has to confirm the end of TLS."""
_NO_HTTP = (
    "It begins with a method in capitals, an address in ASCII and HTTP/1.1, lines ended by CR LF;"
    " all else in an address is percent-encoded (RFC 3986, section 2.1)."
)
_WITHOUT_FILES_SECONDS = 0.05
_REPORT_SECONDS = 60.0
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_GONE = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EPERM,
    }
)
"""The connection was over, or not let in, before it was taken in (accept(2))."""


class Connection(BoundedHttp):
    """An HTTP connection that is ended when its client owes something for too long."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        seat: Admission,
        handovers: Handovers | None = None,
    ) -> None:
        """`handovers`: how connections are taken that other managers hand on; never when None."""
        super().__init__(config, server_state, app_state)
        self.parser = RequestParser(self)  # type: ignore[assignment]  # it stands in its place
        self._seat = seat
        self._handovers = handovers
        self._first = b""
        self._account = Deadlines(self.loop.time())
        self._reading = WriteProgress()
        self._closing_since: float | None = None
        self._rests = False

    @property
    def rests(self) -> bool:
        """Whether there is nothing to look at: it waits for an answer, as polls of hosts do.

        Nothing becomes of that before its client says something, or the answer begins.
        """
        return self._rests and not self.cycle.response_started

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """TLS is there, where it is wanted."""
        super().connection_made(transport)
        self._account.owe(RequestPhase.HEADER, self.loop.time())
        self._seat.close = transport.abort

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._seat.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something was said."""
        self._rests = False
        self._account.received_bytes += len(data)
        if self._handovers is not None:
            data = self._after_handover(self._first + data, self._handovers)
            if not data:
                return
        super().data_received(data)
        if self._account.is_too_much():
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every failed request is answered, and hang up."""
        if self.transport.is_closing():
            return
        body = xml.write(Error(message=f"{msg} {_NO_HTTP}", status_code=400))
        headers = [
            *self.server_state.default_headers,
            (b"Content-Type", b"application/xml; charset=utf-8"),
            (b"Content-Length", str(len(body)).encode()),
            (b"Connection", b"close"),
        ]
        lines = [b"HTTP/1.1 400 Bad Request", *(name + b": " + value for name, value in headers)]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.transport.close()

    def eof_received(self) -> None:
        """The client has nothing more to say."""
        self._rests = False
        super().eof_received()

    def _after_handover(self, data: bytes, handovers: Handovers) -> bytes:
        """What is left for HTTP; nothing while it is not known whose the connection is."""
        self._first = b""
        found = None
        if may_begin(data):
            try:
                found = handovers.read(data)
            except ValueError:
                self.transport.abort()
                return b""
            if found is None:
                self._first = data
                return b""
        self._handovers = None
        if found is None:
            return data
        said, rest = found
        return rest if self._is_of(said) else b""

    def _is_of(self, said: Handover) -> bool:
        """Count the connection for its client from here on. Whether it may have another one."""
        hall, of_manager = self._seat.hall, self._seat.key
        if of_manager is not None:
            hall.on_proof(of_manager)
        self._seat.leave()
        seat = hall.admit(said.address, self.loop.time(), trusted=of_manager is None)
        if seat is None:
            self.transport.abort()
            return False
        self._seat = seat
        seat.close = self.transport.abort
        seat.on_proof = lambda: self.transport.write(said.proof)
        self.client = said.address, 0
        self.scheme = "https" if said.scheme == "https" else "http"
        return True

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["state"][SEAT] = self._seat
        if self._account.owed is RequestPhase.NEXT:
            self._account.owe(RequestPhase.HEADER, self.loop.time())

    def on_headers_complete(self) -> None:
        """The header is there."""
        if self._header_bytes() > MOST_HEADER_BYTES:  # with all of it in one read
            self.hang_up_while_parsing()
        self._account.owe(RequestPhase.BODY, self.loop.time())
        super().on_headers_complete()

    def _header_bytes(self) -> int:
        """Of the one that was parsed last."""
        return len(self.url) + sum(len(name) + len(value) + 3 for name, value in self.headers)

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        answered = self.cycle.response_complete
        self._account.owe(RequestPhase.NEXT if answered else RequestPhase.ANSWER, self.loop.time())
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer was written, though perhaps not read."""
        super().on_response_complete()
        if self._account.owed is RequestPhase.BODY and self.cycle.response_complete:
            self._account.owe(RequestPhase.REST, self.loop.time())
        elif not self.pipeline and self._account.owed is RequestPhase.ANSWER:
            self._account.owe(RequestPhase.NEXT, self.loop.time())

    def enforce_deadlines(self, now: float) -> None:
        """Hang up if the client has had its time."""
        unread_bytes = self._unread_bytes()
        if self._reading.is_stuck(unread_bytes, now) or self._is_closing_for_long(now):
            _close_by_reset(self.transport)
            self.transport.abort()
        elif self.flow.read_paused:
            # It is the manager that lets the client wait.
            self._account.since = now
        elif self._account.is_overdue(now, proven=self._seat.is_proven):
            self.transport.abort()
        else:
            waits = self._account.owed is RequestPhase.ANSWER and not self.pipeline
            self._rests = waits and not unread_bytes and not self.transport.is_closing()

    def _is_closing_for_long(self, now: float) -> bool:
        if not self.transport.is_closing():
            return False
        self._closing_since = now if self._closing_since is None else self._closing_since
        return now - self._closing_since >= SPEAK_SECONDS

    def _unread_bytes(self) -> int:
        """What waits in this process, and while something does, what waits in the system too."""
        waiting = self.transport.get_write_buffer_size()
        return waiting + _unsent_bytes(self.transport) if waiting else 0


def _close_by_reset(transport: asyncio.Transport) -> None:
    """Have the system forget at the end what was not read, megabytes of it (socket(7), SO_LINGER).

    Else it keeps them until the client reads or minutes have passed.
    """
    known = transport.get_extra_info("socket")
    if known is None:
        return
    with contextlib.suppress(OSError):  # EBADF, EINVAL: it is closed already
        known.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _unsent_bytes(transport: asyncio.Transport) -> int:
    """What the client has not confirmed yet (tcp(7), SIOCOUTQ)."""
    known = transport.get_extra_info("socket")
    if known is None:
        return 0
    try:
        said = fcntl.ioctl(known.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    except OSError:  # EBADF: it was closed meanwhile, and nothing waits any more
        return 0
    return int(struct.unpack("i", said)[0])


class Acceptor:
    """Takes connections in on one socket. Stands where uvicorn has a server of asyncio's."""

    def __init__(
        self,
        listener: socket.socket,
        config: uvicorn.Config,
        state: ServerState,
        seats: ConnectionLimiter,
        is_trusted: Callable[[str], bool],
        *,
        handovers: Handovers | None = None,
        protocol: Callable[[Admission], asyncio.Protocol] | None = None,
    ) -> None:
        """Where and how it takes in.

        Args:
            listener: listens.
            config: of the server, for connections of HTTP.
            state: of the same.
            seats: there are.
            is_trusted: says whether an address is a proxy's that speaks for many.
            handovers: how connections are taken that other managers hand on.
            protocol: what a connection speaks instead of HTTP.
        """
        self._protocol = protocol or (lambda seat: Connection(config, state, {}, seat, handovers))
        self._listener = listener
        self._config = config
        self._state = state
        self._seats = seats
        self._is_trusted = is_trusted
        self._handshakes = Handshakes()
        seats.on_proof = self._handshakes.prefer
        self._beginning: set[asyncio.Task[None]] = set()
        self._running: list[asyncio.Task[None]] = []
        self._is_closed = False
        self._refused_before = 0
        self._reported_at = -_REPORT_SECONDS

    def start(self) -> None:
        """Begin; on the event loop that is running."""
        self._listener.setblocking(False)  # noqa: FBT003
        jobs = Background(
            (
                Job(
                    name="Taking connections in",
                    attempt=self._accept,
                    interval_seconds=0.0,
                    longest_pause_seconds=1.0,
                    lasts=True,
                ),
                Job(
                    name="Hanging up on silent connections",
                    attempt=self._check_connections,
                    interval_seconds=LOOK_SECONDS,
                    longest_pause_seconds=LOOK_SECONDS,
                ),
            )
        )
        self._running = [asyncio.create_task(jobs.run())]

    def close(self) -> None:
        """Take nobody in any more; the listener may be closed at once. A second time is nothing."""
        if self._running and not self._is_closed:
            # Now, and not when the job ends: of a copy of a listener that was closed before, the
            # system would go on telling, and the loop turn as fast as it can.
            asyncio.get_running_loop().remove_reader(self._listener)
        self._is_closed = True
        for each in (*self._running, *self._beginning):
            each.cancel()

    async def wait_closed(self) -> None:
        """Returns when nobody is being taken in."""
        await asyncio.gather(*self._running, *self._beginning, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_closed:
            try:
                connection, peer = await loop.sock_accept(self._listener)
            except OSError as problem:
                if problem.errno in _GONE:
                    continue
                if problem.errno not in _NO_FILES:
                    log.exception("connections cannot be taken in")
                self._seats.make_room(loop.time())
                await asyncio.sleep(_WITHOUT_FILES_SECONDS)
                continue
            if self._is_closed:  # it came at the same moment
                connection.close()
                return
            try:
                address = str(peer[0])
                trusted = self._is_trusted(address)
                seat = self._seats.admit(address, loop.time(), trusted=trusted)
            except BaseException:
                connection.close()
                raise
            if seat is None:
                connection.close()
                continue
            beginning = asyncio.create_task(self._begin(connection, address, seat))
            seat.close = partial(_cancel, beginning)
            self._beginning.add(beginning)
            beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket, address: str, seat: Admission) -> None:
        """TLS, where it is wanted; then the connection goes on by itself."""
        try:
            if self._config.ssl is None:
                await self._connect(connection, seat)
            else:
                async with asyncio.timeout(SPEAK_SECONDS):
                    await wait_for_bytes(connection)
                    await self._handshakes.make(
                        address, self._connect(connection, seat, self._config.ssl)
                    )
        except (OSError, ssl.SSLError):
            # Of the client's making: silent (TimeoutError), broke off (ECONNRESET, EPIPE), lied.
            seat.leave()
            connection.close()
        except BaseException:
            seat.leave()
            connection.close()
            raise

    async def _connect(
        self, connection: socket.socket, seat: Admission, context: ssl.SSLContext | None = None
    ) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self._protocol(seat),
            connection,
            ssl=context,
            **({} if context is None else _TLS_SECONDS),
        )

    def _check_connections(self) -> None:
        now = asyncio.get_running_loop().time()
        for each in list(self._state.connections):
            if isinstance(each, Connection) and not each.rests:
                self._check_connection(each, now)
        self._report(now)

    @staticmethod
    def _check_connection(connection: Connection, now: float) -> None:
        try:
            connection.enforce_deadlines(now)
        except Exception:  # a fault of one keeps no other from being hung up on
            log.exception("a connection could not be looked at, and was ended")
            connection.transport.abort()

    def _report(self, now: float) -> None:
        refused = self._seats.refused
        if refused == self._refused_before or now - self._reported_at < _REPORT_SECONDS:
            return
        log.warning(
            "more connections than one address, or all together, may have",
            hung_up=refused - self._refused_before,
            open=self._seats.in_use,
        )
        self._refused_before, self._reported_at = refused, now


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()


_TLS_SECONDS: dict[str, float] = {
    "ssl_handshake_timeout": SPEAK_SECONDS,
    "ssl_shutdown_timeout": TLS_END_SECONDS,
}


def prove(state: Any) -> None:
    """Somebody who is known has made a request; `state` is the request's."""
    seat = getattr(state, SEAT, None)
    if seat is not None:
        seat.prove()
