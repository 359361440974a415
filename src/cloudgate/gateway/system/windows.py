"""What does Windows do its own way? The twin of `linux`; it has not been run on Windows yet.

One tunnel is ended by deleting its connection from the system's table (SetTcpEntry, iphlpapi.h),
for which the host service must run as an administrator. The call knows IPv4 only.
"""

import ctypes
import ipaddress
import socket
import struct
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from cloudgate.errors import UnavailableError

ENVOY = "envoy.dll"
"""File name of Envoy's executable in its package."""
CAN_TAKE_OVER = False
"""Whether one Envoy can take over from another (Envoy: hot restart)."""
_OF_ITS_OWN = 0x00000208
"""CREATE_NEW_PROCESS_GROUP and DETACHED_PROCESS."""
_DELETE_CONNECTION = 12
"""MIB_TCP_STATE_DELETE_TCB."""


def cut(pid: int, clients: Collection[str]) -> int:
    """End the tunnels of `clients`, given as ``address:port``; how many there were.

    Raises:
        UnavailableError: this user may not end them, or they came over IPv6.
    """
    del pid
    table = ctypes.WinDLL("iphlpapi")  # type: ignore[attr-defined,unused-ignore]
    found = 0
    for row in rows(clients, connections()):
        if table.SetTcpEntry(row) != 0:
            raise UnavailableError(
                "Tunnels cannot be ended one by one: run the host service as an administrator."
            )
        found += 1
    return found


def open_connections(pid: int) -> int:
    """How many connections a process has with others. Nobody asks where no Envoy takes over.

    Raises:
        UnavailableError: always.
    """
    raise UnavailableError(f"The connections of process {pid} are not known on Windows.")


class Pacing:
    """Slows single connections. Windows has no means for that which another process could use."""

    def __init__(self, pid: int) -> None:
        del pid

    def set(self, rates: Mapping[str, int | None]) -> Mapping[str, int]:
        """Nothing is slowed.

        Raises:
            UnavailableError: always, where something is to be slowed.
        """
        if any(rate is not None for rate in rates.values()):
            raise UnavailableError("Speed limits of tenants are not kept on Windows.")
        return {}

    def carried(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """Nothing is known.

        Raises:
            UnavailableError: always, where something is asked for.
        """
        if names:
            raise UnavailableError("What single tunnels carry is not known at once on Windows.")
        return {}


def memory_bytes() -> int:
    """The machine's memory (GetPhysicallyInstalledSystemMemory)."""
    kibibytes = ctypes.c_ulonglong(0)
    ctypes.WinDLL("kernel32").GetPhysicallyInstalledSystemMemory(  # type: ignore[attr-defined,unused-ignore]
        ctypes.byref(kibibytes)
    )
    return kibibytes.value * 1024


def callers_at(port: int) -> dict[str, list[int]]:
    """Who is connected to a TCP port over IPv4: for each address the ports that it comes from."""
    found: dict[str, list[int]] = {}
    for local, remote in connections():
        if local.endswith(f":{port}"):
            address, _, number = remote.rpartition(":")
            found.setdefault(address, []).append(int(number))
    return found


def service_command(python: str, data: Path) -> list[str]:
    """The command that registers the host service (``sc.exe create``)."""
    program = f'"{python}" -m cloudgate host run --data "{data}"'
    return [
        *("sc.exe", "create", "CloudgateHost"),
        *("binPath=", program),
        *("start=", "auto"),
        *("DisplayName=", "Cloudgate host service"),
    ]


def start_detached(
    command: Sequence[str], log: BinaryIO, folder: Path, environment: Mapping[str, str]
) -> int:
    """Start a program that goes on when this process ends; its process id.

    Args:
        command: an executable's path, and its arguments.
        log: where it writes what it has to say.
        folder: its working directory.
        environment: its environment.
    """
    started = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=folder,
        env=environment,
        creationflags=_OF_ITS_OWN,
    )
    return started.pid


def install(data: Path) -> str:
    """Register the host service of `data`; what an operator should know.

    Raises:
        UnavailableError: Windows does not take it.
    """
    done = subprocess.run(
        service_command(sys.executable, data), check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise UnavailableError(
            f"The service cannot be registered: {done.stdout.strip()}. Run this as an"
            " administrator."
        )
    return "The host service is registered. `sc.exe start CloudgateHost` starts it."


def connections() -> list[tuple[str, str]]:
    """The machine's IPv4 connections as local and remote ``address:port`` (GetTcpTable)."""
    table = ctypes.WinDLL("iphlpapi")  # type: ignore[attr-defined,unused-ignore]
    size = ctypes.c_ulong(0)
    table.GetTcpTable(None, ctypes.byref(size), 0)
    memory = ctypes.create_string_buffer(size.value)
    if table.GetTcpTable(memory, ctypes.byref(size), 0) != 0:
        raise UnavailableError("The table of connections cannot be read.")
    return read_table(memory.raw)


def read_table(raw: bytes) -> list[tuple[str, str]]:
    """The connections in a MIB_TCPTABLE: a count, and rows of state and two addresses."""
    (count,) = struct.unpack_from("<L", raw)
    found = []
    for number in range(count):
        _, *words = struct.unpack_from("<5L", raw, 4 + 20 * number)
        local, local_port, remote, remote_port = words
        found.append((_text(local, local_port), _text(remote, remote_port)))
    return found


def rows(clients: Collection[str], known: Collection[tuple[str, str]]) -> list[bytes]:
    """A MIB_TCPROW that deletes each connection whose remote end is one of `clients`."""
    wanted = set(clients)
    return [_row(local, remote) for local, remote in known if remote in wanted]


def _row(local: str, remote: str) -> bytes:
    return struct.pack("<5L", _DELETE_CONNECTION, *_words(local), *_words(remote))


def _text(address: int, port: int) -> str:
    host = ipaddress.IPv4Address(struct.pack("<L", address))
    return f"{host}:{socket.ntohs(port & 0xFFFF)}"


def _words(text: str) -> tuple[int, int]:
    host, _, port = text.rpartition(":")
    (address,) = struct.unpack("<L", ipaddress.IPv4Address(host).packed)
    return address, socket.htons(int(port))
