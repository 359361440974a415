"""What does a tenant meet at the gateway's port?"""

import asyncio
import os
import ssl
from base64 import b64encode
from contextlib import suppress
from urllib.parse import quote
from uuid import UUID

import pytest

from cloudgate.protocol import GatewayState, Report
from tests.support.observation.access_log import access_lines
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio
BOTH_WAYS = True


async def test_a_tunnel_carries_the_same_bytes_both_ways(port: int, client: Client) -> None:
    tunnel = await client.connect(port, "Repo.Example.:443")
    assert tunnel.status == 200
    data = os.urandom(300_000)
    tunnel.writer.write(data)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await tunnel.reader.readexactly(len(data)) == data


async def test_live_tunnels_are_counted(port: int, client: Client, machine: Machine) -> None:
    for _ in range(3):
        assert await (await client.connect(port, "repo.example:443")).echoes()
    assert await machine.admin.live_tunnels() == 3
    assert set(machine.enforcer.contribution()) <= set(Report.model_fields)


@pytest.mark.parametrize("login", ["", "acme:wrong", "nobody:x", "acme"])
async def test_who_is_not_known_is_asked_for_a_password(
    port: int, client: Client, login: str
) -> None:
    refused = await client.connect(port, "repo.example:443", login)
    assert refused.status == 407
    assert 'proxy-authenticate: basic realm="cloudgate", charset="utf-8"' in refused.headers


async def test_a_tenant_without_a_password_cannot_log_in(
    port: int, client: Client, machine: Machine, repository_port: int
) -> None:
    machine.know(tenant(repository_port, password_hash=""))
    assert (await client.connect(port, "repo.example:443", "acme:")).status == 407


async def test_a_target_without_a_right_is_refused_by_name(port: int, client: Client) -> None:
    refused = await client.connect(port, "secret.example:22")
    assert (refused.status, refused.body) == (
        403,
        "The tenant has no right to secret.example:22.\n",
    )


async def test_a_gateway_of_a_pool_is_for_its_tenants_only(
    port: int, client: Client, machine: Machine, repository_port: int
) -> None:
    pool = UUID(int=71)
    await machine.bring(machine.gateway(port, pool_id=pool), GatewayState.LISTENING)
    refused = await client.connect(port, "repo.example:443")
    assert (refused.status, refused.body) == (
        403,
        "This gateway is set apart for others; use another one.\n",
    )
    machine.know(tenant(repository_port, pool_ids=(pool,)))
    tunnel = await client.connect(port, "repo.example:443")
    assert tunnel.status == 200
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    assert (await client.connect(port, "repo.example:443")).status == 403
    assert await tunnel.echoes(), "a live tunnel stays"


async def test_a_disabled_tenant_is_told_so(
    port: int, client: Client, machine: Machine, repository_port: int
) -> None:
    machine.know(tenant(repository_port, enabled=False))
    refused = await client.connect(port, "repo.example:443")
    assert (refused.status, refused.body) == (403, "The tenant is disabled.\n")


async def test_a_repository_that_does_not_answer_is_blamed(port: int, client: Client) -> None:
    refused = await client.connect(port, "dead.example:443")
    assert refused.status == 503
    assert "repository does not answer" in refused.body


async def test_a_repository_without_an_address_is_blamed(port: int, client: Client) -> None:
    refused = await client.connect(port, "nowhere.example:443")
    assert (refused.status, refused.body) == (503, "The name nowhere.invalid has no address.\n")


async def test_what_is_not_connect_learns_what_this_is(port: int, client: Client) -> None:
    answer = await client.ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 404
    assert "cloud gateway" in answer.body


async def test_no_header_of_a_client_chooses_the_address(port: int, client: Client) -> None:
    other = f"127.0.0.1:{free_port()}"
    extra = f"x-envoy-original-dst-host: {other}\r\nx-envoy-original-dst-host: {other}\r\n"
    assert await (await client.connect(port, "repo.example:443", extra=extra)).echoes()


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["h2", "http/1.1"], "http/1.1"), (["h2"], "h2"), (["http/1.1"], "http/1.1")],
)
async def test_http_1_is_preferred_and_h2_is_there(
    port: int, client: Client, offered: list[str], chosen: str
) -> None:
    context = ssl.create_default_context(cadata=client.ca_pem)
    context.set_alpn_protocols(offered)
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
    writer.transport.abort()


async def test_without_an_authorizer_nobody_gets_in(
    port: int, client: Client, machine: Machine
) -> None:
    await machine.server.stop()
    machine.paths.authorizer_socket.unlink()
    refused = await client.connect(port, "repo.example:443")
    assert refused.status == 503
    assert "cannot check passwords" in refused.body


async def last_words(reader: asyncio.StreamReader) -> bytes:
    """What is heard before the end, or before a reset, which is one, too."""
    heard = b""
    with suppress(ConnectionResetError):
        while data := await reader.read(4096):
            heard += data
    return heard


async def test_who_says_nothing_is_cut_but_a_silent_tunnel_is_not(
    port: int, client: Client
) -> None:
    tunnel = await client.connect(port, "repo.example:443")
    context = ssl.create_default_context(cadata=client.ca_pem)
    silent = [
        await asyncio.open_connection("127.0.0.1", port),
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost"),
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost"),
    ]
    silent[2][1].write(b"CONNECT repo")
    async with asyncio.timeout(PATIENCE_SECONDS):
        heard = await asyncio.gather(*(last_words(reader) for reader, _ in silent))
    assert [each[:12] for each in heard] == [b"", b"", b"HTTP/1.1 408"]
    for _, writer in silent:
        writer.transport.abort()
    assert await tunnel.echoes()


async def test_a_password_is_in_no_file(
    port: int, client: Client, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    (await client.connect(port, "repo.example:443")).close()
    await client.connect(port, "other.example:443")
    await client.connect(port, "repo.example:443", f"acme:{PASSWORD}-wrong")
    await client.ask(port, f"GET /{quote(PASSWORD)} HTTP/1.1\r\nHost: x\r\n\r\n")
    lines = await access_lines(machine.paths.access_log, 5)
    assert {each["status"] for each in lines} == {200, 403, 407, 404}
    files = [each for each in machine.paths.state.rglob("*") if each.is_file()]
    texts = [each.read_bytes().decode("utf-8", "replace") for each in files]
    captured = capsys.readouterr()
    spellings = (PASSWORD, quote(PASSWORD), b64encode(f"acme:{PASSWORD}".encode()).decode())
    for text in (*texts, captured.out, captured.err):
        assert not [each for each in spellings if each[:20] in text]


async def test_the_access_log_says_who_reached_what_and_why_not(
    port: int, client: Client, machine: Machine
) -> None:
    tunnel = await client.connect(port, "repo.example:443")
    await tunnel.echoes(b"12345")
    tunnel.close()
    await client.connect(port, "other.example:443")
    begun, *others = await access_lines(machine.paths.access_log, 3)
    ended, refused = sorted(others, key=lambda each: int(str(each["status"])))
    assert begun["type"] == "DownstreamTunnelSuccessfullyEstablished"
    assert (ended["tenant"], ended["target"]) == ("Acme", "repo.example:443")
    assert (ended["bytes_up"], ended["bytes_down"]) == (5, 5)
    assert refused["reason"] == "The tenant has no right to other.example:443."
    for line in (begun, ended, refused):
        assert (line["level"], line["event"]) == ("info", "tunnel"), "as in all other logs"
        assert str(line["timestamp"]) >= str(line["time"])
        assert None not in line.values(), "what there is nothing to say of takes no room"
