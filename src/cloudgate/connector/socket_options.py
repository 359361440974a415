"""Socket options: how are the connector's sockets set, and what does TCP know of the other end?"""

import asyncio
import contextlib
import socket
import struct
import sys
from dataclasses import dataclass

if sys.platform == "linux":
    import fcntl
    import termios

_IDLE_SECONDS, _INTERVAL_SECONDS, _PROBES = 10, 5, 2
CONGESTION_CONTROL = "bbr"
"""On lines that lose packets it is many times faster than the usual one: docs/connector.md."""
_INFO = struct.Struct("@3xB48xII40xI")
"""``tcpi_probes``, ``tcpi_last_data_recv`` and ``tcpi_last_ack_recv``, both in milliseconds, and
``tcpi_total_retrans`` in ``struct tcp_info`` (linux/tcp.h)."""


@dataclass(frozen=True)
class PeerSigns:
    """What TCP knows of the other end of a connection."""

    silent_seconds: float
    """Since anything was heard of it."""
    sent_again: int
    """How often something was, since the connection began."""
    probes: int
    """How many were sent since it was heard."""


def set_keepalive(connection: socket.socket) -> None:
    """Set a socket to a gateway: notice when that is gone without a word, and use a line well.

    TCP notices while nothing is under way, and `silence` otherwise: TCP_USER_TIMEOUT would end what
    is alive, too, when a target takes nothing for so long and the gateway says that of itself.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform != "linux":
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
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


def peer_signs(writer: asyncio.StreamWriter) -> PeerSigns | None:
    """What TCP knows of the other end; None where it says nothing, or the connection is gone."""
    connection = writer.get_extra_info("socket")
    if sys.platform != "linux" or connection is None or writer.transport.is_closing():
        return None
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    except OSError:  # EBADF: it was closed meanwhile
        return None
    probes, since_data, since_answer, sent_again = _INFO.unpack(told)
    return PeerSigns(min(since_data, since_answer) / 1000, sent_again, probes)


def unsent_bytes(writer: asyncio.StreamWriter) -> int:
    """What has been written and the other end has not confirmed, as far as the system tells.

    On Linux it is none only when all is confirmed. Elsewhere it is what waits in this process, and
    with TLS only what is not encrypted yet.
    """
    waiting = writer.transport.get_write_buffer_size()
    connection = writer.get_extra_info("socket")
    if sys.platform != "linux" or connection is None or writer.transport.is_closing():
        return waiting
    try:
        said = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)  # SIOCOUTQ, tcp(7)
    except OSError:  # EBADF: it was closed meanwhile, and nothing waits any more
        return 0
    return waiting + int(struct.unpack("i", said)[0])
