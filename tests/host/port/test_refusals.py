"""Does whoever is refused hear why, in its version of HTTP, and when to come back?"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from cloudgate.host.envoy.xds_listener import FIRST_REQUEST_SECONDS, REFUSALS
from cloudgate.protocol import GatewayState
from tests.support.certificates.authority import Authority
from tests.support.machine.loops import UVLOOP
from tests.support.ports import free_port
from tests.support.running.machine import running_machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client, echo_server
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio
REPO = "repo.example:443"
LOGIN = base64.b64encode(f"acme:{PASSWORD}".encode()).decode()
ASKED = f"Proxy-Authorization: Basic {LOGIN}\r\n"


# Nothing here changes the machine, so that one serves all.
@pytest.fixture(scope="module")
def anyio_backend() -> object:
    return UVLOOP


@pytest.fixture(scope="module")
async def port(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, anyio_backend: object
) -> AsyncIterator[int]:
    state = tmp_path_factory.mktemp("refusals") / "state"
    async with echo_server() as repository, running_machine(state, authority) as machine:
        machine.know(tenant(repository))
        chosen = free_port()
        await machine.bring(machine.gateway(chosen), GatewayState.LISTENING)
        yield chosen


@pytest.mark.parametrize("host", ["", f"Host: {REPO}\r\n", "Host: proxy.example\r\n"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_connect_opens_a_tunnel_in_each_version_of_http_with_and_without_host(
    client: Client, port: int, version: str, host: str
) -> None:
    tunnel = await client.ask(port, f"CONNECT {REPO} HTTP/{version}\r\n{host}{ASKED}\r\n")
    assert tunnel.status == 200
    assert tunnel.headers.startswith(f"http/{version} 200 ")
    assert await tunnel.echoes()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    "refusal",
    [
        ("CONNECT repo.example:443", 407, "Name or password are missing"),
        (f"CONNECT other.example:443\n{ASKED}", 403, "no right to other.example:443"),
        (f"CONNECT dead.example:443\n{ASKED}", 503, "repository does not answer"),
        (f"CONNECT nowhere.example:443\n{ASKED}", 503, "nowhere.invalid"),
        ("CONNECT repo.example", 400, "CONNECT HOST:PORT"),
        ("CONNECT -:x", 400, "CONNECT HOST:PORT"),
        (f"CONNECT my_repo.example:443\n{ASKED}", 400, "CONNECT HOST:PORT"),
        ("BREW /", 400, "CONNECT HOST:PORT"),
        ("GET /", 404, "This is a cloud gateway"),
        ("OPTIONS *", 404, "This is a cloud gateway"),
        ("GET /.well-known/cloudgate", 401, "Name or password are missing"),
        (f"GET /\nX: {'x' * 100_000}\r\n", 431, "too large"),
        ("CONNECT repo.example:443\nTransfer-Encoding: x\r\n", 501, "no body"),
    ],
    ids=lambda refusal: refusal[0][:30].strip(),
)
async def test_a_refusal_says_why_in_the_version_that_was_asked_in(
    client: Client, port: int, version: str, refusal: tuple[str, int, str]
) -> None:
    request_, status, reason = refusal
    first, _, headers = request_.partition("\n")
    said = f"{first} HTTP/{version}\r\nHost: gateway.example\r\n{headers}\r\n"
    refused = await client.ask(port, said)
    assert refused.status == status
    if not reason.startswith(("CONNECT", "too large")):  # else Envoy has not read the version
        assert refused.headers.startswith(f"http/{version} ")
    assert reason in refused.body
    assert ("retry-after: " in refused.headers) == (status == 503)
    if version == "1.0":
        assert "connection: close" in refused.headers


async def test_an_upgrade_is_refused_with_the_reason(client: Client, port: int) -> None:
    said = f"CONNECT {REPO} HTTP/1.1\r\nHost: {REPO}\r\nConnection: upgrade\r\n"
    refused = await client.ask(port, f"{said}Upgrade: websocket\r\n{ASKED}\r\n")
    assert refused.status == 403
    assert "Leave Upgrade out" in refused.body


async def test_who_begins_a_request_and_does_not_end_it_hears_why(
    client: Client, port: int
) -> None:
    context = ssl.create_default_context(cadata=client.ca_pem)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    writer.write(b"CONNECT repo.example:443 HT")
    async with asyncio.timeout(FIRST_REQUEST_SECONDS + PATIENCE_SECONDS):
        said = (await reader.read()).decode()
    writer.transport.abort()
    assert said.startswith("HTTP/1.1 408 ")
    assert REFUSALS[408] in said


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_after_a_407_the_same_connection_serves_or_is_said_to_be_closed(
    client: Client, port: int, version: str
) -> None:
    keep = "Connection: keep-alive\r\nProxy-Connection: keep-alive\r\n"
    first = f"CONNECT {REPO} HTTP/{version}\r\nHost: {REPO}\r\n{keep}"
    refused = await client.ask(port, f"{first}\r\n")
    assert refused.status == 407
    if "connection: close" in refused.headers:
        assert await refused.is_cut()
        again = await client.ask(port, f"{first}{ASKED}\r\n")
        assert again.status == 200
    else:
        refused.writer.write(f"{first}{ASKED}\r\n".encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = await refused.reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] == b"200"


async def _http2(client: Client, port: int, *headers: tuple[str, str]) -> tuple[int, str, str]:
    """Status, Retry-After and text of an answer in HTTP/2."""
    context = ssl.create_default_context(cadata=client.ca_pem)
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    speaking = H2Connection(H2Configuration(client_side=True))
    speaking.initiate_connection()
    speaking.send_headers(1, headers, end_stream=headers[0] != (":method", "CONNECT"))
    status, later, text, ended = 0, "", "", False
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not ended:
            writer.write(speaking.data_to_send())
            for event in speaking.receive_data(await reader.read(65536)):
                if isinstance(event, ResponseReceived):
                    found = dict(event.headers)
                    status = int(found[b":status"])
                    later = found.get(b"retry-after", b"").decode()
                if isinstance(event, DataReceived):
                    text += event.data.decode()
                ended |= isinstance(event, StreamEnded)
    writer.transport.abort()
    return status, later, text


@pytest.mark.parametrize(
    ("target", "login", "refusal"),
    [
        (REPO, "", (407, "", "Name or password are missing")),
        ("other.example:443", LOGIN, (403, "", "no right to other.example:443")),
        ("dead.example:443", LOGIN, (503, "5", "repository does not answer")),
    ],
)
async def test_a_refusal_in_http_2_says_why(
    client: Client, port: int, target: str, login: str, refusal: tuple[int, str, str]
) -> None:
    asked = [(":method", "CONNECT"), (":authority", target)]
    if login:
        asked.append(("proxy-authorization", f"Basic {login}"))
    found = await _http2(client, port, *asked)
    assert found[:2] == refusal[:2]
    assert refusal[2] in found[2]
