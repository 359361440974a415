"""A repository that does nothing with its connections, and a client that hangs up."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.running.tenant_program import abort


def reset(writer: asyncio.StreamWriter) -> None:
    """Hang up without a word (RST)."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def held_repository() -> AsyncIterator[
    "tuple[int, asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]"
]:
    """A repository that does nothing with its connections: its port, and the connections."""
    came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    held = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await came.put((reader, writer))

    # Nothing is read ahead, so that the window closes at once.
    server = await asyncio.start_server(hold, "127.0.0.1", 0, limit=1, backlog=4096)
    try:
        yield int(server.sockets[0].getsockname()[1]), came
    finally:
        server.close()
        await asyncio.sleep(0)  # those that came last are heard of
        await abort(held)
