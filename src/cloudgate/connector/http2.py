"""HTTP/2 tunnel: how is it carried? In one stream; each direction ends by itself.

One connection carries one tunnel (RFC 9113, section 8.5): several on one would wait for each
other's lost packets.
"""

import asyncio
import errno

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from cloudgate.connector.http1 import OK, Answer
from cloudgate.connector.tls_connection import GatewayUnreachableError, TlsConnection, lost
from cloudgate.network.hostport import HostPort

WINDOW_BYTES = 2**31 - 1
"""As large as can be: TCP bounds what comes. When a target ends, Envoy (1.40) drops whatever this
window still holds back, and not what TCP holds back."""
MOST_WAITING_BYTES = 1024 * 1024
"""How much may wait for the local program before no more is taken from the gateway."""
_FIRST_WINDOW_BYTES = 65_535
_LONGEST_TEXT_BYTES = 64 * 1024
_STREAM = 1


class _OpenAfterGoaway(H2ConnectionStateMachine):
    """A connection on which a stream that has begun goes on after GOAWAY (RFC 9113, section 6.8).

    h2 4.4 takes GOAWAY for the end of everything, and by that would cut a live tunnel.
    """

    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        """As always, but GOAWAY changes nothing: what it means is in its event."""
        return [] if input_ is ConnectionInputs.RECV_GOAWAY else super().process_input(input_)


class Http2Tunnel:
    """A tunnel in HTTP/2: each direction ends by itself."""

    half_closes = True

    def __init__(self, line: TlsConnection) -> None:
        self.gateway = line.gateway
        self.line = line
        self._h2 = H2Connection(H2Configuration(client_side=True))
        self._h2.state_machine = _OpenAfterGoaway()
        self._came = bytearray()
        self._status = 0
        self._ended = False
        self._problem: OSError | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._taken = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def ask(self, target: HostPort, authorization: str) -> Answer:
        """Ask for the tunnel, once and before anything else; what the gateway says.

        Raises:
            GatewayUnreachableError: what answers hung up, or is no gateway.
        """
        if not self.line.speaks_http2:
            raise GatewayUnreachableError(f"What answers at {self.gateway} does not speak HTTP/2.")
        self._h2.initiate_connection()
        self._h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES})
        self._h2.increment_flow_control_window(WINDOW_BYTES - _FIRST_WINDOW_BYTES)
        self._h2.send_headers(
            _STREAM,
            [
                HeaderTuple(":method", "CONNECT"),
                HeaderTuple(":authority", str(target)),
                *(
                    [NeverIndexedHeaderTuple("proxy-authorization", authorization)]
                    if authorization
                    else []
                ),
            ],
        )
        self._flush()
        self._listening = asyncio.create_task(self._listen())
        try:
            while not self._status:
                await self._wait_for_news()
            if self._status == OK:
                return Answer(OK)
            while not self._ended and len(self._came) < _LONGEST_TEXT_BYTES:
                await self._wait_for_news()
        except OSError as problem:
            raise lost(self.gateway, problem) from None
        return Answer(self._status, self._came.decode("utf-8", "replace").strip())

    async def read(self) -> bytes:
        """What the target has sent; empty when that was all.

        Raises:
            OSError: the tunnel was cut.
        """
        while not self._came:
            if self._ended:
                return b""
            await self._wait_for_news()
        data = bytes(self._came)
        self._came.clear()
        self._taken.set()
        return data

    async def write(self, data: bytes) -> None:
        """Send to the target; returns when there is room for more.

        Raises:
            OSError: the tunnel was cut, or the target takes no more.
        """
        rest = memoryview(data)
        while rest:
            if self._problem:
                raise self._problem
            window = self._h2.local_flow_control_window(_STREAM)
            if window <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            some = rest[: min(window, self._h2.max_outbound_frame_size)]
            self._h2.send_data(_STREAM, some)
            rest = rest[len(some) :]
            if not rest or len(some) == window:
                self._flush()
                await self.line.room()

    async def end(self) -> None:
        """Tell the target that nothing more will be written.

        Raises:
            OSError: the tunnel was cut.
        """
        if self._problem:
            raise self._problem
        self._h2.end_stream(_STREAM)
        self._flush()
        await self.line.room()

    def close(self) -> None:
        """Cut it, or let go of it when it has ended."""
        if self._listening is not None:
            self._listening.cancel()
        self.line.close()

    async def _wait_for_news(self) -> None:
        if self._problem:
            raise self._problem
        self._news.clear()
        await self._news.wait()

    async def _listen(self) -> None:
        """Take what comes, so that neither direction waits for the other."""
        try:
            while data := await self.line.read():
                for event in self._h2.receive_data(data):
                    self._take(event)
                self._flush()
                self._news.set()
                while len(self._came) >= MOST_WAITING_BYTES:
                    self._taken.clear()
                    await self._taken.wait()
            self._fail("the gateway hung up")
        except OSError as problem:
            self._problem = problem
        except (ProtocolError, ValueError):  # ValueError: a status that is no number
            self._fail("what came is not HTTP/2")
        finally:
            self._news.set()
            self._room.set()

    def _take(self, event: Event) -> None:
        match event:
            case DataReceived(data=data, flow_controlled_length=length):
                self._came += data
                self._h2.acknowledge_received_data(length, _STREAM)
            case ResponseReceived(headers=headers):
                self._status = int(dict(headers)[b":status"])
            case StreamEnded():
                self._ended = True
            case StreamReset():
                # A target that is gone for good ends the stream and then takes no more.
                self._fail("the tunnel was cut")
            case ConnectionTerminated(last_stream_id=last) if (last or 0) < _STREAM:
                self._fail("the gateway takes no tunnels")
            case WindowUpdated():
                self._room.set()
            case _:
                pass

    def _fail(self, reason: str) -> None:
        self._problem = ConnectionResetError(errno.ECONNRESET, reason)
        self._room.set()

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self.line.send(data)
