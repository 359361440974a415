"""Tunnels: how does a client get through a proxy to the repository?"""

import base64
import socket
import ssl
import struct
from dataclasses import dataclass

PATIENCE_SECONDS = 20.0

UPLOAD, DOWNLOAD, PING, PONG = b"U", b"D", b"P", b"p"
"""The first byte of a tunnel says what it is for; a ping is answered."""
EXACTLY = b"E"
"""A download of as many bytes as the `LENGTH` after it says."""
LENGTH = struct.Struct("!Q")
SEGMENT_BYTES = 1460
"""What a packet carries over Ethernet (RFC 9293, section 3.7.1). Loopback's own carry 64 KiB, but
to a gateway, which asks tenants for less: proxies would be compared on different lines."""


@dataclass(frozen=True)
class Way:
    """A TLS port, and what has to be said there first."""

    port: int
    request: bytes = b""
    """Empty where everything is relayed."""
    host: str = "127.0.0.1"
    network: str = ""
    """The network namespace that clients are in; empty for this one."""


class TunnelRefusedError(Exception):
    """The proxy does not open the tunnel; the message is its answer."""


def connect_request(target: str, name: str, password: str) -> bytes:
    """What a tenant says to a gateway."""
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    return (
        f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
        f"Proxy-Authorization: Basic {credentials}\r\n\r\n"
    ).encode()


def client_context() -> ssl.SSLContext:
    """TLS as clients speak it. Whose certificate it is costs only the client: not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def open_tunnel(way: Way, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A tunnel to the repository.

    Raises:
        TunnelRefusedError: The proxy says no.
    """
    plain = socket.socket()
    plain.settimeout(PATIENCE_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        plain.connect((way.host, way.port))
    except OSError:
        plain.close()
        raise
    tunnel = context.wrap_socket(plain)
    if way.request:
        tunnel.sendall(way.request)
        answer = _head(tunnel)
        if b" 200 " not in answer.partition(b"\r\n")[0]:
            tunnel.close()
            raise TunnelRefusedError(answer.decode("latin-1"))
    return tunnel


def ping(tunnel: ssl.SSLSocket) -> None:
    """Return when the repository has answered."""
    tunnel.sendall(PING)
    if tunnel.recv(1) != PONG:
        raise ConnectionResetError("The repository does not answer.")


def _head(tunnel: ssl.SSLSocket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        more = tunnel.recv(4096)
        if not more:
            break
        head += more
    return head
