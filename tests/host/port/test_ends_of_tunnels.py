"""What does the end of one side's direction cause at the other side of a gateway?

Pinned as Envoy has it, because docs/connector.md and the connector rely on it: in HTTP/1.1 the end
of either direction is the end of the tunnel; in HTTP/2 a client may end its own and still listen.
A target's reset is the client's, which in HTTP/1.1 without the module is the host service's doing.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from cloudgate.host.envoy.data_path.choice import DataPathKind
from cloudgate.protocol import GatewayState, Target
from tests.host.port.held_repository import held_repository, reset
from tests.host.port.http2 import CUT, ENDED, FIRST_WINDOW_BYTES, End, Http2
from tests.support.observation.resident_memory import resident_kib
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client, Tunnel, fill
from tests.support.waiting import PATIENCE_SECONDS, until_async

REPO = "repo.example:443"
DATA = os.urandom(300_000)
BOTH_WAYS = True
UNTAKEN_BYTES = "http.gateway.downstream_cx_tx_bytes_buffered"
STALLED = 100
MOST_KIB_OF_A_STALLED_TUNNEL = 400
pytestmark = pytest.mark.anyio


@dataclass
class Repository:
    """The target's end of one tunnel."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def heard(self) -> End:
        """All that comes, and how it ended."""
        return await _heard(self.reader)


async def _heard(reader: asyncio.StreamReader) -> End:
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            return await reader.read(), ENDED
        except (ConnectionError, ssl.SSLError):
            return b"", CUT


@dataclass
class Setting:
    """A gateway, and a repository that does what the test says."""

    client: Client
    port: int
    way: DataPathKind
    came: "asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]"

    async def http1(self) -> tuple[Tunnel, Repository]:
        """Both ends of a tunnel in HTTP/1.1."""
        tunnel = await self.client.connect(self.port, REPO)
        assert tunnel.status == 200
        return tunnel, Repository(*await self.came.get())

    @asynccontextmanager
    async def http2(
        self, window_bytes: int = 2**31 - 1
    ) -> "AsyncIterator[tuple[Http2, Repository]]":
        """Both ends of a tunnel in HTTP/2."""
        tunnel = await Http2.to(self.port, self.client)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await tunnel.ask(REPO, window_bytes)
                yield tunnel, Repository(*await self.came.get())
        finally:
            tunnel.close()


@pytest.fixture
async def setting(machine: Machine, client: Client, way: DataPathKind) -> AsyncIterator[Setting]:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    async with held_repository() as (repository, came):
        machine.know(tenant(repository))
        yield Setting(client, port, way, came)


def end_sending(writer: asyncio.StreamWriter) -> None:
    """Say that nothing more will come, and go on listening: what TLS 1.3 allows, but not asyncio.

    The kernel's FIN, without a close_notify.
    """
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as copy:
        copy.shutdown(socket.SHUT_WR)


async def test_in_http_1_the_end_of_the_clients_direction_ends_a_tunnel(setting: Setting) -> None:
    tunnel, repository = await setting.http1()
    tunnel.writer.write(DATA)
    assert await repository.reader.readexactly(len(DATA)) == DATA
    end_sending(tunnel.writer)
    assert await repository.heard() == (b"", ENDED)
    repository.writer.write(b"the answer comes too late")
    # As an end or as a cut: that depends on what Envoy had read of the client's goodbye by then.
    answer, _ = await _heard(tunnel.reader)
    assert answer == b""


async def test_a_drain_leaves_the_end_of_a_tunnel_to_who_takes_it_slowly(
    setting: Setting, machine: Machine
) -> None:
    tunnel, repository = await setting.http1()
    closed = machine.gateway(setting.port, accepting=False)
    await machine.bring(closed, GatewayState.DRAINING)
    piece, said_bytes = bytes(16 * 1024), 0
    # Until all that is between the two is full, and something lies in Envoy.
    while not (await machine.admin.counters(UNTAKEN_BYTES)).get(UNTAKEN_BYTES):
        repository.writer.write(piece)
        await repository.writer.drain()
        said_bytes += len(piece)
        if setting.way is DataPathKind.MODULE and said_bytes > len(DATA):
            break  # which lets go of a target only when its client has all
    repository.writer.close()
    if setting.way is DataPathKind.HTTP:
        await until_async(lambda: _has_no_target(machine))
        while not machine.outcomes.empty():
            machine.outcomes.get_nowait()
        for _ in range(3):
            assert (await machine.outcomes.get()).state is GatewayState.DRAINING
    rest, end = await _heard(tunnel.reader)
    assert (len(rest), end) == (said_bytes, ENDED)
    await machine.found(GatewayState.CLOSED)


async def _has_no_target(machine: Machine) -> bool:
    return await machine.admin.live_tunnels() == 0


async def test_in_http_1_all_that_a_client_sent_before_it_closed_arrives(setting: Setting) -> None:
    tunnel, repository = await setting.http1()
    tunnel.writer.write(DATA)
    tunnel.writer.close()
    assert await repository.heard() == (DATA, ENDED)


async def test_in_http_1_a_client_that_resets_looks_like_an_end_to_the_target_without_the_module(
    setting: Setting,
) -> None:
    tunnel, repository = await setting.http1()
    reset(tunnel.writer)
    assert await repository.heard() == (b"", CUT if setting.way is DataPathKind.MODULE else ENDED)


async def test_in_http_1_all_that_a_target_sent_before_its_end_arrives_and_the_tunnel_ends(
    setting: Setting,
) -> None:
    tunnel, repository = await setting.http1()
    repository.writer.write(DATA)
    repository.writer.write_eof()
    assert await _heard(tunnel.reader) == (DATA, ENDED)
    assert await repository.heard() == (b"", ENDED)


async def test_in_http_1_a_target_that_resets_is_a_reset_for_the_client(setting: Setting) -> None:
    tunnel, repository = await setting.http1()
    repository.writer.write(b"begun")
    assert await tunnel.reader.readexactly(5) == b"begun"
    reset(repository.writer)
    assert await _heard(tunnel.reader) == (b"", CUT)


async def test_a_target_that_resets_is_no_reset_for_others_with_tunnels_to_it(
    setting: Setting,
) -> None:
    tunnel, repository = await setting.http1()
    others = [await setting.http1() for _ in range(3)]
    reset(repository.writer)
    assert await _heard(tunnel.reader) == (b"", CUT)
    for other, its_repository in others:
        its_repository.writer.write(b"goes on")
        assert await other.reader.readexactly(7) == b"goes on"


async def test_in_http_2_a_client_ends_its_direction_and_still_gets_the_answer(
    setting: Setting,
) -> None:
    async with setting.http2() as (tunnel, repository):
        tunnel.send(b"question", last=True)
        assert await repository.heard() == (b"question", ENDED)
        repository.writer.write(DATA)
        repository.writer.write_eof()
        assert await tunnel.heard() == (DATA, ENDED)


async def test_in_http_2_too_a_tunnels_connections_are_found_by_both_of_their_ends(
    machine: Machine, setting: Setting
) -> None:
    async with setting.http2() as _:
        await machine.hears_of(1)
        assert len(machine.found_by_both_ends()) == 2


@pytest.mark.parametrize("whole_connection", [False, True])
async def test_in_http_2_a_client_that_gives_up_looks_like_an_end_to_the_target(
    setting: Setting, whole_connection: bool
) -> None:
    async with setting.http2() as (tunnel, repository):
        if whole_connection:
            reset(tunnel.writer)
        else:
            tunnel.reset()
        assert await repository.heard() == (b"", ENDED)


async def test_in_http_2_all_that_a_target_sent_before_its_end_arrives_with_a_large_window(
    setting: Setting,
) -> None:
    async with setting.http2() as (tunnel, repository):
        repository.writer.write(DATA)
        repository.writer.write_eof()
        assert await tunnel.heard() == (DATA, ENDED)
        assert await repository.heard() == (b"", ENDED)


async def test_in_http_2_what_the_window_holds_back_when_a_target_ends_is_lost_and_said_to_be(
    setting: Setting,
) -> None:
    async with setting.http2(FIRST_WINDOW_BYTES) as (tunnel, repository):
        repository.writer.write(DATA)
        repository.writer.write_eof()
        data, end = await tunnel.heard()
        assert end == CUT
        assert DATA.startswith(data)
        assert len(data) < len(DATA)


async def test_in_http_2_a_target_that_resets_is_a_reset_for_the_client(setting: Setting) -> None:
    async with setting.http2() as (tunnel, repository):
        tunnel.send(b"question", last=True)
        assert await repository.heard() == (b"question", ENDED)
        reset(repository.writer)
        assert await tunnel.heard() == (b"", CUT)


async def test_in_http_2_a_name_with_an_underscore_is_a_target_as_any_other(
    machine: Machine, setting: Setting
) -> None:
    usual = machine.directory.by_id(tenant(1).tenant_id)
    assert usual is not None
    named = Target(endpoint="my_host.example:443", address=usual.targets[0].address)
    machine.know(usual.model_copy(update={"targets": (named,)}))
    tunnel = await Http2.to(setting.port, setting.client)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await tunnel.ask("my_host.example:443", 2**31 - 1)
        await setting.came.get()
    tunnel.close()


async def test_clients_that_stop_reading_cost_little_memory_and_others_go_on(
    machine: Machine, client: Client, setting: Setting, repository_port: int
) -> None:
    pid = machine.envoys.pid
    assert pid is not None
    stuck = machine.directory.by_id(tenant(1).tenant_id)
    assert stuck is not None
    well = Target(endpoint="well.example:443", address=f"127.0.0.1:{repository_port}")
    machine.know(stuck.model_copy(update={"targets": (*stuck.targets, well)}))
    before = resident_kib(pid)
    ends = [await setting.http1() for _ in range(STALLED)]
    for tunnel, _ in ends:
        # The kernel holds little at either end, so that all is full soon.
        _buffer_little(tunnel.writer, socket.SO_RCVBUF)
        tunnel.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is one to read
    await fill([repository.writer for _, repository in ends])
    assert (resident_kib(pid) - before) / STALLED < MOST_KIB_OF_A_STALLED_TUNNEL
    assert await (await client.connect(setting.port, "well.example:443")).echoes()


def _buffer_little(writer: asyncio.StreamWriter, option: int) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, 64 * 1024)
