"""What does Linux do its own way?

One tunnel is ended by shutting its socket down from outside of Envoy: the kernel gives the owner
of a process a copy of its sockets (pidfd_getfd(2), Linux 5.6). It needs the right to trace Envoy,
which the user that started it has, unless the kernel's ``yama.ptrace_scope`` asks for
CAP_SYS_PTRACE.
"""

import ctypes
import errno
import getpass
import os
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from cloudgate.errors import UnavailableError

_PIDFD_GETFD = 438
"""The number of the system call on every platform that Envoy is built for."""

UNIT = Path("/etc/systemd/system/cloudgate-host.service")
"""Where `install` puts the unit of the host service."""
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


def unit(python: str, data: Path, user: str) -> str:
    """The systemd unit of a host service (systemd.service(5)).

    Only the host service itself is told to end: Envoy is its business, and outlives its restart.
    """
    return f"""[Unit]
Description=Cloudgate host service
Wants=network-online.target
After=network-online.target

[Service]
User={user}
ExecStart={python} -m cloudgate host run --data {data}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
KillMode=process
TimeoutStopSec=30
LimitNOFILE=1048576
AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_SYS_PTRACE
NoNewPrivileges=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"""


def install(data: Path) -> str:
    """Have systemd run the host service of `data` from now on; what an operator should know.

    Raises:
        UnavailableError: systemd is not there, or does not take it.
    """
    owner = data.owner() if data.exists() else getpass.getuser()
    try:
        UNIT.write_text(unit(sys.executable, data, owner))
    except OSError as error:
        raise UnavailableError(
            f"Cannot write {UNIT}: {error.strerror}. Run `cloudgate host install` as root."
        ) from None
    for command in (["daemon-reload"], ["enable", "--now", UNIT.name]):
        try:
            done = subprocess.run(
                ["systemctl", *command],  # noqa: S607  wherever the system has it
                check=False,
                capture_output=True,
                text=True,
            )
        except OSError:
            raise UnavailableError(
                f"{UNIT} is written, but systemctl is not there. Start `cloudgate host run` with"
                " what this system has instead."
            ) from None
        if done.returncode != 0:
            raise UnavailableError(
                f"systemctl {' '.join(command)} failed: {done.stderr.strip()}. {UNIT} is written."
            )
    return (
        f"The host service runs. `systemctl reload {UNIT.stem}` starts it anew without ending a"
        f" tunnel; `systemctl stop {UNIT.stem}` ends them all."
    )


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
