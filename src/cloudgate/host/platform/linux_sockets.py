"""Linux sockets: how does the host service reach into single tunnels of Envoy?

The kernel gives the owner of a process a copy of its sockets (pidfd_getfd(2), Linux 5.6), on which
a tunnel is shut down or slowed. It needs the right to trace Envoy, which the user that started it
has, unless the kernel's ``yama.ptrace_scope`` is 2 and asks for CAP_SYS_PTRACE. In a container the
call has to be in its seccomp profile besides. A copy is closed at
once: as long as there is one, Envoy's own closing would not be seen at the other end.

What cannot be looked at is unknown: only the kernel's own word that something is not there
(ESRCH, ENOENT, EBADF, ENOTCONN) means that it is not.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cloudgate.errors import UnavailableError
from cloudgate.host.platform.linux_descriptors import AsSocket, Copy, Descriptors
from cloudgate.host.platform.send_buffer import most_unsent_bytes
from cloudgate.host.platform.sent_bytes import SentBytes
from cloudgate.network.connection_names import comes_from, connection_name
from cloudgate.network.hostport import join
from cloudgate.values import ip_addresses

_PIDFD_GETFD = 438
"""The number of the system call on every platform that Envoy is built for."""
REACH_ADVICE = (
    "In a container its seccomp profile has to allow pidfd_getfd: Docker and Kubernetes do so where"
    " the capability is added (--cap-add SYS_PTRACE; docs/containers.md). Elsewhere the host"
    " service needs Linux 5.6 or newer, and where yama.ptrace_scope is 2 the capability"
    " CAP_SYS_PTRACE."
)
"""What to do where the kernel refuses the call, at the end of what is said of it."""
_SO_MAX_PACING_RATE = 47
_NO_LIMIT = 2**64 - 1
_AS_THE_SYSTEM_DOES = 0
"""For TCP_NOTSENT_LOWAT."""
_NOBODY = struct.pack("@H14x", socket.AF_UNSPEC)
"""``struct sockaddr`` of no family."""
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_GONE = (errno.ESRCH, errno.ENOENT)
"""A process, or a name below /proc, is not there."""
_ENDED = (errno.ENOTCONN, errno.EINVAL, errno.ECONNRESET, errno.EPIPE, errno.EBADF, errno.ENOTSOCK)
"""A connection is over, or its descriptor is another thing's by now."""
_INFO = struct.Struct("@112xQQQ8xI")
"""``tcpi_max_pacing_rate``, ``tcpi_bytes_acked``, ``tcpi_bytes_received`` and
``tcpi_notsent_bytes`` in ``struct tcp_info`` (linux/tcp.h)."""


def check_reach() -> None:
    """See whether a program of this user may reach into another one that it has started.

    Raises:
        UnavailableError: it may not, and why, with `REACH_ADVICE`; or that cannot be seen.
    """
    waits = [sys.executable, "-ISc", "import sys; sys.stdin.read()"]
    try:
        started = subprocess.Popen(waits, stdin=subprocess.PIPE)
    except OSError as error:
        raise _unknown("looked at", error) from None
    with started, _process(started.pid) as process:
        copy = _copy(process, 0)
        if copy is not None:
            os.close(copy)


def close_connections(pid: int, clients: Collection[str]) -> int:
    """End the tunnels of `clients`, given as `connection_name` or ``address:port``; how many.

    Raises:
        UnavailableError: this user may not end them, or they cannot be looked for: some may go on.
    """
    wanted = set(clients)
    found = 0
    with _process(pid) as process:
        for _, connection in _connections(process, pid):
            with connection:
                if not wanted.isdisjoint(_names_of_client(connection)):
                    found += 1
                    with _unless_ended("ended"):
                        _end_by_reset(connection)
    return found


def open_connections(pid: int) -> int:
    """How many connections a process has with others.

    Raises:
        UnavailableError: that cannot be seen.
    """
    found = 0
    with _process(pid) as process:
        for _, connection in _connections(process, pid):
            with connection:
                found += _peer(connection) is not None
    return found


class Pacing:
    """Slows single connections of one process, and says what they carried.

    They are named by `connection_name`. Where only one end is known, and others have it, too, it is
    not known which of them is meant.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._descriptors = Descriptors(_names)

    def set(self, rates: Mapping[str, int | None]) -> None:
        """Let each send so many bytes a second, None for any number (SO_MAX_PACING_RATE).

        Connections that are gone are left out.

        Raises:
            UnavailableError: this user may not slow them.
        """
        for name, connection in self._each(rates.keys()):
            with _unless_ended("slowed"):
                _pace(connection, rates[name])

    def sent_by(self, names: Collection[str]) -> Mapping[str, SentBytes]:
        """What each has sent so far; connections that are gone are left out.

        Raises:
            UnavailableError: this user may not know.
        """
        found: dict[str, SentBytes] = {}
        for name, connection in self._each(names):
            with _unless_ended("looked at"):
                told = _tcp_info(connection)
                rate = None if told.limit == _NO_LIMIT else told.limit
                unread = _unread_bytes(connection)
                found[name] = SentBytes(told.acked, told.unsent > 0, rate, unread)
        return found

    def carried(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """The bytes that each has sent and received; connections that are gone are left out.

        Raises:
            UnavailableError: this user may not know.
        """
        found: dict[str, tuple[int, int]] = {}
        for name, connection in self._each(names):
            with _unless_ended("looked at"):
                told = _tcp_info(connection)
                found[name] = (told.acked, told.received)
        return found

    def connection_from(self, client: str, known: Container[str]) -> str:
        """The name by both ends of a connection that comes from `client`; else `client` itself.

        One that is among `known` only where no other is found.

        Raises:
            UnavailableError: this user may not know.
        """

        def is_meant(name: str) -> bool:
            return comes_from(name, client)

        with _process(self._pid) as process:
            found = self._descriptors.own_name(
                client, *self._means(process), is_meant=is_meant, known=known
            )
        return found or client

    def forget(self, names: Iterable[str]) -> None:
        """These connections are over: their places in the process are free."""
        self._descriptors.forget(names)

    def _each(self, names: Collection[str]) -> Iterator[tuple[str, socket.socket]]:
        with _process(self._pid) as process:
            yield from self._descriptors.each(names, *self._means(process))

    def _means(self, process: int | None) -> tuple[Copy, AsSocket, Callable[[], Iterable[int]]]:
        return (
            lambda number: _copy(process, number),
            _as_socket,
            lambda: _socket_descriptors(self._pid),
        )


def _end_by_reset(connection: socket.socket) -> None:
    # connect(2): to be connected to nothing dissolves a connection, for which TCP has the reset
    # alone. An end by shutdown(2) would be taken by some for all that there was to come.
    if _libc.connect(connection.fileno(), _NOBODY, len(_NOBODY)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _pace(connection: socket.socket, rate: int | None) -> None:
    limit = _NO_LIMIT if rate is None else min(max(rate, 1), _NO_LIMIT - 1)
    connection.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, struct.pack("@Q", limit))
    unsent = _AS_THE_SYSTEM_DOES if rate is None else most_unsent_bytes(rate)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, unsent)


def _unread_bytes(connection: socket.socket) -> int:
    """What waits to be read (SIOCINQ, tcp(7))."""
    return int.from_bytes(fcntl.ioctl(connection, termios.FIONREAD, bytes(4)), sys.byteorder)


class _TcpInfo(NamedTuple):
    limit: int
    acked: int
    received: int
    unsent: int


def _tcp_info(connection: socket.socket) -> _TcpInfo:
    return _TcpInfo(
        *_INFO.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size))
    )


@contextmanager
def _process(pid: int) -> Iterator[int | None]:
    """A handle of a process; None when it is gone, and its tunnels with it."""
    try:
        process = os.pidfd_open(pid)
    except OSError as error:
        if error.errno not in _GONE:
            raise _unknown("looked at", error) from None
        yield None
        return
    try:
        yield process
    finally:
        os.close(process)


@contextmanager
def _unless_ended(done: str) -> Iterator[None]:
    """What ends meanwhile needs nothing done to it any more."""
    try:
        yield
    except OSError as error:
        if error.errno not in _ENDED:
            raise _unknown(done, error) from None


def _connections(process: int | None, pid: int) -> Iterator[tuple[int, socket.socket]]:
    """The process's connections with their descriptors; each copy is the caller's to close."""
    if process is None:
        return
    for descriptor in _socket_descriptors(pid):
        copy = _copy(process, descriptor)
        connection = None if copy is None else _as_socket(copy)
        if connection is not None:
            yield descriptor, connection


def _socket_descriptors(pid: int) -> Iterator[int]:
    try:
        links = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError as error:
        if error.errno in _GONE:
            return
        raise _unknown("looked at", error) from None
    for link in links:
        try:
            leads_to = str(link.readlink())
        except OSError as error:
            if error.errno in _GONE:
                continue  # closed meanwhile
            raise _unknown("looked at", error) from None
        if leads_to.startswith("socket:"):
            yield int(link.name)


def _copy(process: int | None, descriptor: int) -> int | None:
    """A copy of another process's descriptor; None when it is closed already."""
    if process is None:
        return None
    copied = _libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
    if copied >= 0:
        return int(copied)
    number = ctypes.get_errno()
    if number in (errno.EBADF, errno.ESRCH):
        return None
    if number in (errno.EPERM, errno.ENOSYS):
        raise UnavailableError(
            f"Envoy's tunnels cannot be reached one by one: {os.strerror(number)}. {REACH_ADVICE}"
        )
    raise _unknown("looked at", OSError(number, os.strerror(number)))


def _as_socket(descriptor: int) -> socket.socket | None:
    """The socket with that descriptor; None when it is something else, which is closed."""
    try:
        return socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        with _unless_ended("looked at"):
            raise
        return None


def _unknown(done: str, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"Envoy's tunnels cannot be {done} one by one: {error.strerror}. It is tried again."
    )


def _names(connection: socket.socket) -> tuple[str, ...]:
    """That by both ends, and its ends; the own end alone of what is connected to nothing."""
    if connection.family not in _FAMILIES:
        return ()
    peer, own = _end(connection.getpeername), _end(connection.getsockname)
    if peer is None or own is None:
        return () if own is None else (own,)
    return connection_name(own, peer), peer, own


def _names_of_client(connection: socket.socket) -> tuple[str, ...]:
    """By which a client that comes by this connection may be called; none when none does."""
    return _names(connection)[:-1]


def _peer(connection: socket.socket) -> str | None:
    return _end(connection.getpeername) if connection.family in _FAMILIES else None


def _end(ask: Callable[[], Any]) -> str | None:
    try:
        host, port = ask()[:2]
    except OSError:
        with _unless_ended("looked at"):
            raise
        return None
    return join(ip_addresses.unmapped(host), port)


_libc = ctypes.CDLL(None, use_errno=True)
