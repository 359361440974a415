"""What does Windows do its own way? The twin of `linux`; it has not been run on Windows yet.

One tunnel is ended by deleting its connection from the system's table (SetTcpEntry, iphlpapi.h),
for which the host service must run as an administrator. The call knows IPv4 only.
"""

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Collection

from cloudgate.errors import UnavailableError

ENVOY = "envoy.dll"
"""File name of Envoy's executable in its package."""
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
