"""How does a tenant's program speak with a gateway? In the test's loop, with what it leads to."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.running.tenant import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS


@dataclass
class Tunnel:
    """What came back for a request, and the line that it opened."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    headers: str
    body: str = ""

    async def echoes(self, data: bytes = b"ping") -> bool:
        """Whether the other end still answers with what it hears."""
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.readexactly(len(data)) == data

    async def is_cut(self) -> bool:
        """Wait until the other end is gone."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read(1) == b""
            except (ConnectionError, ssl.SSLError):
                return True

    @property
    def certificate(self) -> bytes:
        """What the gateway showed."""
        shown = self.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert isinstance(shown, bytes)
        return shown

    def close(self) -> None:
        """Let go."""
        self.writer.transport.abort()


@dataclass
class Client:
    """A tenant's program that speaks with a gateway on loopback."""

    ca_pem: str
    opened: list[Tunnel] = field(default_factory=list)
    shows: Path | None = None
    """File with the key and the certificate that it shows where it is asked for one."""

    async def connect(
        self,
        port: int,
        target: str,
        login: str = f"acme:{PASSWORD}",
        extra: str = "",
        source: str | None = None,
    ) -> Tunnel:
        """CONNECT to `target`; `source` is the address to come from."""
        encoded = base64.b64encode(login.encode()).decode()
        authorization = f"Proxy-Authorization: Basic {encoded}\r\n" if login else ""
        return await self.ask(
            port,
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}{extra}\r\n",
            source=source,
        )

    async def close(self) -> None:
        """Let go of all tunnels."""
        await abort([tunnel.writer for tunnel in self.opened])

    async def ask(
        self, port: int, request: str, host: str = "127.0.0.1", source: str | None = None
    ) -> Tunnel:
        """Send `request` as it is."""
        context = ssl.create_default_context(cadata=self.ca_pem)
        if self.shows is not None:
            context.load_cert_chain(self.shows)
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(
                host,
                port,
                ssl=context,
                server_hostname="localhost",
                local_addr=(source, 0) if source else None,
            )
            try:
                writer.write(request.encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                tunnel = Tunnel(reader, writer, int(head.split()[1]), head.lower())
                self.opened.append(tunnel)
                if tunnel.status != 200:
                    length = tunnel.headers.split("content-length: ")[1].split()[0]
                    tunnel.body = (await reader.readexactly(int(length))).decode()
            except BaseException:
                writer.transport.abort()
                raise
        return tunnel


async def abort(writers: Collection[asyncio.StreamWriter]) -> None:
    """Let go of connections, and wait until they are gone: a loop cannot be closed before."""
    for each in writers:
        each.transport.abort()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)


@asynccontextmanager
async def echo_server(host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A repository at `host` that answers with what it hears; its port."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0, backlog=1024)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.sleep(0)  # those that came last are heard of
        await abort(writers)


async def fill(writers: Sequence[asyncio.StreamWriter]) -> None:
    """Feed each until nothing more of it is taken, by whatever stands on the way to its reader."""
    for each in writers:
        each.transport.set_write_buffer_limits(high=0)
        each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    data = bytes(512 * 1024)
    held: list[int] = []
    while (now := _waiting_bytes(writers)) != held or not all(now):
        hungry = [each for each in writers if not each.transport.get_write_buffer_size()]
        for each in hungry:
            each.write(data)
        held = _waiting_bytes(writers)
        # Only of what was full before can be said that nothing of it is taken any more.
        await asyncio.sleep(0.05 if hungry else 0.5)


def _waiting_bytes(writers: Sequence[asyncio.StreamWriter]) -> list[int]:
    return [each.transport.get_write_buffer_size() for each in writers]
