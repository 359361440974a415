"""Local listeners: how do local programs come to a tunnel? By ports, or by standard input."""

import asyncio
import contextlib
import os
import stat
import sys
from functools import partial
from typing import TextIO

import structlog

from cloudgate.connector.balancer import Balancer
from cloudgate.connector.relay import Traffic, linger, relay
from cloudgate.connector.settings import Forward
from cloudgate.connector.socket_options import reset, unsent_bytes
from cloudgate.connector.tls_connection import PIECE_BYTES, why
from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.network.hostport import HostPort

_log = structlog.get_logger(__name__)


class LocalListeners:
    """Listens on local ports, and carries each connection through a tunnel of its own."""

    def __init__(self, fleet: Balancer) -> None:
        self._fleet = fleet
        self._servers: list[asyncio.Server] = []
        self._serving: set[asyncio.Task[None]] = set()
        self.traffic = Traffic()

    async def listen(self, forward: Forward) -> int:
        """Open a local port; its number.

        Raises:
            UnavailableError: it cannot be opened.
        """

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(forward.target, reader, writer))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

        try:
            server = await asyncio.start_server(
                serve, forward.local.host, forward.local.port, limit=PIECE_BYTES
            )
        except UnicodeError:  # by the codec for names of DNS, which looks at its length
            raise UnavailableError(
                f"Cannot listen on {forward.local}: {forward.local.host!r} is no name of a host."
                " Write an address of this machine, such as 127.0.0.1."
            ) from None
        except OSError as error:
            raise UnavailableError(
                f"Cannot listen on {forward.local}: {why(error)}. Stop what uses that"
                " port, or choose another one."
            ) from None
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close the ports, and cut all that came through them."""
        for server in self._servers:
            server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(
        self, target: HostPort, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        has_ended = False
        try:
            async with self._fleet.tunnel(target) as tunnel:
                await relay(reader, writer, tunnel, self.traffic)
            has_ended = True
            await _let_go(reader, writer)
        except CloudgateError as problem:
            _log.warning("no tunnel", target=str(target), reason=problem.message)
        except OSError as problem:
            _log.debug("tunnel cut", target=str(target), reason=why(problem))
        finally:
            if not has_ended:
                reset(writer)  # so that the program does not take it for the end
            writer.close()


async def _let_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Have the program hear all there was, and the end, though it may still be speaking.

    What it sends is read for so long: with something unread, the end would be a reset, which takes
    away what it has not heard yet. A program that takes nothing for minutes is cut.
    """
    with contextlib.suppress(OSError):  # ECONNRESET, EPIPE: it has left
        writer.write_eof()
    reading = asyncio.ensure_future(_read_on(reader))
    try:
        await linger(reading, partial(unsent_bytes, writer))
        if not reading.done() and unsent_bytes(writer):
            reset(writer)  # else what it does not take would keep the connection
    finally:
        reading.cancel()


async def _read_on(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):  # ECONNRESET, EPIPE: it has left
        while await reader.read(PIECE_BYTES):
            pass


async def relay_standard_streams(fleet: Balancer, target: HostPort) -> None:
    """Carry standard input to a target, and what it answers to standard output.

    Raises:
        CloudgateError: they are no streams, there is no tunnel, or it was cut.
    """
    # The loop waits for nothing else, and uvloop 0.23 would abort the process.
    if not (_is_stream(sys.stdin) and _is_stream(sys.stdout)):
        raise UnavailableError("Standard input and output must be pipes, sockets or terminals.")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=PIECE_BYTES)
    try:
        async with fleet.tunnel(target) as tunnel:
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            transport, protocol = await loop.connect_write_pipe(
                lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), sys.stdout
            )
            writer = asyncio.StreamWriter(transport, protocol, None, loop)
            await relay(reader, writer, tunnel, Traffic())
            writer.close()
            await writer.wait_closed()
    except OSError as problem:
        raise UnavailableError(f"The tunnel to {target} was cut: {why(problem)}.") from None


def _is_stream(file: TextIO | None) -> bool:
    """Whether what is read from a file, or written to it, comes and goes in time."""
    if file is None:  # closed by who started this
        return False
    mode = os.fstat(file.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or file.isatty()
