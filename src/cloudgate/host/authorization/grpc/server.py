"""gRPC server: how does Envoy call this process? With one method, and nobody else is answered.

A server of HTTP/2 (RFC 9113) that does what such calls need and no more: each request is one
message, each answer another. General servers cost three times as much, for each tunnel: they are
made for callers whom one does not know.
https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import asyncio
import socket
import ssl
import sys
from contextlib import suppress
from typing import Any

from cloudgate.host.authorization.grpc.connection import (
    AlternativeProtocol,
    Connection,
    Method,
    ServedConnection,
)
from cloudgate.processes.socket_handoff import BACKLOG

HANDSHAKE_SECONDS = 3.0
"""How long one who has not proved yet to be Envoy may take to do so."""
GOAWAY_GRACE_SECONDS = 3.0
"""How long calls may take that are under way when the server retires."""
_ON_ITS_WAY_SECONDS = 0.05


class GrpcServer:
    """Answers the calls of one gRPC method until it is stopped."""

    def __init__(
        self,
        listener: socket.socket,
        server: asyncio.Server,
        connections: set[ServedConnection],
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
    other: AlternativeProtocol | None = None,
) -> GrpcServer:
    """Answer calls on a socket that listens; over TLS where there is a context."""
    connections: set[ServedConnection] = set()
    loop = asyncio.get_running_loop()

    def made() -> Connection:
        return Connection(method, connections, other)

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
