"""What does a connector make of what comes to it in HTTP/2, from gateways and from others?"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived
from hyperframe.frame import DataFrame, GoAwayFrame

from cloudgate.connector.tls_connection import GatewayUnreachableError, Identity, connect
from cloudgate.connector.tunnel import Tunnel, request_tunnel
from cloudgate.errors import AccessDeniedError, UnavailableError
from cloudgate.network.hostport import HostPort
from cloudgate.protocol import GatewayState
from tests.connector.support import TARGET
from tests.support.certificates.authority import Authority
from tests.support.ports import free_port
from tests.support.running.machine import running_machine
from tests.support.running.tenant import tenant

pytestmark = pytest.mark.anyio
Say = Callable[[H2Connection, int], bytes]
"""What is said at a moment, in a stream of a connection, and what after it that is no HTTP/2."""
NOTHING = b""


def lets_in(h2: H2Connection, stream: int) -> bytes:
    """Say that the tunnel is there."""
    h2.send_headers(stream, [(":status", "200")])
    return NOTHING


def takes_no_more(h2: H2Connection, _stream: int) -> bytes:
    """Say that the connection ends, and that no request on it was looked at."""
    h2.close_connection(last_stream_id=0)
    return NOTHING


def lets_in_and_drains(h2: H2Connection, stream: int) -> bytes:
    """Say that the tunnel is there, and that none is taken after it (RFC 9113, section 6.8)."""
    lets_in(h2, stream)
    drains = GoAwayFrame(0, last_stream_id=2**31 - 1)
    return drains.serialize() + DataFrame(stream, b"welcome").serialize()


def answers(h2: H2Connection, stream: int) -> bytes:
    """Answer, and end."""
    h2.send_data(stream, b"the answer", end_stream=True)
    return NOTHING


def cuts(h2: H2Connection, stream: int) -> bytes:
    """Cut the tunnel."""
    h2.reset_stream(stream)
    return NOTHING


def breaks_the_rules(_h2: H2Connection, _stream: int) -> bytes:
    """Say what nobody may in HTTP/2: data in the stream 0."""
    return bytes(9)


def says_no_number(h2: H2Connection, stream: int) -> bytes:
    """Answer with a status that is none."""
    h2.send_headers(stream, [(":status", "OK")])
    return NOTHING


@asynccontextmanager
async def speaking(
    folder: Path, authority: Authority, first: Say, then: Say | None = None
) -> AsyncIterator[HostPort]:
    """Something with a gateway's certificate that speaks HTTP/2; where it is.

    It says `first` when it is asked for a tunnel, and `then` when something comes through that;
    it hangs up where that is None.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                rest = NOTHING
                for event in h2.receive_data(data):
                    match event:
                        case RequestReceived(stream_id=stream):
                            rest += first(h2, stream)
                        case DataReceived(stream_id=stream, data=said) if said:
                            if then is None:
                                writer.close()
                                return
                            rest += then(h2, stream)
                        case _:
                            pass
                writer.write(h2.data_to_send() + rest)
        writer.close()

    context = authority.server_context(folder)
    context.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield HostPort("localhost", server.sockets[0].getsockname()[1])


async def a_tunnel(gateway: HostPort, who: Identity, target: HostPort = TARGET) -> Tunnel:
    line = await connect(gateway, who, who.http2)
    return await request_tunnel(line, target, who, half_close=True)


async def test_who_is_refused_in_http2_hears_why(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    async with running_machine(tmp_path / "state", authority) as machine:
        machine.know(tenant(1))
        gateway = HostPort("localhost", free_port())
        await machine.bring(machine.gateway(gateway.port), GatewayState.LISTENING)
        for target, kind, words in (
            ("other.example", AccessDeniedError, "no right to other.example:443"),
            ("my_other.example", AccessDeniedError, "no right to my_other.example:443"),
            ("dead.example", UnavailableError, "repository does not answer"),
        ):
            with pytest.raises(kind, match=words) as caught:
                await a_tunnel(gateway, who, HostPort(target, 443))
            assert str(gateway) in str(caught.value)


async def test_what_speaks_no_http2_is_named_where_it_is_needed(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    begun = []
    context = authority.server_context(tmp_path)
    context.set_alpn_protocols(["http/1.1"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(GatewayUnreachableError, match=f"{port} does not speak HTTP/2"):
            await a_tunnel(HostPort("localhost", port), who)


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (takes_no_more, "takes no tunnels"),
        (cuts, "the tunnel was cut"),
        (breaks_the_rules, "is not HTTP/2"),
        (says_no_number, "is not HTTP/2"),
    ],
)
async def test_a_gateway_that_gives_no_tunnel_is_lost_and_why_is_said(
    tmp_path: Path, authority: Authority, who: Identity, first: Say, words: str
) -> None:
    async with speaking(tmp_path, authority, first) as gateway:
        with pytest.raises(GatewayUnreachableError, match=words):
            await a_tunnel(gateway, who)


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (cuts, "the tunnel was cut"),
        (breaks_the_rules, "is not HTTP/2"),
        (None, "the gateway hung up"),
    ],
)
async def test_a_tunnel_that_was_cut_says_so_to_who_reads_writes_and_ends_it(
    tmp_path: Path, authority: Authority, who: Identity, then: Say | None, words: str
) -> None:
    async with speaking(tmp_path, authority, lets_in, then) as gateway:
        tunnel = await a_tunnel(gateway, who)
        await tunnel.write(b"question")
        for use in (tunnel.read, lambda: tunnel.write(b"more"), tunnel.end):
            with pytest.raises(ConnectionResetError, match=words):
                await use()
        tunnel.close()


async def test_a_tunnel_outlives_that_its_gateway_takes_no_further_ones(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    async with speaking(tmp_path, authority, lets_in_and_drains, answers) as gateway:
        tunnel = await a_tunnel(gateway, who)
        assert await tunnel.read() == b"welcome"
        await tunnel.write(b"question")
        assert await tunnel.read() == b"the answer"
        assert await tunnel.read() == b""
        await tunnel.end()
        tunnel.close()
