"""What the tests of the connector need: gateways that know of each other, and a connector."""

import asyncio
import contextlib
import os
import pty
import re
import socket
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from cloudgate.connector.balancer import Balancer
from cloudgate.connector.local_listeners import LocalListeners
from cloudgate.connector.settings import Forward
from cloudgate.connector.silence import SilenceWatch
from cloudgate.connector.tls_connection import Identity
from cloudgate.network.hostport import HostPort
from cloudgate.protocol import GatewayState, Maintenance, Peer, Site
from tests.support.certificates.authority import Authority
from tests.support.running.jobs import running_job
from tests.support.running.machine import Machine
from tests.support.waiting import PATIENCE_SECONDS, until_async

TARGET = HostPort("repo.example", 443)


class Gateways:
    """Three gateways of one site, which know of each other."""

    def __init__(self, machines: list[Machine], ports: list[int], repository_port: int) -> None:
        self.machines = machines
        self.ports = ports
        self.repository_port = repository_port

    def address(self, number: int) -> HostPort:
        """Where a gateway is."""
        return HostPort("localhost", self.ports[number])

    async def open(self, number: int) -> None:
        """Have a gateway listen."""
        machine = self.machines[number]
        await machine.bring(machine.gateway(self.ports[number]), GatewayState.LISTENING)

    async def lose(self, number: int) -> None:
        """Have a gateway gone at once."""
        await self.machines[number].bring(None, GatewayState.ABSENT, drain_seconds=0)

    def list(
        self, *numbers: int, maintenance: str | None = None, by: Sequence[int] = (0, 1, 2)
    ) -> None:
        """Have gateways, or some of them, told which there are, and of the provider's work."""
        revision = max(each.site.revision for each in self.machines) + 1
        peers = tuple(
            Peer(gateway_id=UUID(int=n + 1), name=f"gw{n}", address="localhost", port=self.ports[n])
            for n in numbers
        )
        for number in by:
            at_work = Maintenance(message=maintenance) if maintenance else None
            self.machines[number].site.replace(
                Site(revision=revision, gateways=peers, maintenance=at_work)
            )


class RunningConnector:
    """A connector inside the test."""

    def __init__(self, fleet: Balancer, ports: LocalListeners, port: int) -> None:
        self.fleet = fleet
        self.ports = ports
        self.port = port

    async def echoes(self, data: bytes = b"ping") -> bool:
        """Whether a new tunnel carries bytes there and back, and ends when it should."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                writer.write(data)
                writer.write_eof()
                return await reader.readexactly(len(data)) == data
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.close()


@asynccontextmanager
async def connected_to(
    gateways: Sequence[HostPort], who: Identity
) -> AsyncIterator[RunningConnector]:
    """A connector that was given some gateways."""
    fleet = Balancer(gateways, who, half_close=False)
    await fleet.discover()
    ports = LocalListeners(fleet)
    port = await ports.listen(Forward(HostPort("127.0.0.1", 0), TARGET))
    try:
        async with running_job(fleet):
            yield RunningConnector(fleet, ports, port)
    finally:
        await ports.close()


async def until_known(connected: RunningConnector, *, healthy: int, of: int) -> None:
    """Wait until the connector knows so many gateways, and so many of them as healthy."""
    await until_async(lambda: _counts(connected) == (healthy, of), said=lambda: _counts(connected))


def _counts(connected: RunningConnector) -> tuple[int, int]:
    gateways = connected.fleet.gateways
    return sum(each.healthy for each in gateways), len(gateways)


def on_screen(written: bytes) -> list[str]:
    """The lines of a terminal, after what was written to it."""
    lines, column = [""], 0
    for piece in re.findall(r"\r|\n|\x1b\[[0-9;]*[A-Za-z]|[^\r\n\x1b]+", written.decode()):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            lines.append("")
        elif piece == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif not piece.startswith("\x1b"):
            lines[-1] = lines[-1][:column] + piece + lines[-1][column + len(piece) :]
            column += len(piece)
    return lines


class Terminal:
    """Where somebody watches a command."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        termios.tcsetwinsize(self.theirs, (24, 80))
        self.written = bytearray()
        self.news = asyncio.Event()

    def read(self) -> None:
        self.written += os.read(self.ours, 65536)
        self.news.set()

    @property
    def lines(self) -> list[str]:
        return on_screen(bytes(self.written))

    async def shows(self, pattern: str, *, above: bool = False) -> str:
        """Wait until the last line, or one above it, is like that, and return it."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    looked_at = self.lines[:-1] if above else self.lines[-1:]
                    for line in looked_at:
                        if re.fullmatch(pattern, line):
                            return line
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(f"{pattern} is not shown: {self.lines}") from None


@asynccontextmanager
async def watched(
    *words: str, **environment: str
) -> AsyncIterator[tuple[Terminal, asyncio.subprocess.Process]]:
    """`cloudgate connect` in a terminal."""
    terminal = Terminal()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cloudgate", "connect", *words),
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    loop = asyncio.get_running_loop()
    loop.add_reader(terminal.ours, terminal.read)
    try:
        yield terminal, process
    finally:
        loop.remove_reader(terminal.ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(terminal.ours)
        os.close(terminal.theirs)


@asynccontextmanager
async def mute(
    authority: Authority | None = None, folder: Path | None = None
) -> AsyncIterator[HostPort]:
    """A gateway that accepts and says nothing; with an authority, it speaks TLS before that."""
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            await reader.read()

    context = authority.server_context(folder) if authority and folder else None
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield HostPort("localhost", int(server.sockets[0].getsockname()[1]))
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


class ScriptedGateway:
    """A gateway of which the test writes what becomes of a tunnel."""

    def __init__(self, address: HostPort, says: str) -> None:
        self.address = address
        self.says = says
        self.tunnels = asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
        """The ends of those that it was asked for, and has given."""
        self.given: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {self.says}\r\n\r\n".encode())
        self.given.append(writer)
        self.tunnels.put_nowait((reader, writer))


@asynccontextmanager
async def scripted_gateway(
    authority: Authority, folder: Path, *, port: int = 0, says: str = "200 OK"
) -> AsyncIterator[ScriptedGateway]:
    """It listens, and holds little of what it is sent and nobody reads.

    `says` is its answer.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    made = ScriptedGateway(HostPort("localhost", int(listener.getsockname()[1])), says)
    context = authority.server_context(folder)
    server = await asyncio.start_server(made.serve, sock=listener, ssl=context, limit=65536)
    try:
        yield made
    finally:
        server.close()
        for writer in made.given:
            writer.transport.abort()


@asynccontextmanager
async def listening(fleet: Balancer) -> AsyncIterator[RunningConnector]:
    """A local port, the tunnels of which go through known gateways; nobody looks after these."""
    ports = LocalListeners(fleet)
    port = await ports.listen(Forward(HostPort("127.0.0.1", 0), TARGET))
    try:
        yield RunningConnector(fleet, ports, port)
    finally:
        await ports.close()


@asynccontextmanager
async def relaying(
    authority: Authority, folder: Path, who: Identity, silence: SilenceWatch | None = None
) -> AsyncIterator[tuple[ScriptedGateway, RunningConnector]]:
    """A scripted gateway, and a local port whose tunnels go through it; all is over in time."""
    async with scripted_gateway(authority, folder) as gateway:
        fleet = Balancer([gateway.address], who, half_close=False, silence=silence)
        async with listening(fleet) as there, asyncio.timeout(PATIENCE_SECONDS):
            yield gateway, there
