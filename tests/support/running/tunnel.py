"""A tenant's tunnel to a repository that answers with as much as is asked for, or what it hears.

For tests without a loop; those that have one speak by `tenant_program`.
"""

import base64
import re
import socket
import socketserver
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.serving import answering
from tests.support.waiting import PATIENCE_SECONDS

_SIZES = struct.Struct("!QQ")
_PIECE = bytes(256 * 1024)


class _Repository(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Answer questions: how much follows, how much to answer, and what follows."""
        try:
            while head := self.rfile.read(_SIZES.size):
                up, down = _SIZES.unpack(head)
                self.rfile.read(up)
                while down:
                    down -= self.connection.send(memoryview(_PIECE)[:down])
        except (OSError, struct.error):
            return


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Answer with what is heard."""
        while data := self.request.recv(4096):
            self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


def repository() -> AbstractContextManager[str]:
    """A repository on loopback that answers questions; its address."""
    return _serving(_Repository)


def echo() -> AbstractContextManager[str]:
    """A repository on loopback that answers with what it hears; its address."""
    return _serving(_Echo)


@contextmanager
def _serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), handler)
    with answering(server):
        yield "{}:{}".format(*server.server_address[:2])


@dataclass
class Tunnel:
    """What a gateway answered, and the line that it opened."""

    line: ssl.SSLSocket
    status: int
    reason: str
    """Why there is no tunnel; empty when there is one."""

    def exchange(self, up_bytes: int, down_bytes: int) -> None:
        """Send and get back exactly so much; `up_bytes` is 16 at least."""
        self.line.sendall(_SIZES.pack(up_bytes - _SIZES.size, down_bytes))
        self.line.sendall(bytes(up_bytes - _SIZES.size))
        left = down_bytes
        while left:
            found = len(self.line.recv(min(left, 65536)))
            assert found, "the tunnel ended"
            left -= found

    def ask(self, down_bytes: int) -> None:
        """Have so much come, for `received_bytes` to take."""
        self.line.sendall(_SIZES.pack(0, down_bytes))

    def received_bytes(self, seconds: float) -> int:
        """How much of what was asked for comes in a time."""
        found, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            found += len(self.line.recv(1024 * 1024))
        return found

    def lives(self) -> bool:
        """Whether data still goes there and back."""
        try:
            self.exchange(16, 1)
        except (OSError, AssertionError):
            return False
        return True

    def is_cut(self, seconds: float) -> bool:
        """Whether the other end is gone before the time is over."""
        self.line.settimeout(seconds)
        try:
            return self.line.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """End it."""
        self.line.close()


def open_tunnel(port: int, ca_file: Path, target: str, login: str) -> Tunnel:
    """Ask a gateway on this machine for a tunnel; `login` is ``NAME:PASSWORD``."""
    context = ssl.create_default_context(cafile=str(ca_file))
    raw = socket.create_connection(("localhost", port), timeout=PATIENCE_SECONDS)
    line = context.wrap_socket(raw, server_hostname="localhost")
    said = base64.b64encode(login.encode()).decode()
    line.sendall(f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {said}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = line.recv(1)
        assert piece, "the gateway hung up"
        head += piece
    status = int(head.split()[1])
    length = re.search(rb"(?i)content-length: (\d+)", head)
    reason = b""
    while length and len(reason) < int(length[1]):
        reason += line.recv(65536)
    if status != 200:
        line.close()
    return Tunnel(line, status, reason.decode().strip())
