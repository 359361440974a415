"""What happens to a connection to a local port? It becomes a tunnel, and bytes go both ways.

What the target has ended, ends for the local program, too. The other way round it cannot be passed
on: Envoy ends the whole of an HTTP/1.1 tunnel when its client has said all (measured with 1.40).
When the local program has said all, the tunnel is therefore kept while answers come, and a little
longer.
"""

import asyncio
from dataclasses import dataclass

import structlog

from cloudgate.connect.fleet import Fleet
from cloudgate.connect.settings import Forward
from cloudgate.connect.tunnel import PIECE_BYTES, Gate
from cloudgate.errors import CloudgateError, UnavailableError

LINGER_SECONDS = 5.0
"""How long an answer is waited for after the local program has said all, and after each piece."""

_log = structlog.get_logger(__name__)


@dataclass
class Traffic:
    """What went through the connector since it was started."""

    tunnels: int = 0
    """Live right now."""
    bytes_up: int = 0
    bytes_down: int = 0


class Ports:
    """The local ports."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.StreamWriter] = set()
        self.traffic = Traffic()

    async def listen(self, forward: Forward) -> int:
        """Open a local port; its number.

        Raises:
            UnavailableError: it cannot be opened.
        """

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(forward, reader, writer)

        try:
            server = await asyncio.start_server(
                serve, forward.local.host, forward.local.port, limit=PIECE_BYTES
            )
        except OSError as error:
            raise UnavailableError(
                f"Cannot listen on {forward.local}: {error.strerror or error}. Stop what uses that"
                " port, or choose another one."
            ) from None
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Close the ports and all that came through them."""
        for server in self._servers:
            server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(
        self, forward: Forward, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open.add(writer)
        try:
            gate = await self._fleet.open(forward.target)
        except CloudgateError as problem:
            _log.warning("no tunnel", target=str(forward.target), reason=problem.message)
            writer.transport.abort()
            self._open.discard(writer)
            return
        self.traffic.tunnels += 1
        try:
            await self._carry(reader, writer, gate)
        finally:
            self.traffic.tunnels -= 1
            self._open.discard(writer)
            gate.close()
            writer.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: Gate
    ) -> None:
        async def up() -> None:
            while data := await reader.read(PIECE_BYTES):
                self.traffic.bytes_up += len(data)
                await gate.write(data)

        async def down() -> None:
            while data := await self._answer(gate, sending):
                self.traffic.bytes_down += len(data)
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        sending = asyncio.create_task(up())
        receiving = asyncio.create_task(down())
        # One of the two ends may be gone at any time: that is how a tunnel ends.
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for each in (sending, receiving):
                each.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    async def _answer(self, gate: Gate, sending: "asyncio.Task[None]") -> bytes:
        """What comes next; nothing when the local program has ended and nothing came for long."""
        reading = asyncio.ensure_future(gate.read())
        try:
            await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await asyncio.wait({reading}, timeout=LINGER_SECONDS)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()
