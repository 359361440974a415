"""A client's end of a connection in HTTP/2, frame by frame."""

import asyncio
import base64
import ssl
from collections.abc import Sequence
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes

from tests.support.running.tenant import PASSWORD
from tests.support.running.tenant_program import Client

ENDED, CUT = "ended", "cut"
FIRST_WINDOW_BYTES = 65_535
"""How much a target may send in HTTP/2 before the client takes some (RFC 9113, section 6.9.2)."""
End = tuple[bytes, str]
"""What was heard, and how it ended."""
Headers = Sequence[tuple[str, str]]


def connect(target: str, login: str = f"acme:{PASSWORD}") -> Headers:
    """A request for a tunnel; without a password where `login` is empty."""
    asked = [(":method", "CONNECT"), (":authority", target)]
    if login:
        encoded = base64.b64encode(login.encode()).decode()
        asked.append(("proxy-authorization", f"Basic {encoded}"))
    return asked


def get(path: str) -> Headers:
    """A request for a page."""
    fields = {":method": "GET", ":scheme": "https", ":path": path, ":authority": "localhost"}
    return list(fields.items())


class Http2:
    """A request in HTTP/2, which may become a tunnel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._h2 = H2Connection(H2Configuration(client_side=True))

    @classmethod
    async def to(cls, port: int, client: Client) -> Self:
        """One by a connection of its own."""
        context = ssl.create_default_context(cadata=client.ca_pem)
        context.set_alpn_protocols(["h2"])
        ends = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
        return cls(*ends)

    async def ask(self, target: str, window_bytes: int) -> None:
        """Become a tunnel to `target`, which may send so much before some is taken."""
        assert await self.request(connect(target), window_bytes) == "200"

    async def request(
        self, headers: Headers, window_bytes: int = FIRST_WINDOW_BYTES, *, whole: bool = False
    ) -> str:
        """The status of the answer, of which the client takes so much before it says more.

        `whole`: whether that is all that the client says.
        """
        self._h2.initiate_connection()
        self._h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window_bytes})
        if window_bytes > FIRST_WINDOW_BYTES:
            self._h2.increment_flow_control_window(window_bytes - FIRST_WINDOW_BYTES)
        self._h2.send_headers(1, headers, end_stream=whole)
        self._flush()
        while True:
            for event in await self._events():
                if isinstance(event, ResponseReceived):
                    return dict(event.headers)[b":status"].decode()

    def take(self, window_bytes: int) -> None:
        """Take so much more."""
        self._h2.increment_flow_control_window(window_bytes, 1)
        self._flush()

    def send(self, data: bytes, *, last: bool = False) -> None:
        """Send, and end this direction when that was the last."""
        self._h2.send_data(1, data, end_stream=last)
        self._flush()

    def reset(self) -> None:
        """Give the tunnel up (RST_STREAM)."""
        self._h2.reset_stream(1)
        self._flush()

    async def heard(self) -> End:
        """All that comes, and how it ended."""
        found = b""
        while True:
            events = await self._events()
            for event in events:
                if isinstance(event, DataReceived):
                    found += event.data
                    self._h2.acknowledge_received_data(event.flow_controlled_length, 1)
                if isinstance(event, StreamEnded):
                    return found, ENDED
                if isinstance(event, StreamReset):
                    return found, CUT
            self._flush()

    def close(self) -> None:
        """Let go."""
        self.writer.transport.abort()

    async def _events(self) -> list[Event]:
        data = await self._reader.read(65536)
        assert data, "the gateway hung up"
        return list(self._h2.receive_data(data))

    def _flush(self) -> None:
        self.writer.write(self._h2.data_to_send())
