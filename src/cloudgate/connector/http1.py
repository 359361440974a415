"""HTTP/1.1 tunnel: how is it carried? After the answer to CONNECT, the line is the tunnel."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloudgate.connector.load_balancing import MOST_GATEWAYS
from cloudgate.connector.tls_connection import GatewayUnreachableError, TlsConnection, lost
from cloudgate.network.hostport import HostPort

_LONGEST_HEAD_BYTES = 16 * 1024
_LONGEST_BODY_BYTES = MOST_GATEWAYS * 1024 + 4 * 1024 * 1024
"""Of the document, the longest: of each gateway it has name and address, and it names targets."""
OK = 200


@dataclass(frozen=True)
class Answer:
    """What a gateway said."""

    status: int
    text: str = ""
    """Why not, or the document."""


class Http1Tunnel:
    """A tunnel in HTTP/1.1: when one side has said all, there is no way to tell the other."""

    half_closes = False

    def __init__(self, line: TlsConnection) -> None:
        self.gateway = line.gateway
        self.line = line
        self._rest = b""

    async def ask(self, target: HostPort, authorization: str) -> Answer:
        """Ask for the tunnel, once and before anything else; what the gateway says.

        Raises:
            GatewayUnreachableError: what answers hung up, or is no gateway.
        """
        answer, self._rest = await _ask(
            self.line,
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
            f"{_header_line('Proxy-Authorization', authorization)}\r\n",
            is_tunnel=True,
        )
        return answer

    async def read(self) -> bytes:
        """What the target has sent; empty when that was all.

        Raises:
            OSError: the tunnel was cut.
        """
        rest, self._rest = self._rest, b""
        return rest or await self.line.read()

    async def write(self, data: bytes) -> None:
        """Send to the target; returns when there is room for more.

        Raises:
            OSError: the tunnel was cut.
        """
        self.line.send(data)
        await self.line.room()

    async def end(self) -> None:
        """Nothing more will be written, which cannot be passed on."""

    def close(self) -> None:
        """Cut it, or let go of it when it has ended."""
        self.line.close()


async def get(line: TlsConnection, path: str, authorization: str) -> Answer:
    """Ask for a document.

    Raises:
        GatewayUnreachableError: what answers hung up, or is no gateway.
    """
    answer, _ = await _ask(
        line,
        f"GET {path} HTTP/1.1\r\nHost: {line.gateway}\r\n"
        f"{_header_line('Authorization', authorization)}Connection: close\r\n\r\n",
        is_tunnel=False,
    )
    return answer


async def post(line: TlsConnection, path: str, authorization: str, body: str) -> Answer:
    """Ask for what is made of a body.

    Raises:
        GatewayUnreachableError: what answers hung up, or is no gateway.
    """
    length = len(body.encode())
    answer, _ = await _ask(
        line,
        f"POST {path} HTTP/1.1\r\nHost: {line.gateway}\r\nContent-Length: {length}\r\n"
        f"{_header_line('Authorization', authorization)}Connection: close\r\n\r\n{body}",
        is_tunnel=False,
    )
    return answer


def _header_line(header: str, value: str) -> str:
    """A line of a header; nothing where it has no value."""
    return f"{header}: {value}\r\n" if value else ""


async def _ask(line: TlsConnection, request: str, *, is_tunnel: bool) -> tuple[Answer, bytes]:
    """The answer, and what came after it."""
    try:
        line.send(request.encode("utf-8"))
        head, _, rest = (await _until_head(line)).partition(b"\r\n\r\n")
        first, *others = head.decode("latin-1").lower().split("\r\n")
        status = int(first.split()[1])
        if is_tunnel and status == OK:
            return Answer(status), rest
        length = _length(others)
        while len(rest) < length and (more := await line.read()):
            rest += more
        return Answer(status, rest[:length].decode("utf-8", "replace").strip()), rest[length:]
    except OSError as problem:
        raise lost(line.gateway, problem) from None
    except (IndexError, ValueError):
        raise GatewayUnreachableError(f"What answers at {line.gateway} is no gateway.") from None


def _length(header_lines: Sequence[str]) -> int:
    """How many bytes the body has.

    Raises:
        ValueError: that is not said, or it would be too long.
    """
    said = dict(each.split(": ", 1) for each in header_lines).get("content-length", "0")
    if not 0 <= (length := int(said)) <= _LONGEST_BODY_BYTES:
        raise ValueError
    return length


async def _until_head(line: TlsConnection) -> bytes:
    """The head, and what has come with it, which may be much: what is read at once is far longer.

    Raises:
        ValueError: what came is too long for a head, or ended before it was whole.
    """
    said = b""
    while b"\r\n\r\n" not in said:
        more = await line.read()
        said += more
        if not more or (b"\r\n\r\n" not in said and len(said) > _LONGEST_HEAD_BYTES):
            raise ValueError
    return said
