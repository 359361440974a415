"""Is a tenant of a pool let in elsewhere only while the pool's gateways are down?

The gateway is a real one without a pool; the site file is all that it knows of the others.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cloudgate.host.authorization.peer_health import (
    ANSWER_SECONDS,
    FRESH_SECONDS,
    PeerHealthChecker,
)
from cloudgate.protocol import GatewayState, Peer, Site
from tests.support.certificates.authority import Authority
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client

REPO = "repo.example:443"
GOLD, SILVER = UUID(int=71), UUID(int=72)
REFUSED = (403, "This gateway is set apart for others; use another one.\n")
CLIENTS_WAIT_SECONDS = 10.0
"""At the least, for a tunnel."""
pytestmark = pytest.mark.anyio


@pytest.fixture
async def port(machine: Machine, repository_port: int) -> int:
    chosen = free_port()
    pools = (GOLD, SILVER)
    machine.know(tenant(repository_port, pool_ids=pools, failover_to_others=True))
    await machine.bring(machine.gateway(chosen), GatewayState.LISTENING)
    return chosen


def others(machine: Machine, *peers: tuple[int, UUID]) -> None:
    """Have the site consist of these gateways, by port and pool."""
    gateways = tuple(
        Peer(gateway_id=UUID(int=at), name=f"gw{at}", address="127.0.0.1", port=at, pool_id=pool)
        for at, pool in peers
    )
    machine.site.replace(Site(revision=machine.site.revision + 1, gateways=gateways))


def listening(port: int = 0) -> socket.socket:
    """A gateway that is up, as far as others can see."""
    return socket.create_server(("127.0.0.1", port))


@contextmanager
def hanging() -> Iterator[int]:
    """The port of a gateway that takes no connection and refuses none."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        held = []
        try:
            # One is taken in; for more there is no place, and the kernel drops what comes.
            while True:
                each = socket.socket()
                held.append(each)
                each.settimeout(0.3)
                each.connect(listener.getsockname())
        except TimeoutError:
            yield int(listener.getsockname()[1])
        finally:
            for each in held:
                each.close()


async def becomes(client: Client, port: int, status: int) -> None:
    """Wait until a gateway answers otherwise: what it saw counts for a moment."""
    async with asyncio.timeout(FRESH_SECONDS + ANSWER_SECONDS + 2):
        while (await client.connect(port, REPO)).status != status:
            pass


async def test_a_gateway_lets_in_while_those_of_the_pool_are_gone_and_not_when_one_is_back(
    machine: Machine, client: Client, port: int
) -> None:
    with listening() as gold:
        number = gold.getsockname()[1]
        others(machine, (number, GOLD))
        refused = await client.connect(port, REPO)
        assert (refused.status, refused.body) == REFUSED
    await becomes(client, port, 200)
    with listening(number):
        await becomes(client, port, 403)


async def test_one_gateway_of_one_pool_that_is_up_is_enough_to_refuse(
    machine: Machine, client: Client, port: int
) -> None:
    with listening() as silver:
        others(machine, (free_port(), GOLD), (silver.getsockname()[1], SILVER))
        assert (await client.connect(port, REPO)).status == 403


@asynccontextmanager
async def behind_a_router(
    machine: Machine, name: str, folder: Path, authority: Authority
) -> AsyncIterator[None]:
    """The site has one gateway of the pool, which only answers inside: with this certificate."""
    context = authority.server_context(folder, name)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    outside = Peer(
        gateway_id=UUID(int=9),
        name="gw9.example",
        address="127.0.0.1",
        port=free_port(),
        pool_id=GOLD,
        inside_addresses=("127.0.0.2", "127.0.0.1"),
        inside_port=server.sockets[0].getsockname()[1],
    )
    machine.site.replace(Site(revision=machine.site.revision + 1, gateways=(outside,)))
    try:
        yield
    finally:
        server.close()


@pytest.mark.parametrize(
    ("name", "status"),
    [("gw9.example", 403), ("*.example", 403), ("127.0.0.1", 403), ("gw8.example", 200)],
)
async def test_a_gateway_that_answers_inside_is_up_and_another_in_its_place_is_not(
    machine: Machine,
    client: Client,
    port: int,
    tmp_path: Path,
    authority: Authority,
    *,
    name: str,
    status: int,
) -> None:
    async with behind_a_router(machine, name, tmp_path, authority):
        assert (await client.connect(port, REPO)).status == status
    await becomes(client, port, 200)


async def test_a_gateway_does_not_take_itself_for_another_one(
    tmp_path: Path, authority: Authority
) -> None:
    context = authority.server_context(tmp_path, "*.example")
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    peer = Peer(
        gateway_id=UUID(int=9),
        name="gw9.example",
        address="127.0.0.1",
        port=free_port(),
        inside_addresses=("127.0.0.1",),
        inside_port=server.sockets[0].getsockname()[1],
    )
    assert not await PeerHealthChecker(own=lambda: ()).all_down([peer])
    assert await PeerHealthChecker(own=lambda: ("127.0.0.1",)).all_down([peer])
    server.close()


async def test_gateways_of_other_pools_do_not_count(
    machine: Machine, client: Client, port: int
) -> None:
    with listening() as stranger:
        others(machine, (free_port(), GOLD), (stranger.getsockname()[1], UUID(int=73)))
        tunnel = await client.connect(port, REPO)
        assert tunnel.status == 200
        assert await tunnel.echoes()


async def test_a_gateway_that_hangs_counts_as_down_in_time(
    machine: Machine, client: Client, port: int
) -> None:
    with hanging() as number:
        others(machine, (number, GOLD), (free_port(), SILVER))
        began = time.monotonic()
        tunnel = await client.connect(port, REPO)
        took = time.monotonic() - began
    assert tunnel.status == 200
    assert 0.8 * ANSWER_SECONDS < took < CLIENTS_WAIT_SECONDS


async def test_who_may_not_fail_over_is_refused_though_all_are_gone(
    machine: Machine, client: Client, port: int, repository_port: int
) -> None:
    machine.know(tenant(repository_port, pool_ids=(GOLD,)))
    others(machine, (free_port(), GOLD))
    refused = await client.connect(port, REPO)
    assert (refused.status, refused.body) == REFUSED


async def test_a_name_that_can_be_no_hosts_is_of_no_gateway_that_is_up() -> None:
    peer = Peer(gateway_id=GOLD, name="gw", address=f"{'x' * 64}.example", port=443)
    assert await PeerHealthChecker().all_down([peer])


NAMED = Peer(gateway_id=GOLD, name="gw", address="gw.example", port=443)


@pytest.mark.parametrize(
    ("number", "is_down"),
    [
        (socket.EAI_AGAIN, False),
        (socket.EAI_FAIL, False),
        (socket.EAI_MEMORY, False),
        (socket.EAI_NONAME, True),
    ],
)
async def test_a_gateway_is_not_down_because_no_name_server_answers(
    monkeypatch: pytest.MonkeyPatch, number: int, *, is_down: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "it fails")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert await PeerHealthChecker(own=lambda: ()).all_down([NAMED]) is is_down


async def test_a_gateway_is_not_down_because_a_name_server_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_answer = threading.Event()
    usual = socket.getaddrinfo

    def hang(host: str, *more: Any, **others: Any) -> Any:
        if host != "gw.example":
            return usual(host, *more, **others)
        may_answer.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "it fails")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    refusing = NAMED.model_copy(
        update={"inside_addresses": ("127.0.0.1",), "inside_port": free_port()}
    )
    try:
        for peer in (NAMED, refusing):
            assert not await PeerHealthChecker(own=lambda: ()).all_down([peer])
    finally:
        may_answer.set()
