"""gRPC server: how does Envoy call this process? With one method, and nobody else is answered.

A server of HTTP/2 (RFC 9113) that does what such calls need and no more: each request is one
message, each answer another. Headers of requests are never looked at, as there is one method, so
nothing is decoded that could be decoded wrongly. General servers cost three times as much, for each
tunnel: they are made for callers whom one does not know.
https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import asyncio
import socket
import ssl
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast

import structlog

from cloudgate.errors import InvalidRequestError
from cloudgate.processes.socket_handoff import BACKLOG

Method = Callable[[bytes], Awaitable[bytes]]
"""From the message of a request to that of its answer."""

LONGEST_MESSAGE_BYTES = 1024 * 1024
"""Envoy's questions are shorter: they hold what a tenant's headers hold."""
HANDSHAKE_SECONDS = 3.0
"""How long one who has not proved yet to be Envoy may take to do so."""
GOAWAY_GRACE_SECONDS = 3.0
"""How long calls may take that are under way when the server retires."""
_ON_ITS_WAY_SECONDS = 0.05
MAX_CONCURRENT_STREAMS = 2**31 - 1
"""How many may be open at once; how many tenants wait is limited elsewhere."""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD: Final = struct.Struct("!HBBBI")  # length (16 + 8 bits), kind, flags, stream
_PREFIX: Final = struct.Struct("!BI")  # of a gRPC message: compressed or not, length
_SETTING: Final = struct.Struct("!HI")
_NUMBER: Final = struct.Struct("!I")

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
_END_STREAM = _ACK = 0x01
_END_HEADERS = 0x04
_PADDED = 0x08
_STREAM_BITS = 0x7FFFFFFF

_HEADER_TABLE_SIZE, _MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 1, 3, 4, 5
_FIRST_WINDOW_BYTES = 65_535
_LARGEST_WINDOW_BYTES = 2**31 - 1
_FRAME_BYTES = 16_384
"""Longest frame that either side sends when nobody said more."""
_PROTOCOL_ERROR, _FLOW_CONTROL_ERROR, _FRAME_SIZE_ERROR = 1, 3, 6
_INTERNAL = 13
"""The gRPC status code of a fault on this side."""

_log = structlog.get_logger(__name__)


def _literal(name: str, value: str) -> bytes:
    """A header that no table remembers (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()


_STATUS_200: Final = b"\x88"  # RFC 7541, appendix A
_ANSWER: Final = _STATUS_200 + _literal("content-type", "application/grpc")
_FINE: Final = _literal("grpc-status", "0")
_FAULT: Final = _ANSWER + _literal("grpc-status", str(_INTERNAL))


class _ProtocolError(Exception):
    """The other side does not speak as it has to; the connection ends."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass
class _Call:
    """One call of the client: an HTTP/2 stream, its request and its answer."""

    window: int
    """Bytes that may be sent."""
    asked: bytearray = field(default_factory=bytearray)
    answering: asyncio.Task[None] | None = None
    unsent: bytes = b""
    """What of the answer has to wait for the other side's window."""


class Served(Protocol):
    """A connection that the server can end in order."""

    def send_goaway(self) -> None:
        """Ask for no more."""
        ...

    async def wait_idle(self) -> None:
        """Wait until all is answered that was asked."""
        ...

    def abort(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True)
class OtherLine:
    """Another protocol on the same socket."""

    greeting: bytes
    """What its connections begin with; never with the first byte of HTTP/2."""
    make: Callable[[Callable[[Served], None]], tuple[asyncio.Protocol, Served]]
    """Makes one, which calls what it is given when it is lost."""


class GrpcServer:
    """Answers the calls of one gRPC method until it is stopped."""

    def __init__(
        self,
        listener: socket.socket,
        server: asyncio.Server,
        connections: set[Served],
    ) -> None:
        self.listener = listener
        """Stays open while it is answered here, and after `retire`."""
        self._server = server
        self._connections = connections

    async def retire(self) -> None:
        """Take no more connections, and hang up when all calls are answered.

        Who calls from now on waits for whoever accepts from `listener` next.
        """
        self._server.close()
        for each in self._connections:
            each.send_goaway()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOAWAY_GRACE_SECONDS):
                # A call may have been on its way when the goodbye was.
                await asyncio.sleep(_ON_ITS_WAY_SECONDS)
                await asyncio.gather(*(each.wait_idle() for each in self._connections))
        self._hang_up()

    async def stop(self) -> None:
        """Take no more calls, and hang up on those that have no answer yet."""
        self._server.close()
        self.listener.close()
        self._hang_up()
        await self._server.wait_closed()

    def _hang_up(self) -> None:
        for each in list(self._connections):
            each.abort()


async def serve_grpc(
    method: Method,
    listener: socket.socket,
    context: ssl.SSLContext | None = None,
    other: OtherLine | None = None,
) -> GrpcServer:
    """Answer calls on a socket that listens; over TLS where there is a context."""
    connections: set[Served] = set()
    loop = asyncio.get_running_loop()

    def made() -> _Connection:
        return _Connection(method, connections, other)

    settings: dict[str, Any] = {"sock": listener.dup(), "backlog": BACKLOG, "ssl": context}
    if context is not None:
        settings["ssl_handshake_timeout"] = HANDSHAKE_SECONDS
    if sys.platform != "win32" and listener.family == socket.AF_UNIX:
        # The server closes what it was given; newer ones would also remove its name.
        kept: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
        server = await loop.create_unix_server(made, **settings, **kept)
    else:
        server = await loop.create_server(made, **settings)
    return GrpcServer(listener, server, connections)


class _Connection(asyncio.Protocol):
    """One HTTP/2 connection of the client, from its preface to its end."""

    def __init__(
        self, method: Method, connections: set[Served], other: OtherLine | None = None
    ) -> None:
        self._method = method
        self._other = other
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._greeted = False
        self._in_headers = 0
        """The stream whose headers have not ended yet."""
        self._ends_with_headers = False
        self._calls: dict[int, _Call] = {}
        self._last_stream = 0
        self._window = _FIRST_WINDOW_BYTES
        self._call_window = _FIRST_WINDOW_BYTES
        self._frame_bytes = _FRAME_BYTES
        self._taken_bytes = 0
        self._all_answered = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is said before it is known which protocol it is."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def _greet(self) -> None:
        """Say how much may come at once: any number of questions, none of them long."""
        self._greeted = True
        settings = (
            (_HEADER_TABLE_SIZE, 0),
            (_MAX_CONCURRENT_STREAMS, MAX_CONCURRENT_STREAMS),
            (_INITIAL_WINDOW_SIZE, LONGEST_MESSAGE_BYTES),
        )
        self._send(_SETTINGS, 0, 0, b"".join(_SETTING.pack(*each) for each in settings))
        self._open_window(_LARGEST_WINDOW_BYTES - _FIRST_WINDOW_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what nobody waits for."""
        del exc
        self._connections.discard(self)
        for call in self._calls.values():
            if call.answering is not None:
                call.answering.cancel()
        self._calls.clear()
        self._all_answered.set()

    def send_goaway(self) -> None:
        """Ask for no more calls on this connection (RFC 9113, section 6.8)."""
        self._send(_GOAWAY, 0, 0, struct.pack("!II", _STREAM_BITS, 0))

    async def wait_idle(self) -> None:
        """Wait until no call is open."""
        while self._calls:
            self._all_answered.clear()
            await self._all_answered.wait()

    def abort(self) -> None:
        """End the connection and all its calls."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self._unread += data
        if self._other is not None and not self._greeted:
            if self._unread.startswith(self._other.greeting):
                self._change_over(self._other)
                return
            if self._other.greeting.startswith(self._unread):
                return  # the rest is to come
        try:
            self._take_frames()
        except _ProtocolError as error:
            _log.error("a call to the authorizer is malformed", reason=str(error))
            self._send(_GOAWAY, 0, 0, struct.pack("!II", self._last_stream, error.code))
            if self._transport is not None:
                self._transport.close()

    def _change_over(self, other: OtherLine) -> None:
        if self._transport is None:
            return
        protocol, served = other.make(self._connections.discard)
        self._connections.discard(self)
        self._connections.add(served)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if rest := bytes(self._unread[len(other.greeting) :]):
            protocol.data_received(rest)

    def _take_frames(self) -> None:
        unread = self._unread
        if not self._greeted:
            if len(unread) < len(_PREFACE):
                return
            if not unread.startswith(_PREFACE):
                raise _ProtocolError(_PROTOCOL_ERROR, "It is not HTTP/2.")
            self._greet()
            del unread[: len(_PREFACE)]
        at = 0
        with memoryview(bytes(unread)) as came:
            while len(came) - at >= _HEAD.size:
                high, low, kind, flags, stream = _HEAD.unpack_from(came, at)
                length = high << 8 | low
                if length > _FRAME_BYTES:
                    raise _ProtocolError(_FRAME_SIZE_ERROR, "A frame is too long.")
                end = at + _HEAD.size + length
                if end > len(came):
                    break
                self._take(kind, flags, stream & _STREAM_BITS, bytes(came[at + _HEAD.size : end]))
                at = end
        del unread[:at]

    def _take(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if self._in_headers and (kind != _CONTINUATION or stream != self._in_headers):
            raise _ProtocolError(_PROTOCOL_ERROR, "Headers do not go on.")
        if kind == _DATA:
            self._take_data(flags, stream, content)
        elif kind == _HEADERS:
            self._take_headers(flags, stream)
        elif kind == _CONTINUATION:
            self._go_on(flags, stream)
        elif kind == _RST_STREAM:
            self._forget(stream)
        elif kind == _SETTINGS:
            self._take_settings(flags, content)
        elif kind == _PING and not flags & _ACK:
            self._send(_PING, _ACK, 0, content)
        elif kind == _WINDOW_UPDATE:
            self._take_window(stream, content)

    def _take_headers(self, flags: int, stream: int) -> None:
        if stream % 2 == 0 or (stream <= self._last_stream and stream not in self._calls):
            raise _ProtocolError(_PROTOCOL_ERROR, f"Nobody may open stream {stream}.")
        if stream > self._last_stream:
            self._last_stream = stream
            self._calls[stream] = _Call(self._call_window)
        self._ends_with_headers = bool(flags & _END_STREAM)
        self._in_headers = stream
        self._go_on(flags, stream)

    def _go_on(self, flags: int, stream: int) -> None:
        if not self._in_headers:
            raise _ProtocolError(_PROTOCOL_ERROR, "Headers go on that never began.")
        if flags & _END_HEADERS:
            self._in_headers = 0
            if self._ends_with_headers:
                self._request_complete(stream)

    def _take_data(self, flags: int, stream: int, content: bytes) -> None:
        if stream == 0 or stream > self._last_stream:
            raise _ProtocolError(_PROTOCOL_ERROR, f"Stream {stream} is not open.")
        self._taken_bytes += len(content)
        if self._taken_bytes > _LARGEST_WINDOW_BYTES // 2:
            self._open_window(self._taken_bytes)
            self._taken_bytes = 0
        call = self._calls.get(stream)
        if call is None or call.answering is not None:
            return  # of a call that was given up
        if flags & _PADDED:
            padding = content[0] if content else len(content)
            if padding >= len(content):
                raise _ProtocolError(_PROTOCOL_ERROR, "There is more padding than frame.")
            content = content[1 : len(content) - padding]
        call.asked += content
        if len(call.asked) > LONGEST_MESSAGE_BYTES:
            raise _ProtocolError(_FLOW_CONTROL_ERROR, "A question is too long.")
        if flags & _END_STREAM:
            self._request_complete(stream)

    def _take_settings(self, flags: int, content: bytes) -> None:
        if flags & _ACK:
            return
        if len(content) % _SETTING.size:
            raise _ProtocolError(_FRAME_SIZE_ERROR, "Half a setting came.")
        for name, value in _SETTING.iter_unpack(content):
            if name == _MAX_FRAME_SIZE:
                self._frame_bytes = value
            elif name == _INITIAL_WINDOW_SIZE:
                more = value - self._call_window
                self._call_window = value
                for call in self._calls.values():
                    call.window += more
        self._send(_SETTINGS, _ACK, 0, b"")
        self._send_unsent()

    def _take_window(self, stream: int, content: bytes) -> None:
        if len(content) != _NUMBER.size:
            raise _ProtocolError(_FRAME_SIZE_ERROR, "A window's size has another length.")
        (more,) = _NUMBER.unpack(content)
        if stream == 0:
            self._window += more
        elif stream in self._calls:
            self._calls[stream].window += more
        self._send_unsent()

    def _stream_ended(self, stream: int) -> _Call | None:
        call = self._calls.pop(stream, None)
        if not self._calls:
            self._all_answered.set()
        return call

    def _forget(self, stream: int) -> None:
        call = self._stream_ended(stream)
        if call is not None and call.answering is not None:
            call.answering.cancel()

    def _request_complete(self, stream: int) -> None:
        call = self._calls[stream]
        if call.answering is not None:
            raise _ProtocolError(_PROTOCOL_ERROR, f"Stream {stream} has ended before.")
        call.answering = asyncio.get_running_loop().create_task(self._answer(stream, call))

    async def _answer(self, stream: int, call: _Call) -> None:
        try:
            answer = await self._method(_message(call.asked))
        except Exception:  # noqa: BLE001  one that fails is no reason to leave the others waiting
            self._stream_ended(stream)
            self._send(_HEADERS, _END_HEADERS | _END_STREAM, stream, _FAULT)
            _log.exception("a call to the authorizer failed")
            return
        call.unsent = _PREFIX.pack(0, len(answer)) + answer
        head = _frame(_HEADERS, _END_HEADERS, stream, _ANSWER)
        if len(call.unsent) <= min(self._window, call.window, self._frame_bytes):
            self._window -= len(call.unsent)
            self._stream_ended(stream)
            data = _frame(_DATA, 0, stream, call.unsent)
            self._write(head + data + _end(stream))
        else:
            self._write(head)
            self._send_unsent()

    def _send_unsent(self) -> None:
        """Send of the answers what the other side has room for."""
        for stream, call in list(self._calls.items()):
            while call.unsent:
                room = min(self._window, call.window, self._frame_bytes)
                if room <= 0:
                    break
                piece, call.unsent = call.unsent[:room], call.unsent[room:]
                self._window -= len(piece)
                call.window -= len(piece)
                self._send(_DATA, 0, stream, piece)
                if not call.unsent:
                    self._stream_ended(stream)
                    self._write(_end(stream))

    def _open_window(self, more: int) -> None:
        self._send(_WINDOW_UPDATE, 0, 0, _NUMBER.pack(more))

    def _send(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        self._write(_frame(kind, flags, stream, content))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            with suppress(OSError):  # EPIPE, ECONNRESET: who asked is gone
                self._transport.write(data)


def _message(asked: bytearray) -> bytes:
    if len(asked) < _PREFIX.size:
        raise InvalidRequestError("A call came without a message.")
    compressed, length = _PREFIX.unpack_from(asked)
    if compressed or length != len(asked) - _PREFIX.size:
        raise InvalidRequestError("The message of a call is compressed or not whole.")
    return bytes(asked[_PREFIX.size :])


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    length = len(content)
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + content


def _end(stream: int) -> bytes:
    return _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, _FINE)
