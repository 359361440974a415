"""Does all arrive that was said before an end, however slowly the other end takes it?"""

import asyncio
import select
import socket
from pathlib import Path

import pytest

from cloudgate.connector import relay
from cloudgate.connector.socket_options import reset
from cloudgate.connector.tls_connection import Identity
from tests.connector.support import relaying
from tests.support.certificates.authority import Authority
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
DATA = bytes(range(256)) * 32_768
"""More than the system holds for a connection."""
HELD = DATA[:1_500_000]
"""What the system takes of one end, and not of the other, when nobody reads it."""
PIECE, PAUSE_SECONDS = 262_144, 0.1


@pytest.fixture
def lingers_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "LINGER_SECONDS", 1.0)
    monkeypatch.setattr(relay, "_LOOK_SECONDS", 0.02)


@pytest.fixture
def stuck_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "STUCK_SECONDS", 1.0)


@pytest.mark.usefixtures("lingers_shortly")
async def test_what_a_program_said_before_its_end_arrives_over_a_slow_line(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    async with relaying(authority, tmp_path, who) as (gateway, there):
        program, to_tunnel = await asyncio.open_connection("127.0.0.1", there.port)
        to_tunnel.write(DATA)
        to_tunnel.write_eof()
        reader, writer = await gateway.tunnels.get()
        heard = b""
        while len(heard) < len(DATA) and (piece := await reader.read(PIECE)):
            heard += piece
            await asyncio.sleep(PAUSE_SECONDS * len(piece) / PIECE)
        assert heard == DATA
        writer.write(b"answer")
        assert await program.readexactly(6) == b"answer"
        with pytest.raises(ConnectionResetError):
            await program.read()
        to_tunnel.close()


@pytest.mark.usefixtures("lingers_shortly")
async def test_what_a_target_said_before_its_end_arrives_at_a_slow_program_that_still_speaks(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    async with relaying(authority, tmp_path, who) as (gateway, there):
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.connect(("127.0.0.1", there.port))
        program, to_tunnel = await asyncio.open_connection(sock=slow, limit=PIECE // 4)
        _, writer = await gateway.tunnels.get()
        writer.write(DATA)
        writer.close()
        heard = b""
        while piece := await program.read(PIECE):
            heard += piece
            to_tunnel.write(b"more")
            await asyncio.sleep(PAUSE_SECONDS * len(piece) / PIECE)
        to_tunnel.close()
    assert heard == DATA


async def test_a_program_that_resets_throws_no_doubt_on_its_gateway(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    async with relaying(authority, tmp_path, who) as (gateway, there):
        _, to_tunnel = await asyncio.open_connection("127.0.0.1", there.port)
        await gateway.tunnels.get()
        await until_async(lambda: there.ports.traffic.tunnels)
        reset(to_tunnel)
        await until_async(lambda: not there.ports.traffic.tunnels)
        assert not there.fleet.gateways[0].doubted_at


@pytest.mark.usefixtures("lingers_shortly", "stuck_shortly")
async def test_a_gateway_that_takes_nothing_after_a_programs_end_is_cut_and_knows_of_it(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    async with relaying(authority, tmp_path, who) as (gateway, there):
        program, to_tunnel = await asyncio.open_connection("127.0.0.1", there.port)
        to_tunnel.write(HELD)
        to_tunnel.write_eof()
        reader, _ = await gateway.tunnels.get()
        with pytest.raises(ConnectionResetError):
            await program.read()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        to_tunnel.close()


@pytest.mark.usefixtures("lingers_shortly", "stuck_shortly")
async def test_a_program_that_takes_nothing_after_its_targets_end_is_cut(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    async with relaying(authority, tmp_path, who) as (gateway, there):
        with socket.socket() as program:
            program.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            program.connect(("127.0.0.1", there.port))
            _, writer = await gateway.tunnels.get()
            writer.write(HELD)
            writer.close()
            resets = select.poll()
            resets.register(program, 0)  # POLLERR and POLLHUP are told without being asked for
            await until_async(lambda: resets.poll(0))
