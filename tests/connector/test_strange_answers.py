"""What does a connector make of answers that no gateway gives, and of none?"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloudgate.connector import tunnel as tunnels
from cloudgate.connector.load_balancing import MOST_GATEWAYS
from cloudgate.connector.tls_connection import GatewayUnreachableError, Identity, connect
from cloudgate.connector.tunnel import (
    WrongPoolError,
    fetch_discovery_document,
    request_tunnel,
)
from cloudgate.errors import (
    AccessDeniedError,
    CloudgateError,
    NotAuthenticatedError,
    UnavailableError,
)
from cloudgate.network.hostport import HostPort
from tests.connector.support import TARGET
from tests.support.certificates.authority import Authority

pytestmark = pytest.mark.anyio
Ask = Callable[[HostPort, Identity], Awaitable[object]]
NO_GATEWAY = "is no gateway"


async def a_tunnel(gateway: HostPort, who: Identity) -> object:
    return await request_tunnel(await connect(gateway, who, who.http1), TARGET, who)


async def the_document(gateway: HostPort, who: Identity) -> object:
    return await fetch_discovery_document(gateway, who)


@asynccontextmanager
async def answering(folder: Path, authority: Authority, said: bytes | None) -> AsyncIterator[int]:
    """Something with a gateway's certificate that says this and hangs up; its port.

    None: it says nothing, and does not hang up.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if said is None:
                await reader.read()
            else:
                writer.write(said)
                await writer.drain()
        writer.close()

    context = authority.server_context(folder)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def answer(status: str, text: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@pytest.mark.parametrize("ask", [a_tunnel, the_document])
@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (b"", GatewayUnreachableError, NO_GATEWAY),
        (b"220 mail.example ESMTP\r\n", GatewayUnreachableError, NO_GATEWAY),
        (b"HTTP/1.1 OK\r\n\r\n", GatewayUnreachableError, NO_GATEWAY),
        (b"HTTP/1.1 200\r\nX: " + b"x" * 20_000, GatewayUnreachableError, NO_GATEWAY),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 20_000 + b"\r\n", GatewayUnreachableError, NO_GATEWAY),
        (
            b"HTTP/1.1 503 x\r\nContent-Length: 99999999\r\n\r\n",
            GatewayUnreachableError,
            NO_GATEWAY,
        ),
        (b"HTTP/1.1 503 x\r\nContent-Length: many\r\n\r\n", GatewayUnreachableError, NO_GATEWAY),
        (answer("401 x"), NotAuthenticatedError, "does not accept the name acme"),
        (answer("407 x"), NotAuthenticatedError, "does not accept the name acme"),
        (answer("403 x", "It is set apart for others."), WrongPoolError, "set apart"),
        (answer("403 x", "The tenant is disabled."), AccessDeniedError, "is disabled"),
        (answer("503 x", "Come back later."), UnavailableError, "Come back later"),
        (answer("500 x"), UnavailableError, "status 500"),
    ],
)
async def test_what_is_no_gateway_or_refuses_is_named_with_its_address(
    tmp_path: Path,
    authority: Authority,
    who: Identity,
    *,
    ask: Ask,
    said: bytes,
    kind: type[CloudgateError],
    words: str,
) -> None:
    async with answering(tmp_path, authority, said) as port:
        with pytest.raises(kind, match=words) as caught:
            await ask(HostPort("localhost", port), who)
    assert type(caught.value) is kind
    assert f"localhost:{port}" in caught.value.message


@pytest.mark.parametrize("ask", [a_tunnel, the_document])
async def test_one_that_says_nothing_is_given_up_after_its_time(
    tmp_path: Path,
    authority: Authority,
    who: Identity,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tunnels, "ANSWER_SECONDS", 0.2)
    async with answering(tmp_path, authority, None) as port:
        with pytest.raises(GatewayUnreachableError, match="does not answer"):
            await ask(HostPort("localhost", port), who)


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", '{"Gateways": 3}'])
async def test_a_document_that_is_none_of_a_gateway_is_not_believed(
    tmp_path: Path, authority: Authority, who: Identity, text: str
) -> None:
    async with answering(tmp_path, authority, answer("200 OK", text)) as port:
        with pytest.raises(GatewayUnreachableError, match="no gateway of Cloudgate"):
            await the_document(HostPort("localhost", port), who)


@pytest.mark.parametrize("count", [300, MOST_GATEWAYS])
async def test_a_document_of_however_many_gateways_is_read(
    tmp_path: Path, authority: Authority, who: Identity, count: int
) -> None:
    each = {"Name": "n" * 200, "Address": "a" * 253, "Port": 65535, "Failover": False}
    text = json.dumps({"Gateways": [each] * count})
    async with answering(tmp_path, authority, answer("200 OK", text)) as port:
        told = await fetch_discovery_document(HostPort("localhost", port), who)
    assert len(told["Gateways"]) == count


async def test_what_a_target_says_at_once_comes_after_the_answer_however_much_it_is(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    greeting = b"y" * 100_000
    said = b"HTTP/1.1 200 OK\r\n\r\n" + greeting
    async with answering(tmp_path, authority, said) as port:
        line = await connect(HostPort("localhost", port), who, who.http1)
        tunnel = await request_tunnel(line, TARGET, who)
        heard = b""
        while len(heard) < len(greeting):
            heard += await tunnel.read()
        tunnel.close()
    assert heard == greeting
