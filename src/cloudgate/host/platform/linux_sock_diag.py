"""Socket diagnosis: who is connected to a port of this machine, and how? By Linux's sock_diag(7).

The kernel walks its own table and answers for one port, which costs a fraction of reading
``/proc/net/tcp``.
"""

import socket
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator

from cloudgate.errors import UnavailableError

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_A_DUMP = 0x301
"""NLM_F_REQUEST and NLM_F_DUMP."""
_DONE, _ERROR = 3, 2
_ESTABLISHED_OR_HALF_CLOSED = 1 << 1 | 1 << 8
"""TCP_ESTABLISHED and TCP_CLOSE_WAIT: those that somebody here still holds."""

_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI")
_PORTS = struct.Struct(">HH")
_REST_OF_ID_BYTES = 44
_INET_DIAG_CONG = 4
_ANSWER_BYTES = 88
"""A header and ``struct inet_diag_msg``; what was asked for besides follows."""
_ATTRIBUTE = struct.Struct("=HH")
_ANSWER_FAMILY = 16
_ANSWER_PEER = struct.Struct(">6xH16x16s")
"""In ``struct inet_diag_msg``: the other end's port and address."""
_MAPPED = bytes(10) + b"\xff\xff"
_ROOM_BYTES = 256 * 1024
_IN_USE = {"/proc/net/sockstat": b"TCP: inuse ", "/proc/net/sockstat6": b"TCP6: inuse "}


def connections_by_address(port: int) -> dict[str, list[int]]:
    """Who is connected to a TCP port: for each IP address the ports that it comes from.

    Raises:
        UnavailableError: the kernel does not tell.
    """
    found: dict[bytes, list[int]] = defaultdict(list)
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            for address, number in _peers(family, port):
                found[address].append(number)
    except OSError as error:
        raise UnavailableError(
            f"The kernel does not tell who is connected: {error.strerror}."
        ) from None
    return {_text(address): ports for address, ports in found.items()}


def most_connections() -> int | None:
    """How many TCP connections this machine has at most, with what listens (proc(5), sockstat).

    It costs a fiftieth of looking who they are. None where the kernel does not tell.
    """
    try:
        return sum(_in_use(path, name) for path, name in _IN_USE.items())
    except (OSError, ValueError, IndexError):  # ENOENT, EACCES: not told; others: in other words
        return None


def _in_use(path: str, name: bytes) -> int:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  each second
        text = file.read()
    return int(text.partition(name)[2].split()[0]) if text else 0


def congestion_controls(port: int) -> Counter[str]:
    """What the connections use that were accepted at a TCP port of this machine: how many what.

    Raises:
        UnavailableError: the kernel does not tell.
    """
    try:
        return Counter(
            name
            for family in (socket.AF_INET, socket.AF_INET6)
            for answer in _dump(family, port, _INET_DIAG_CONG)
            for name in _texts(answer, _INET_DIAG_CONG)
        )
    except OSError as error:
        raise UnavailableError(
            f"The kernel does not tell what connections use: {error.strerror}."
        ) from None


def _texts(answer: memoryview, kind: int) -> Iterator[str]:
    """Attributes of a kind; each is a text that a null byte ends."""
    rest = answer[_ANSWER_BYTES:]
    while len(rest) >= _ATTRIBUTE.size:
        size, found = _ATTRIBUTE.unpack_from(rest)
        if found == kind:
            yield bytes(rest[_ATTRIBUTE.size : size]).rstrip(b"\0").decode("ascii", "replace")
        rest = rest[max(size + 3 & ~3, _ATTRIBUTE.size) :]


def _peers(family: int, port: int) -> Iterator[tuple[bytes, int]]:
    length = 4 if family == socket.AF_INET else 16
    for answer in _dump(family, port):
        number, address = _ANSWER_PEER.unpack_from(answer, _ANSWER_FAMILY)
        yield address[:length].removeprefix(_MAPPED), number


def _dump(family: int, port: int, wanted: int = 0) -> Iterator[memoryview]:
    """Messages of the kernel, each about a connection, with an attribute that is wanted besides."""
    asked = 1 << wanted - 1 if wanted else 0
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, asked, _ESTABLISHED_OR_HALF_CLOSED)
    request += _PORTS.pack(port, 0) + bytes(_REST_OF_ID_BYTES)
    size = _HEADER.size + len(request)
    header = _HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _REQUEST_A_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.send(header + request)
        while True:
            told = memoryview(kernel.recv(_ROOM_BYTES))
            while told:
                size, kind, *_ = _HEADER.unpack_from(told)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", told, _HEADER.size)[0]
                    raise OSError(number, "the table of connections cannot be read")
                yield told[:size]
                told = told[(size + 3) & ~3 :]


def _text(address: bytes) -> str:
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6  # noqa: PLR2004
    return socket.inet_ntop(family, address)
