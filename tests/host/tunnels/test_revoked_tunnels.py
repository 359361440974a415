"""Do the tunnels end of those who may not be here any more, and of nobody else?"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.host.access_log.record import ReleasedSlot, parse_record, released_slot
from cloudgate.host.access_log.tunnel_metadata import (
    TunnelMetadata,
)
from cloudgate.host.platform import close_connections
from cloudgate.host.tunnels.drain import JITTER_SECONDS
from cloudgate.host.tunnels.eviction import PoolEviction
from cloudgate.protocol import EvictionProgress, GatewayState, Site, User
from tests.support.certificates.authority import Authority
from tests.support.ports import free_port
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import PASSWORD, PASSWORD_HASH, tenant
from tests.support.running.tenant_program import Client, echo_server
from tests.support.waiting import PATIENCE_SECONDS, until_async

REPO = "repo.example:443"
GOLD = UUID(int=71)
pytestmark = pytest.mark.anyio


@pytest.fixture
async def repository() -> AsyncIterator[int]:
    async with echo_server() as port:
        yield port


@pytest.fixture
async def machine(tmp_path: Path, authority: Authority) -> AsyncIterator[Machine]:
    async with running_machine(tmp_path / "state", authority) as running:
        yield running


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"expires_at": datetime.now(UTC) - timedelta(seconds=1)},
        {"tunnels_end_before": datetime.now(UTC) + timedelta(days=1)},
        None,
    ],
    ids=["disabled", "expired", "asked to", "removed"],
)
async def test_a_tenants_tunnels_end_within_seconds_and_no_others(
    machine: Machine, client: Client, repository: int, change: dict[str, object] | None
) -> None:
    port = free_port()
    acme, other = tenant(repository), tenant(repository, tenant_id=UUID(int=2), name="Other")
    machine.know(acme, other)
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    ours = [await client.connect(port, REPO) for _ in range(3)]
    theirs = await client.connect(port, REPO, f"other:{PASSWORD}")
    machine.know(*([] if change is None else [acme.model_copy(update=change)]), other)
    async with asyncio.timeout(PATIENCE_SECONDS):
        for tunnel in ours:
            assert await tunnel.is_cut()
    assert await theirs.echoes()


def test_who_had_filled_the_line_when_it_was_cut_hears_so_at_once() -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        client = socket.create_connection(listening.getsockname())
        gateway, (host, port) = listening.accept()
    with client:
        with gateway:
            client.setblocking(False)
            while _window_bytes(client):
                with suppress(BlockingIOError):
                    client.send(bytes(1000))
            assert close_connections(os.getpid(), [f"{host}:{port}"]) == 1
            with suppress(ConnectionResetError):
                while gateway.recv(1024 * 1024):
                    pass  # as Envoy does before it closes
        client.settimeout(PATIENCE_SECONDS)
        with pytest.raises(ConnectionError):
            client.sendall(bytes(64 * 1024 * 1024))


def _window_bytes(connection: socket.socket) -> int:
    """``tcpi_snd_wnd`` of ``struct tcp_info`` (linux/tcp.h): what the other end has room for."""
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    return int(struct.unpack_from("@I", told, 228)[0])


async def test_a_lease_that_runs_out_ends_its_tunnels(
    machine: Machine, client: Client, repository: int
) -> None:
    port = free_port()
    machine.know(tenant(repository))
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    assert tunnel.status == 200
    machine.know(tenant(repository, expires_at=datetime.now(UTC) + timedelta(seconds=1.5)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await tunnel.is_cut()
    assert (await client.connect(port, REPO)).status == 403


async def test_a_user_of_a_tenant_that_is_removed_loses_its_own_tunnels_only(
    machine: Machine, client: Client, repository: int
) -> None:
    port = free_port()
    acme = tenant(repository)
    anna = User(user_id=UUID(int=9), name="Anna", password_hash=PASSWORD_HASH, targets=acme.targets)
    machine.know(acme.model_copy(update={"users": (anna,)}))
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    hers = await client.connect(port, REPO, f"acme\\anna:{PASSWORD}")
    theirs = await client.connect(port, REPO)
    assert (hers.status, theirs.status) == (200, 200)
    machine.know(acme)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await hers.is_cut()
    assert await theirs.echoes()


async def test_a_gateway_that_is_set_apart_lets_strange_tunnels_finish_until_the_deadline(
    machine: Machine, client: Client, repository: int
) -> None:
    port = free_port()
    machine.know(tenant(repository))
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    apart = gateway.model_copy(update={"pool_id": GOLD})
    await machine.bring(apart, GatewayState.LISTENING)
    assert (await client.connect(port, REPO)).status == 403
    assert await tunnel.echoes()
    machine.site.replace(Site(revision=2, drain="now", drain_seconds=0.5))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await tunnel.is_cut()
    found = await without_a_place(machine, 0)
    assert (found.finished, found.closed) == (0, 1)


async def test_tunnels_without_a_place_are_counted_over_a_restart_of_the_host_service(
    machine: Machine, client: Client, repository: int
) -> None:
    port = free_port()
    machine.know(tenant(repository))
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    finishing, staying = [await client.connect(port, REPO) for _ in range(2)]
    apart = gateway.model_copy(update={"pool_id": GOLD})
    await machine.bring(apart, GatewayState.LISTENING)
    await without_a_place(machine, 2)
    finishing.close()
    await machine.leave()
    await machine.start()
    await machine.found(GatewayState.LISTENING)
    assert await staying.echoes()
    machine.site.replace(Site(revision=3, drain="now", drain_seconds=0))
    assert await staying.is_cut()
    found = await without_a_place(machine, 0)
    assert (found.finished, found.closed) == (1, 1)


async def without_a_place(machine: Machine, tunnels: int) -> EvictionProgress:
    """Wait until so many tunnels have no place, and say what became of the others."""

    def progress() -> EvictionProgress | None:
        found = machine.enforcer.review_eviction()
        return found if found is not None and found.tunnels == tunnels else None

    found = await until_async(progress)
    assert found is not None
    return found


async def test_live_tunnels_are_known_to_the_host_service_that_comes_after(
    tmp_path: Path, authority: Authority, client: Client, repository: int
) -> None:
    async with running_machine(tmp_path / "state", authority) as before:
        port = free_port()
        acme = tenant(repository)
        before.know(acme)
        await before.bring(before.gateway(port), GatewayState.LISTENING)
        tunnel = await client.connect(port, REPO)
        await before.leave()
        async with running_machine(tmp_path / "state", authority) as after:
            await after.found(GatewayState.LISTENING)
            assert await tunnel.echoes()
            after.know(acme.model_copy(update={"enabled": False}))
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await tunnel.is_cut()


def test_what_an_operator_says_later_holds_for_all_tunnels_without_a_place() -> None:
    now = [0.0]
    misplaced = PoolEviction(now_seconds=lambda: now[0])
    assert misplaced.report is None
    assert not misplaced.expired({"a": True, "b": True, "c": False}, "", 3600, 5)
    now[0] = 3000.0
    assert not misplaced.expired({"a": True, "b": True, "c": False}, "", 7200, 6)
    assert set(misplaced.expired({"a": True, "b": True}, "cut", 0, 7)) == {"a", "b"}
    misplaced.mark_closing(["a"])
    again = PoolEviction(misplaced.state, lambda: now[0])
    assert not again.expired({}, "cut", 0, 7)
    expected = EvictionProgress(tunnels=0, finished=1, closed=1, directory_revision=5)
    assert again.report == expected
    again.expired({"d": True}, "cut", 3600, 9)
    assert again.report == EvictionProgress(tunnels=1, finished=0, closed=0, directory_revision=9)
    again.expired({"d": False}, "cut", 3600, 9)
    assert again.report == EvictionProgress(tunnels=0, finished=0, closed=0, directory_revision=9)


def test_the_usual_time_is_over_for_each_tunnel_at_a_moment_of_its_own() -> None:
    now = [0.0]
    misplaced = PoolEviction(now_seconds=lambda: now[0])
    live = {str(number): True for number in range(100)}
    assert not misplaced.expired(live, "", 100, 1)
    now[0] = 99.9
    assert not misplaced.expired(live, "", 100, 1)
    now[0] = 100 + JITTER_SECONDS / 2
    assert 20 < len(misplaced.expired(live, "", 100, 1)) < 80
    now[0] = 100 + JITTER_SECONDS
    assert len(misplaced.expired(live, "", 100, 1)) == 100


def test_a_line_of_the_release_before_is_understood() -> None:
    said = {
        "time": "2026-01-01T00:00:00.000Z",
        "type": "DownstreamEnd",
        "tunnel": "t",
        "place": "abc",
        "restoring": "yes",
        "envoy": "e",
        "tenant": "Acme",
        "tenant_id": str(UUID(int=1)),
        "user_id": "",
        "target": REPO,
        "client": "192.0.2.1:5",
        "status": 200,
        "bytes_up": 1,
        "bytes_down": 2,
        "from_address": None,
    }
    line = json.dumps(said, separators=(",", ":"))
    read = parse_record(line)
    assert read is not None
    assert read.metadata == TunnelMetadata("abc", UUID(int=1), restoring=True)
    assert released_slot(line) == ReleasedSlot("abc", "192.0.2.1:5")


async def test_an_assignment_that_is_lost_ends_no_tunnel_of_its_pool(
    machine: Machine, client: Client, repository: int
) -> None:
    port = free_port()
    machine.know(tenant(repository, pool_ids=(GOLD,)))
    machine.site.replace(Site(revision=2, drain="now", drain_seconds=0))
    await machine.bring(machine.gateway(port, pool_id=GOLD), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    assert await tunnel.echoes()
    await machine.leave()
    for file in machine.paths.state.glob("*assignment.json*"):
        file.unlink()
    await machine.start()
    await machine.envoy.adopt()
    machine.tracker.poll()
    assert machine.tracker.live
    assert machine.enforcer.review_eviction() is None
    assert await tunnel.echoes()
    assert (await client.connect(port, REPO)).status == 503
