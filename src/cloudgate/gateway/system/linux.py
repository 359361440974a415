"""What does Linux do its own way?

One tunnel is ended by shutting its socket down from outside of Envoy: the kernel gives the owner
of a process a copy of its sockets (pidfd_getfd(2), Linux 5.6). It needs the right to trace Envoy,
which the user that started it has, unless the kernel's ``yama.ptrace_scope`` asks for
CAP_SYS_PTRACE.
"""

import ctypes
import errno
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from cloudgate.errors import UnavailableError

_PIDFD_GETFD = 438
"""The number of the system call on every platform that Envoy is built for."""

ENVOY = "envoy"
"""File name of Envoy's executable in its package."""


def cut(pid: int, clients: Collection[str]) -> int:
    """End the tunnels of `clients`, given as ``address:port``; how many there were.

    Raises:
        UnavailableError: this user may not end them.
    """
    wanted = set(clients)
    found = 0
    for peer, connection in _connections(pid):
        with connection:
            if peer in wanted:
                found += 1
                with suppress(OSError):  # it has ended by itself meanwhile
                    connection.shutdown(socket.SHUT_RDWR)
    return found


def _connections(pid: int) -> Iterator[tuple[str, socket.socket]]:
    """The process's TCP connections by their other end's ``address:port``."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return  # it is gone, and its tunnels with it
    try:
        for descriptor in _socket_descriptors(pid):
            copy = _copy(process, descriptor)
            if copy is None:
                continue
            connection = socket.socket(fileno=copy)
            peer = _peer(connection)
            if peer is None:
                connection.close()
            else:
                yield peer, connection
    finally:
        os.close(process)


def _socket_descriptors(pid: int) -> Iterator[int]:
    folder = Path(f"/proc/{pid}/fd")
    try:
        links = list(folder.iterdir())
    except OSError:
        return
    for link in links:
        with suppress(OSError):
            if str(link.readlink()).startswith("socket:"):
                yield int(link.name)


def _copy(process: int, descriptor: int) -> int | None:
    """A copy of another process's descriptor; None when it is closed already."""
    copied = _libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
    if copied >= 0:
        return int(copied)
    number = ctypes.get_errno()
    if number in (errno.EPERM, errno.ENOSYS):
        raise UnavailableError(
            f"Tunnels cannot be ended one by one: {os.strerror(number)}. The host service needs"
            " Linux 5.6 or newer, and the capability CAP_SYS_PTRACE where yama.ptrace_scope is set."
        )
    return None


def _peer(connection: socket.socket) -> str | None:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        host, port = connection.getpeername()[:2]
    except OSError:
        return None
    host = host.removeprefix("::ffff:") if "." in host else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_libc = ctypes.CDLL(None, use_errno=True)
