"""Windows: what does it do its own way? The twin of `linux`; it has not been run there yet.

One tunnel is ended by deleting its connection from the system's table (SetTcpEntry, iphlpapi.h),
for which the host service must run as an administrator. The call knows IPv4 only.
"""

import ctypes
import errno
import ipaddress
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from cloudgate.errors import UnavailableError
from cloudgate.host.platform.sent_bytes import SentBytes
from cloudgate.network.connection_names import connection_name
from cloudgate.processes.programs import ask

SERVICE = "CloudgateHost"
"""Name of the host service among the services of Windows."""
ENVOY = "envoy.dll"
"""File name of Envoy's executable in its package."""
SUPPORTS_HOT_RESTART = False
"""Whether one Envoy can take over from another (Envoy: hot restart)."""
_OWNER, _SYSTEM, _ADMINISTRATORS = "S-1-3-4", "S-1-5-18", "S-1-5-32-544"
"""Well-known security identifiers: whoever owns a thing, the system, and administrators."""
_ASK, _WAIT = 0x1000, 0x100000
"""PROCESS_QUERY_LIMITED_INFORMATION and SYNCHRONIZE."""
_STILL_RUNS = 0x102
"""WAIT_TIMEOUT."""
_AF_INET, _AF_INET6 = 2, 23
_OWNERS_OF_ALL = 5
"""TCP_TABLE_OWNER_PID_ALL."""
_ESTABLISHED = 5
"""MIB_TCP_STATE_ESTAB."""
_IPV4_ROW = struct.Struct("<6L")
"""State, local address and port, remote address and port, process."""
_IPV6_ROW = struct.Struct("<16s2L16s4L")
"""Local address, scope and port, remote address, scope and port, state, process."""
_TOOL_SECONDS = 60.0
"""How long a program of the system may take."""
_OF_ITS_OWN = 0x00000208
"""CREATE_NEW_PROCESS_GROUP and DETACHED_PROCESS."""
_NOT_FOUND, _MORE_ROOM = 1168, 122
"""ERROR_NOT_FOUND and ERROR_INSUFFICIENT_BUFFER."""
_DELETE_CONNECTION = 12
"""MIB_TCP_STATE_DELETE_TCB."""


def close_connections(pid: int, clients: Collection[str]) -> int:
    """End the tunnels of `clients`, given as `connection_name` or ``address:port``; how many.

    Raises:
        UnavailableError: this user may not end them, or they came over IPv6.
    """
    del pid
    table = _library("iphlpapi")
    answers = [table.SetTcpEntry(row) for row in rows(clients, connections())]
    found = answers.count(0)
    if any(each not in (0, _NOT_FOUND) for each in answers):  # those that had ended are no matter
        raise UnavailableError(
            "Tunnels cannot be ended one by one: run the host service as an administrator."
        )
    if any(client.startswith("[") for client in clients):
        raise UnavailableError(
            "Tunnels that came over IPv6 cannot be ended one by one on Windows. Restart the gateway"
            " to end them."
        )
    return found


def open_connections(pid: int) -> int:
    """How many connections a process has with other machines (GetExtendedTcpTable).

    Raises:
        UnavailableError: Windows does not tell.
    """
    table = _library("iphlpapi").GetExtendedTcpTable
    found = 0
    for family, read in ((_AF_INET, owners_of_ipv4), (_AF_INET6, owners_of_ipv6)):
        raw = _read(lambda *room: table(*room, 0, family, _OWNERS_OF_ALL, 0))  # noqa: B023
        found += sum(owner == pid and not is_local for owner, is_local in read(raw))
    return found


class Pacing:
    """Slows single connections. Windows has no means for that which another process could use."""

    def __init__(self, pid: int) -> None:
        del pid

    def set(self, rates: Mapping[str, int | None]) -> None:
        """Nothing is slowed.

        Raises:
            UnavailableError: always, where something is to be slowed.
        """
        if any(rate is not None for rate in rates.values()):
            raise UnavailableError("Speed limits of tenants are not kept on Windows.")

    def sent_by(self, names: Collection[str]) -> Mapping[str, SentBytes]:
        """Nothing is known."""
        del names
        return {}

    def connection_from(self, client: str, known: Container[str]) -> str:
        """Nothing more is known."""
        del known
        return client

    def forget(self, names: Iterable[str]) -> None:
        """Nothing is kept."""
        del names

    def carried(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """Nothing is known.

        Raises:
            UnavailableError: always, where something is asked for.
        """
        if names:
            raise UnavailableError("What single tunnels carry is not known at once on Windows.")
        return {}


def started_at(pid: int) -> str | None:
    """When a process started (GetProcessTimes); None when it is gone, or another user's."""
    kernel = _library("kernel32")
    with _process(kernel, _ASK | _WAIT, pid) as process:
        if process is None or kernel.WaitForSingleObject(process, 0) != _STILL_RUNS:
            return None
        times = [ctypes.c_ulonglong(0) for _ in range(4)]
        if not kernel.GetProcessTimes(process, *(ctypes.byref(each) for each in times)):
            return None
        return str(times[0].value)


def command_lines_with(word: str) -> dict[int, list[str]]:
    """None: the system tells nobody how a process was started."""
    del word
    return {}


def environment_of(pid: int) -> dict[str, str]:
    """Nothing, for the same reason."""
    del pid
    return {}


def program_of(pid: int) -> Path:
    """Nothing that could be asked."""
    del pid
    return Path()


def ask_to_end(pid: int) -> None:
    """End a process now: one without a console cannot be asked."""
    end(pid)


def end(pid: int) -> None:
    """End a process now (TerminateProcess)."""
    os.kill(pid, signal.SIGTERM)


def reopen_logs(pid: int) -> None:
    """Nothing: only the Envoy that listens can be told, by its administration."""
    del pid


def is_owned_by_us(folder: Path) -> bool:
    """Whether it belongs to the user of this process, to administrators, or to the system.

    Whoever owns a folder may say again who else may open it.
    """
    if sys.platform != "win32":
        return True
    import win32api  # noqa: PLC0415  Windows has it alone
    import win32security  # noqa: PLC0415

    which = win32security.OWNER_SECURITY_INFORMATION
    owner = win32security.GetFileSecurity(str(folder), which).GetSecurityDescriptorOwner()
    token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32security.TOKEN_QUERY)
    user, _ = win32security.GetTokenInformation(token, win32security.TokenUser)
    known = (_SYSTEM, _ADMINISTRATORS, win32security.ConvertSidToStringSid(user))
    return win32security.ConvertSidToStringSid(owner) in known


def restrict_to_owner(folder: Path) -> None:
    """Let its owner, administrators and the system in, and nobody else.

    Raises:
        UnavailableError: Windows does not let this user say so.
    """
    done = ask(access_command(folder), seconds=_TOOL_SECONDS)
    if not done.is_well:
        raise UnavailableError(
            f"Others cannot be kept out of {folder}: {done.complaint}."
            " Move it away or start as its owner."
        )


def access_command(folder: Path) -> list[str]:
    """The command that says who may open a folder, and what is made in it (``icacls``)."""
    granted = [
        word
        for who in (_OWNER, _SYSTEM, _ADMINISTRATORS)
        for word in ("/grant:r", f"*{who}:(OI)(CI)F")
    ]
    return ["icacls.exe", str(folder), "/inheritance:r", *granted, "/quiet"]


def lock_file(lock: IO[str]) -> None:
    """Hold an open file until it is closed, or this process ends.

    Raises:
        BlockingIOError: another process holds it.
        OSError: this file system, or the machine, cannot have it held.
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415  Windows has it alone

        try:
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as problem:
            if problem.errno in (errno.EACCES, errno.EDEADLK):
                raise BlockingIOError(problem.errno, problem.strerror) from None
            raise


def memory_bytes() -> int:
    """The machine's memory (GetPhysicallyInstalledSystemMemory)."""
    kibibytes = ctypes.c_ulonglong(0)
    _library("kernel32").GetPhysicallyInstalledSystemMemory(ctypes.byref(kibibytes))
    return kibibytes.value * 1024


def connections_by_address(port: int) -> dict[str, list[int]]:
    """Who is connected to a TCP port over IPv4: for each address the ports that it comes from."""
    found: dict[str, list[int]] = {}
    for local, remote in connections():
        if local.endswith(f":{port}"):
            address, _, number = remote.rpartition(":")
            found.setdefault(address, []).append(int(number))
    return found


def most_connections() -> int | None:
    """How many connections this machine has at most; None: nothing tells it for less."""
    return None


def service_command(python: str, data: Path) -> list[str]:
    """The command that registers the host service (``sc.exe create``)."""
    program = f'"{python}" -m cloudgate.host.platform.windows_service "{data}"'
    return [
        *("sc.exe", "create", SERVICE),
        *("binPath=", program),
        *("start=", "auto"),
        *("DisplayName=", "Cloudgate host service"),
    ]


def start_detached(
    command: Sequence[str],
    log: BinaryIO,
    folder: Path,
    environment: Mapping[str, str],
    *,
    passed: Sequence[int] = (),
) -> int:
    """Start a program that goes on when this process ends; its process id.

    Args:
        command: an executable's path, and its arguments.
        log: where it writes what it has to say.
        folder: its working directory.
        environment: its environment.
        passed: descriptors that it gets; none, here.
    """
    del passed
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


def check_installable() -> None:
    """See that the service would take the place of no other: here no package has one."""


def install(data: Path, config: Path | None = None) -> str:
    """Register the host service of `data`; what an operator should know.

    Raises:
        UnavailableError: Windows does not take it.
    """
    if config is not None:
        raise UnavailableError(
            "A service of Windows takes no file with settings: set them in its environment."
        )
    done = ask(service_command(sys.executable, data), seconds=_TOOL_SECONDS)
    if not done.is_well:
        raise UnavailableError(
            f"The service cannot be registered: {done.complaint}. Run this as an administrator."
        )
    return (
        f"The host service is registered. `sc.exe start {SERVICE}` starts it; `sc.exe stop"
        f" {SERVICE}` ends it and all tunnels."
    )


def connections() -> list[tuple[str, str]]:
    """The machine's IPv4 connections as local and remote ``address:port`` (GetTcpTable)."""
    table = _library("iphlpapi").GetTcpTable
    return read_table(_read(lambda *room: table(*room, 0)))


def _read(table: Callable[[Any, Any], int]) -> bytes:
    """A table of connections, which says first how much room it needs."""
    size = ctypes.c_ulong(0)
    answer, memory = table(None, ctypes.byref(size)), None
    while answer == _MORE_ROOM:  # it may have grown since it was asked
        memory = ctypes.create_string_buffer(size.value)
        answer = table(memory, ctypes.byref(size))
    if answer != 0 or memory is None:
        raise UnavailableError("The table of connections cannot be read.")
    return memory.raw


def owners_of_ipv4(raw: bytes) -> Iterator[tuple[int, bool]]:
    """The owner of each live connection in a MIB_TCPTABLE_OWNER_PID, and whether it is local."""
    (count,) = struct.unpack_from("<L", raw)
    for number in range(count):
        state, _, _, remote, _, owner = _IPV4_ROW.unpack_from(raw, 4 + _IPV4_ROW.size * number)
        if state == _ESTABLISHED:
            yield owner, ipaddress.IPv4Address(struct.pack("<L", remote)).is_loopback


def owners_of_ipv6(raw: bytes) -> Iterator[tuple[int, bool]]:
    """The owner of each live connection in a MIB_TCP6TABLE_OWNER_PID, and whether it is local."""
    (count,) = struct.unpack_from("<L", raw)
    for number in range(count):
        row = _IPV6_ROW.unpack_from(raw, 4 + _IPV6_ROW.size * number)
        *_, remote, _, _, state, owner = row
        if state == _ESTABLISHED:
            yield owner, ipaddress.IPv6Address(remote).is_loopback


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
    """A MIB_TCPROW that deletes each connection that `clients` name, by both ends or the remote."""
    wanted = set(clients)
    return [
        _row(local, remote)
        for local, remote in known
        if remote in wanted or connection_name(local, remote) in wanted
    ]


def _library(name: str) -> Any:
    return ctypes.WinDLL(name)  # type: ignore[attr-defined,unused-ignore]


@contextmanager
def _process(kernel: Any, rights: int, pid: int) -> Iterator[Any]:
    """A handle of a process; None when it is gone, or not this user's."""
    kernel.OpenProcess.restype = ctypes.c_void_p
    number = kernel.OpenProcess(rights, 0, pid)
    handle = ctypes.c_void_p(number) if number else None
    try:
        yield handle
    finally:
        if handle is not None:
            kernel.CloseHandle(handle)


def _row(local: str, remote: str) -> bytes:
    return struct.pack("<5L", _DELETE_CONNECTION, *_words(local), *_words(remote))


def _text(address: int, port: int) -> str:
    host = ipaddress.IPv4Address(struct.pack("<L", address))
    return f"{host}:{socket.ntohs(port & 0xFFFF)}"


def _words(text: str) -> tuple[int, int]:
    host, _, port = text.rpartition(":")
    (address,) = struct.unpack("<L", ipaddress.IPv4Address(host).packed)
    return address, socket.htons(int(port))
