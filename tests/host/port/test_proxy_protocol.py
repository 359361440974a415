"""Is a load balancer believed, and nobody else, about whom a connection is for?"""

import asyncio
import shutil
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.authorization import resolver
from cloudgate.host.envoy.data_path.choice import DataPathKind
from cloudgate.host.manager_link.query_handler import QueryHandler
from cloudgate.protocol import GatewayState, Question, Refusal, Target
from tests.support.ports import free_port, refuses
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client, Tunnel
from tests.support.waiting import until_async

REPO = "repo.example:443"
TRUSTED = ("127.0.0.2/32",)
BALANCER, STRANGER = "127.0.0.2", "127.0.0.3"
CUSTOMER = "192.0.2.7"
pytestmark = pytest.mark.anyio

V1 = f"PROXY TCP4 {CUSTOMER} 127.0.0.1 40000 6180\r\n".encode()
V2 = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11"
    + struct.pack("!H", 12)
    + socket.inet_aton(CUSTOMER)
    + socket.inet_aton("127.0.0.1")
    + struct.pack("!HH", 40000, 6180)
)
V2_LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"


@pytest.fixture
async def port(machine: Machine) -> int:
    """Of a gateway that believes one load balancer."""
    found = free_port()
    await machine.bring(machine.gateway(found, proxy_networks=TRUSTED), GatewayState.LISTENING)
    return found


async def connect(
    client: Client, port: int, header: bytes, source: str, login: str = f"acme:{PASSWORD}"
) -> Tunnel:
    """CONNECT with something in front of the TLS handshake."""
    listener = await asyncio.start_server(
        lambda reader, writer: _relay(reader, writer, port, header, source), "127.0.0.1", 0
    )
    async with listener:
        return await client.connect(listener.sockets[0].getsockname()[1], REPO, login)


async def _relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    port: int,
    header: bytes,
    source: str,
) -> None:
    to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    to_writer.write(header)

    async def copy(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
        try:
            while data := await one.read(65536):
                other.write(data)
                await other.drain()
        except ConnectionError:
            pass
        finally:
            other.transport.abort()

    await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_behind_a_load_balancer_it_is_the_customers_address_that_counts(
    machine: Machine, client: Client, port: int, repository_port: int, header: bytes
) -> None:
    machine.know(tenant(repository_port, networks=(f"{CUSTOMER}/32",)))
    tunnel = await connect(client, port, header, BALANCER)
    assert tunnel.status == 200, tunnel.body
    assert await tunnel.echoes()
    machine.know(tenant(repository_port, networks=("198.51.100.0/24",)))
    refused = await connect(client, port, header, BALANCER)
    assert refused.status == 403
    assert refused.body.startswith(f"The tenant may not come from {CUSTOMER}:")
    assert await tunnel.echoes()


async def test_behind_a_load_balancer_a_tunnels_connections_are_found_by_both_of_their_ends(
    machine: Machine, client: Client, port: int
) -> None:
    assert (await connect(client, port, V2, BALANCER)).status == 200
    await machine.hears_of(1)
    assert len(machine.found_by_both_ends()) == 2


async def test_where_no_address_of_a_target_answers_a_tunnel_goes_to_none_that_the_header_names(
    machine: Machine, client: Client, repository_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Here all addresses are this machine's, which a name may not lead to.
    monkeypatch.setattr(resolver, "is_elsewhere", lambda address, own: True)
    dead = ["127.0.0.3", "127.0.0.4"]
    monkeypatch.setattr(resolver, "ask_the_system", lambda host, port: dead)
    await machine.leave()
    await machine.start()  # with a resolver that asks this one
    several = Target(endpoint=REPO, address=f"inside.example:{free_port()}")
    machine.know(tenant(repository_port, targets=(several,)))
    port = free_port()
    await machine.bring(machine.gateway(port, proxy_networks=TRUSTED), GatewayState.LISTENING)
    header = f"PROXY TCP4 {CUSTOMER} 127.0.0.1 40000 {repository_port}\r\n".encode()
    refused = await connect(client, port, header, BALANCER)
    assert refused.status == 503
    assert "repository does not answer" in refused.body


async def test_nobody_else_is_believed_and_the_reason_is_said(
    machine: Machine, client: Client, port: int, repository_port: int
) -> None:
    machine.know(tenant(repository_port, networks=(f"{CUSTOMER}/32",)))
    for header in (V1, V2):
        refused = await connect(client, port, header, STRANGER)
        assert refused.status == 403
        assert refused.body == (
            "127.0.0.3 may not say to this gateway by PROXY protocol for whom it asks.\n"
        )
    assert machine.authorizer.meter.refused[Refusal.PROXY] == 2
    assert not machine.guesses.pending()


async def test_who_comes_directly_needs_no_header_and_cannot_forge_where_from(
    machine: Machine, client: Client, port: int
) -> None:
    assert (await client.connect(port, REPO, source=STRANGER)).status == 200
    assert (await client.connect(port, REPO, source=BALANCER)).status == 200
    forged = f"x-cloudgate-connection: {BALANCER}:1\r\n"
    assert (await client.connect(port, REPO, source=STRANGER, extra=forged)).status == 200
    both = await connect(client, port, V1, STRANGER)
    assert both.status == 403
    assert (await connect(client, port, V2_LOCAL, BALANCER)).status == 200


@pytest.mark.parametrize("way", list(DataPathKind), indirect=True)
async def test_a_gateway_without_the_option_hangs_up_on_a_header(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
        await connect(client, port, V1, BALANCER)


@pytest.mark.parametrize("way", list(DataPathKind), indirect=True)
async def test_no_tunnel_is_cut_when_the_option_comes_changes_and_goes(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    live = [await client.connect(port, REPO)]
    for networks in (TRUSTED, ("127.0.0.0/24",), ()):
        await machine.bring(machine.gateway(port, proxy_networks=networks), GatewayState.LISTENING)
        live.append(await client.connect(port, REPO))
    assert all(await asyncio.gather(*(each.echoes() for each in live)))


async def test_tunnels_through_a_load_balancer_end_like_all_others(
    machine: Machine, client: Client, port: int, repository_port: int
) -> None:
    tunnel = await connect(client, port, V1, BALANCER)
    direct = await client.connect(port, REPO)
    queries = QueryHandler(machine.tracker, machine.enforcer._closer)
    await machine.hears_of(2)
    answer = queries.answer(Question(question="which"))
    assert answer is not None
    assert f"{CUSTOMER}:40000" in [each.client for each in answer.tunnels]
    narrow = {"networks": ("127.0.0.0/8",), "outside_end_before": datetime.now(UTC)}
    machine.know(tenant(repository_port, **narrow))
    assert await tunnel.is_cut(), "it came from elsewhere"
    assert await direct.echoes()
    machine.know(tenant(repository_port, enabled=False))
    assert await direct.is_cut()


async def test_one_load_balancer_is_not_too_many_connections(
    machine: Machine, client: Client
) -> None:
    await machine.leave()
    machine.connections_per_address = 2
    await machine.start()
    port = free_port()
    await machine.bring(machine.gateway(port, proxy_networks=TRUSTED), GatewayState.LISTENING)
    tunnels = [await connect(client, port, V1, BALANCER) for _ in range(4)]
    assert [each.status for each in tunnels] == [200] * 4
    assert all(await asyncio.gather(*(each.echoes() for each in tunnels)))


@asynccontextmanager
async def haproxy(folder: Path, gateway: int, version: str) -> AsyncIterator[int]:
    """A real load balancer in front of a gateway; its port."""
    port = free_port()
    file = folder / "haproxy.cfg"
    file.write_text(
        "defaults\n mode tcp\n timeout connect 30s\n timeout client 1h\n timeout server 1h\n"
        f"listen front\n bind 127.0.0.1:{port}\n"
        f" server gateway 127.0.0.1:{gateway} {version} source {BALANCER}\n"
    )
    process = await asyncio.create_subprocess_exec("haproxy", "-db", "-f", str(file))
    try:

        async def listens() -> bool:
            return not await refuses(port)

        await until_async(listens)
        yield port
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="apt-get install haproxy")
@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
async def test_haproxy_in_front_hands_on_where_the_customer_comes_from(
    machine: Machine, client: Client, repository_port: int, tmp_path: Path, version: str
) -> None:
    machine.know(tenant(repository_port, networks=("127.0.0.9/32",)))
    port = free_port()
    await machine.bring(machine.gateway(port, proxy_networks=TRUSTED), GatewayState.LISTENING)
    async with haproxy(tmp_path, port, version) as front:
        tunnel = await client.connect(front, REPO, source="127.0.0.9")
        assert tunnel.status == 200, tunnel.body
        assert await tunnel.echoes()
        refused = await client.connect(front, REPO, source="127.0.0.8")
        assert refused.status == 403
        assert refused.body.startswith("The tenant may not come from 127.0.0.8:")


def test_a_line_of_the_log_says_whom_a_tunnel_is_for() -> None:
    known = TunnelMetadata("abc", tenant(1).tenant_id, came_from="[2001:db8::1]:4711")
    assert TunnelMetadata.read(str(known)) == known
