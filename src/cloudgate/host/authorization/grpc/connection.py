"""gRPC connection: what is asked on one of Envoy's, and what is it answered?

Headers of requests are never looked at, as there is one method, so nothing is decoded that could be
decoded wrongly.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, cast

import structlog

from cloudgate.host.authorization.grpc import frames

Method = Callable[[bytes], Awaitable[bytes]]
"""From the message of a request to that of its answer."""

LONGEST_MESSAGE_BYTES = 1024 * 1024
"""Envoy's questions are shorter: they hold what a tenant's headers hold."""
MAX_CONCURRENT_STREAMS = 2**31 - 1
"""How many may be open at once; how many tenants wait is limited elsewhere."""

_log = structlog.get_logger(__name__)


@dataclass
class _Call:
    """One call of the client: an HTTP/2 stream, its request and its answer."""

    window: int
    """Bytes that may be sent."""
    asked: bytearray = field(default_factory=bytearray)
    answering: asyncio.Task[None] | None = None
    unsent: bytes = b""
    """What of the answer has to wait for the other side's window."""


class ServedConnection(Protocol):
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
class AlternativeProtocol:
    """Another protocol on the same socket."""

    greeting: bytes
    """What its connections begin with; never with the first byte of HTTP/2."""
    make: Callable[[Callable[[ServedConnection], None]], tuple[asyncio.Protocol, ServedConnection]]
    """Makes one, which calls what it is given when it is lost."""


class Connection(asyncio.Protocol):
    """One HTTP/2 connection of the client, from its preface to its end."""

    def __init__(
        self,
        method: Method,
        connections: set[ServedConnection],
        other: AlternativeProtocol | None = None,
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
        self._window = frames.FIRST_WINDOW_BYTES
        self._call_window = frames.FIRST_WINDOW_BYTES
        self._frame_bytes = frames.FRAME_BYTES
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
            (frames.SETTINGS_HEADER_TABLE_SIZE, 0),
            (frames.SETTINGS_MAX_CONCURRENT_STREAMS, MAX_CONCURRENT_STREAMS),
            (frames.SETTINGS_INITIAL_WINDOW_SIZE, LONGEST_MESSAGE_BYTES),
        )
        self._send(frames.SETTINGS, 0, 0, b"".join(frames.SETTING.pack(*each) for each in settings))
        self._open_window(frames.LARGEST_WINDOW_BYTES - frames.FIRST_WINDOW_BYTES)

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
        self._send(frames.GOAWAY, 0, 0, struct.pack("!II", frames.STREAM_BITS, 0))

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
        except frames.ProtocolError as error:
            _log.error("a call to the authorizer is malformed", reason=str(error))
            self._send(frames.GOAWAY, 0, 0, struct.pack("!II", self._last_stream, error.code))
            if self._transport is not None:
                self._transport.close()

    def _change_over(self, other: AlternativeProtocol) -> None:
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
            if len(unread) < len(frames.PREFACE):
                return
            if not unread.startswith(frames.PREFACE):
                raise frames.ProtocolError(frames.PROTOCOL_ERROR, "It is not HTTP/2.")
            self._greet()
            del unread[: len(frames.PREFACE)]
        at = 0
        with memoryview(bytes(unread)) as came:
            while len(came) - at >= frames.HEAD.size:
                high, low, kind, flags, stream = frames.HEAD.unpack_from(came, at)
                length = high << 8 | low
                if length > frames.FRAME_BYTES:
                    raise frames.ProtocolError(frames.FRAME_SIZE_ERROR, "A frame is too long.")
                end = at + frames.HEAD.size + length
                if end > len(came):
                    break
                self._take(
                    kind,
                    flags,
                    stream & frames.STREAM_BITS,
                    bytes(came[at + frames.HEAD.size : end]),
                )
                at = end
        del unread[:at]

    def _take(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if self._in_headers and (kind != frames.CONTINUATION or stream != self._in_headers):
            raise frames.ProtocolError(frames.PROTOCOL_ERROR, "Headers do not go on.")
        if kind == frames.DATA:
            self._take_data(flags, stream, content)
        elif kind == frames.HEADERS:
            self._take_headers(flags, stream)
        elif kind == frames.CONTINUATION:
            self._go_on(flags, stream)
        elif kind == frames.RST_STREAM:
            self._forget(stream)
        elif kind == frames.SETTINGS:
            self._take_settings(flags, content)
        elif kind == frames.PING and not flags & frames.ACK:
            self._send(frames.PING, frames.ACK, 0, content)
        elif kind == frames.WINDOW_UPDATE:
            self._take_window(stream, content)

    def _take_headers(self, flags: int, stream: int) -> None:
        if stream % 2 == 0 or (stream <= self._last_stream and stream not in self._calls):
            raise frames.ProtocolError(frames.PROTOCOL_ERROR, f"Nobody may open stream {stream}.")
        if stream > self._last_stream:
            self._last_stream = stream
            self._calls[stream] = _Call(self._call_window)
        self._ends_with_headers = bool(flags & frames.END_STREAM)
        self._in_headers = stream
        self._go_on(flags, stream)

    def _go_on(self, flags: int, stream: int) -> None:
        if not self._in_headers:
            raise frames.ProtocolError(frames.PROTOCOL_ERROR, "Headers go on that never began.")
        if flags & frames.END_HEADERS:
            self._in_headers = 0
            if self._ends_with_headers:
                self._request_complete(stream)

    def _take_data(self, flags: int, stream: int, content: bytes) -> None:
        if stream == 0 or stream > self._last_stream:
            raise frames.ProtocolError(frames.PROTOCOL_ERROR, f"Stream {stream} is not open.")
        self._taken_bytes += len(content)
        if self._taken_bytes > frames.LARGEST_WINDOW_BYTES // 2:
            self._open_window(self._taken_bytes)
            self._taken_bytes = 0
        call = self._calls.get(stream)
        if call is None or call.answering is not None:
            return  # of a call that was given up
        if flags & frames.PADDED:
            padding = content[0] if content else len(content)
            if padding >= len(content):
                raise frames.ProtocolError(
                    frames.PROTOCOL_ERROR, "There is more padding than frame."
                )
            content = content[1 : len(content) - padding]
        call.asked += content
        if len(call.asked) > LONGEST_MESSAGE_BYTES:
            raise frames.ProtocolError(frames.FLOW_CONTROL_ERROR, "A question is too long.")
        if flags & frames.END_STREAM:
            self._request_complete(stream)

    def _take_settings(self, flags: int, content: bytes) -> None:
        if flags & frames.ACK:
            return
        if len(content) % frames.SETTING.size:
            raise frames.ProtocolError(frames.FRAME_SIZE_ERROR, "Half a setting came.")
        for name, value in frames.SETTING.iter_unpack(content):
            if name == frames.SETTINGS_MAX_FRAME_SIZE:
                self._frame_bytes = value
            elif name == frames.SETTINGS_INITIAL_WINDOW_SIZE:
                more = value - self._call_window
                self._call_window = value
                for call in self._calls.values():
                    call.window += more
        self._send(frames.SETTINGS, frames.ACK, 0, b"")
        self._send_unsent()

    def _take_window(self, stream: int, content: bytes) -> None:
        if len(content) != frames.NUMBER.size:
            raise frames.ProtocolError(
                frames.FRAME_SIZE_ERROR, "A window's size has another length."
            )
        (more,) = frames.NUMBER.unpack(content)
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
            raise frames.ProtocolError(frames.PROTOCOL_ERROR, f"Stream {stream} has ended before.")
        call.answering = asyncio.get_running_loop().create_task(self._answer(stream, call))

    async def _answer(self, stream: int, call: _Call) -> None:
        try:
            answer = await self._method(frames.message(call.asked))
        except Exception:  # noqa: BLE001  one that fails is no reason to leave the others waiting
            self._stream_ended(stream)
            self._send(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream, frames.FAULT)
            _log.exception("a call to the authorizer failed")
            return
        call.unsent = frames.PREFIX.pack(0, len(answer)) + answer
        head = frames.frame(frames.HEADERS, frames.END_HEADERS, stream, frames.ANSWER)
        if len(call.unsent) <= min(self._window, call.window, self._frame_bytes):
            self._window -= len(call.unsent)
            self._stream_ended(stream)
            data = frames.frame(frames.DATA, 0, stream, call.unsent)
            self._write(head + data + frames.end(stream))
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
                self._send(frames.DATA, 0, stream, piece)
                if not call.unsent:
                    self._stream_ended(stream)
                    self._write(frames.end(stream))

    def _open_window(self, more: int) -> None:
        self._send(frames.WINDOW_UPDATE, 0, 0, frames.NUMBER.pack(more))

    def _send(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        self._write(frames.frame(kind, flags, stream, content))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            with suppress(OSError):  # EPIPE, ECONNRESET: who asked is gone
                self._transport.write(data)
