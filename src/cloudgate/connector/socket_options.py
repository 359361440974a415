"""Socket options: how are the connector's sockets set, so that an end is noticed?"""

import asyncio
import contextlib
import socket
import struct
import sys

SILENT_SECONDS = 20
"""How long a gateway may leave unanswered what TCP asks it, before its tunnels count as cut."""
_IDLE_SECONDS, _INTERVAL_SECONDS, _PROBES = 10, 5, 2
CONGESTION_CONTROL = "bbr"
"""On lines that lose packets it is many times faster than the usual one: docs/connector.md."""


def set_keepalive(connection: socket.socket) -> None:
    """Set a socket to a gateway: notice when that is gone without a word, and use a line well."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform != "linux":
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_SECONDS * 1000)
    with contextlib.suppress(OSError):  # ENOENT, EPERM: a kernel without it stays with what it has
        connection.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION_CONTROL.encode()
        )


def reset(writer: asyncio.StreamWriter) -> None:
    """Cut a connection so that its other end knows it for cut, and not for well ended."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):  # EBADF, EINVAL: it is gone already
            linger = struct.pack("ii", 1, 0) if sys.platform != "win32" else struct.pack("hh", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
