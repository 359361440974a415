"""Does a tunnel find the address that lives, of those that a name server names for its target?"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from cloudgate.host.authorization import resolver
from cloudgate.host.envoy.data_path.choice import DataPathKind
from cloudgate.protocol import Target
from tests.support.ports import free_port, silent
from tests.support.running.machine import Machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio
NAME = "several.example:443"
LIMIT_BYTES = 1024 * 1024


class Names:
    """The name server: what it says, in this order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.addresses = ["127.0.0.3", "127.0.0.4"]
        self.servers: dict[str, asyncio.Server] = {}
        self.open: set[asyncio.StreamWriter] = set()
        self.came_bytes = 0
        """Of all tunnels, at all addresses."""

    def find(self, host: str, port: int) -> list[str]:
        assert host == "inside.example"
        return self.addresses

    async def live(self, address: str) -> None:
        """Have a repository at an address, which says first where it is."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.open.add(writer)
            writer.write(address.encode())
            with suppress(ConnectionError):  # of who only wanted to know whether it lives
                while data := await reader.read(65536):
                    self.came_bytes += len(data)
            writer.close()

        self.servers[address] = await asyncio.start_server(serve, address, self.port)

    def die(self, address: str) -> None:
        """Have nobody at an address."""
        self.servers.pop(address).close()


@pytest.fixture(params=[None, LIMIT_BYTES], ids=["unlimited", "limited"])
async def names(
    machine: Machine,
    repository_port: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Names]:
    # Here all addresses are this machine's, which a name may not lead to.
    monkeypatch.setattr(resolver, "is_elsewhere", lambda address, own: True)
    found = Names(free_port())
    monkeypatch.setattr(resolver, "ask_the_system", found.find)
    await machine.leave()
    await machine.start()  # with a resolver that asks this one
    several = Target(endpoint=NAME, address=f"inside.example:{found.port}")
    machine.know(tenant(repository_port, targets=(several,), speed_limit_bytes=request.param))
    yield found
    for server in found.servers.values():
        server.close()
    for writer in found.open:
        writer.transport.abort()
    await asyncio.gather(*(each.wait_closed() for each in found.open), return_exceptions=True)


@pytest.fixture
async def port(names: Names, port: int) -> int:
    del names  # they are there before the gateway is
    return port


async def reached(client: Client, port: int) -> str:
    """The address that a new tunnel leads to."""
    tunnel = await client.connect(port, NAME)
    assert tunnel.status == 200, tunnel.body
    async with asyncio.timeout(PATIENCE_SECONDS):
        return (await tunnel.reader.readexactly(9)).decode()


async def test_a_dead_first_address_hides_no_living_one(
    client: Client, port: int, names: Names
) -> None:
    await names.live("127.0.0.4")
    assert await reached(client, port) == "127.0.0.4"


async def test_the_connection_to_the_address_that_lives_is_found_by_both_of_its_ends(
    machine: Machine, client: Client, port: int, names: Names
) -> None:
    await names.live("127.0.0.4")
    assert await reached(client, port) == "127.0.0.4"
    await machine.hears_of(1)
    assert len(machine.found_by_both_ends()) == 2


async def test_a_silent_first_address_hides_no_living_one(
    client: Client, port: int, names: Names
) -> None:
    await names.live("127.0.0.4")
    with silent("127.0.0.3", names.port):
        assert await reached(client, port) == "127.0.0.4"
        assert await reached(client, port) == "127.0.0.4"


async def test_another_is_tried_in_the_same_tunnel_when_the_one_that_worked_has_died(
    client: Client, port: int, names: Names
) -> None:
    names.addresses = ["127.0.0.3", "127.0.0.5", "127.0.0.4"]
    await names.live("127.0.0.3")
    assert await reached(client, port) == "127.0.0.3"
    await names.live("127.0.0.4")
    names.die("127.0.0.3")
    assert await reached(client, port) == "127.0.0.4"


@pytest.mark.parametrize("names", [LIMIT_BYTES], indirect=True, ids=["limited"])
async def test_a_limit_holds_from_the_first_byte_on_also_behind_a_dead_address(
    client: Client, port: int, names: Names
) -> None:
    await names.live("127.0.0.4")
    tunnel = await client.connect(port, NAME)
    assert tunnel.status == 200
    began = time.monotonic()
    for _ in range(32):
        tunnel.writer.write(bytes(LIMIT_BYTES))
    while (took := time.monotonic() - began) < 2:
        assert names.came_bytes <= 1.5 * LIMIT_BYTES * max(took, 0.5), took
        await asyncio.sleep(0.05)
    await until_async(lambda: names.came_bytes > 0)
    tunnel.close()


@pytest.mark.parametrize("way", list(DataPathKind), indirect=True)
@pytest.mark.parametrize("last", [4, 5, 8])
async def test_where_none_lives_a_tunnel_is_refused_with_the_reason(
    client: Client, port: int, names: Names, last: int
) -> None:
    names.addresses = [f"127.0.0.{each}" for each in range(3, last + 1)]
    refused = await client.connect(port, NAME)
    assert refused.status == 503
    assert "repository does not answer" in refused.body
    assert "retry-after: " in refused.headers
    await names.live("127.0.0.4")
    assert await reached(client, port) == "127.0.0.4"


async def test_an_address_that_a_client_names_in_headers_means_nothing(
    client: Client, port: int, names: Names
) -> None:
    await names.live("127.0.0.4")
    with socket.create_server(("127.0.0.1", 0)) as trap:
        where = f"127.0.0.1:{trap.getsockname()[1]}"
        extra = f"X-Envoy-Original-Dst-Host: {where}\r\nothers: {where}\r\naddress: {where}\r\n"
        tunnel = await client.connect(port, NAME, extra=extra)
        assert tunnel.status == 200
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await tunnel.reader.readexactly(9) == b"127.0.0.4"
