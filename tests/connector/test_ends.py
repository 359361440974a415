"""Is the end of each direction passed on, and a cut never taken for an end?"""

import asyncio
import contextlib
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudgate.connector.balancer import Balancer
from cloudgate.connector.local_listeners import LocalListeners
from cloudgate.connector.settings import Forward
from cloudgate.connector.socket_options import reset
from cloudgate.connector.tls_connection import identity
from cloudgate.network.hostport import HostPort
from cloudgate.protocol import GatewayState, Target
from tests.support.certificates.authority import Authority
from tests.support.machine.loops import UVLOOP
from tests.support.ports import free_port
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.waiting import PATIENCE_SECONDS, until_async

TARGET = HostPort("repo.example", 443)
UNDERSCORED = HostPort("my_repo.example", 443)
DATA = os.urandom(2_000_000)
DIGEST = hashlib.sha256(DATA).digest()


@pytest.fixture
def anyio_backend() -> object:
    return UVLOOP


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


class Repository:
    """A target: it says the greeting and ends, or answers with the digest once it heard the end."""

    def __init__(self) -> None:
        self.greeting = b""
        self.beginning = b""
        self.resets = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.beginning)
        if self.resets:
            await reader.readexactly(1)
            reset(writer)
        elif self.greeting:
            writer.write(self.greeting)
            writer.write_eof()
            with contextlib.suppress(ConnectionError):  # what still comes, Envoy drops
                await reader.read()
        else:
            writer.write(hashlib.sha256(await reader.read()).digest())
        writer.close()


@dataclass
class Setting:
    """A gateway, a repository behind it, and a connector before it."""

    machine: Machine
    repository: Repository
    fleet: Balancer
    ports: LocalListeners
    port: int
    gateway: int
    ca_file: Path

    @asynccontextmanager
    async def local(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A program that came to the local port."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield reader, writer
        writer.close()

    async def tunnels_end(self) -> None:
        await until_async(lambda: not self.ports.traffic.tunnels)


@asynccontextmanager
async def setting(
    folder: Path, authority: Authority, *, half_close: bool, target: HostPort = TARGET
) -> AsyncIterator[Setting]:
    async with AsyncExitStack() as stack:
        repository = Repository()
        server = await asyncio.start_server(repository.serve, "127.0.0.1", 0)
        stack.callback(server.close)
        machine = await stack.enter_async_context(running_machine(folder / "state", authority))
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        machine.know(tenant(1, targets=(Target(endpoint=str(target), address=address),)))
        gateway = free_port()
        await machine.bring(machine.gateway(gateway), GatewayState.LISTENING)
        (folder / "ca.pem").write_text(authority.pem)
        who = identity("acme", PASSWORD, folder / "ca.pem", None)
        fleet = Balancer([HostPort("localhost", gateway)], who, half_close=half_close)
        ports = LocalListeners(fleet)
        stack.push_async_callback(ports.close)
        port = await ports.listen(Forward(HostPort("127.0.0.1", 0), target))
        yield Setting(machine, repository, fleet, ports, port, gateway, folder / "ca.pem")


@pytest.mark.anyio
async def test_what_the_program_ends_is_ended_for_the_target_and_the_answer_comes(
    tmp_path: Path, authority: Authority
) -> None:
    async with setting(tmp_path, authority, half_close=True) as there:
        async with there.local() as (reader, writer):
            writer.write(DATA)
            writer.write_eof()
            assert await reader.read() == DIGEST
        await there.tunnels_end()


@pytest.mark.anyio
async def test_a_target_with_an_underscore_is_asked_for_in_the_http_that_has_such_names(
    tmp_path: Path, authority: Authority
) -> None:
    async with setting(tmp_path, authority, half_close=False, target=UNDERSCORED) as there:
        there.repository.greeting = DATA
        async with there.local() as (reader, _):
            assert await reader.read() == DATA


@pytest.mark.anyio
@pytest.mark.parametrize("half_close", [False, True])
async def test_all_that_a_target_sent_before_its_end_reaches_a_slow_program_that_still_speaks(
    tmp_path: Path, authority: Authority, *, half_close: bool
) -> None:
    async with setting(tmp_path, authority, half_close=half_close) as there:
        there.repository.greeting = DATA * 8
        found = hashlib.sha256()
        async with there.local() as (reader, writer):
            writer.write(b"question")
            while data := await reader.read(400_000):
                found.update(data)
                writer.write(b"more")
                await asyncio.sleep(0.01)
        assert found.digest() == hashlib.sha256(DATA * 8).digest()
        await there.tunnels_end()


@pytest.mark.anyio
async def test_a_tunnel_in_http2_outlives_that_its_gateway_drains(
    tmp_path: Path, authority: Authority
) -> None:
    async with setting(tmp_path, authority, half_close=True) as there, there.local() as local:
        reader, writer = local
        writer.write(DATA[:1000])
        await until_async(lambda: there.fleet.used)
        await there.machine.bring(None, GatewayState.DRAINING)
        for at in range(1000, len(DATA), 100_000):
            writer.write(DATA[at : at + 100_000])
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.write_eof()
        assert await reader.read() == DIGEST


@pytest.mark.anyio
@pytest.mark.parametrize("half_close", [False, True])
async def test_a_cut_is_a_reset_for_the_program_and_no_end(
    tmp_path: Path, authority: Authority, *, half_close: bool
) -> None:
    async with setting(tmp_path, authority, half_close=half_close) as there:
        async with there.local() as (reader, writer):
            writer.write(b"begun")
            await until_async(lambda: there.ports.traffic.bytes_up)
            there.machine.kill_envoy()
            with pytest.raises(ConnectionResetError):
                await reader.read()
        await there.tunnels_end()


@pytest.mark.anyio
@pytest.mark.parametrize("half_close", [True, False], ids=["HTTP/2", "HTTP/1.1"])
async def test_a_target_that_resets_is_a_reset_for_the_program(
    tmp_path: Path, authority: Authority, half_close: bool
) -> None:
    async with setting(tmp_path, authority, half_close=half_close) as there:
        there.repository.resets = True
        async with there.local() as (reader, writer):
            writer.write(b"question")
            with pytest.raises(ConnectionResetError):
                await reader.read()
        await there.tunnels_end()


@pytest.mark.anyio
async def test_an_answer_that_falls_silent_after_the_programs_end_is_a_reset_and_no_end(
    tmp_path: Path, authority: Authority
) -> None:
    # In HTTP/1.1 the target is not told of the end, and waits for it.
    async with setting(tmp_path, authority, half_close=False) as there:
        there.repository.beginning = DATA[:1000]
        async with there.local() as (reader, writer):
            writer.write(b"question")
            writer.write_eof()
            assert await reader.readexactly(1000) == DATA[:1000]
            with pytest.raises(ConnectionResetError):
                await reader.read()
        await there.tunnels_end()


@asynccontextmanager
async def standard_streams(
    there: Setting, *options: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`cloudgate connect -W`, as ssh would run it."""
    words = ("--tenant", "acme", "--ca", str(there.ca_file), *options, "-W", str(TARGET))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cloudgate", "connect", f"localhost:{there.gateway}", *words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "CLOUDGATE_TENANT_PASSWORD": PASSWORD},
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.anyio
async def test_the_end_of_standard_input_is_the_end_for_the_target_and_the_answer_comes(
    tmp_path: Path, authority: Authority
) -> None:
    async with (
        setting(tmp_path, authority, half_close=True) as there,
        standard_streams(there, "--half-close") as process,
    ):
        answer, complaint = await process.communicate(DATA)
    assert (answer, complaint, process.returncode) == (DIGEST, b"", 0)


@pytest.mark.anyio
async def test_a_cut_of_standard_streams_is_said_and_is_no_success(
    tmp_path: Path, authority: Authority
) -> None:
    async with (
        setting(tmp_path, authority, half_close=True) as there,
        standard_streams(there, "--half-close") as process,
    ):
        there.repository.resets = True
        assert process.stdin is not None
        process.stdin.write(b"question")
        _, complaint = await process.communicate()
    assert process.returncode == 1
    assert complaint.startswith(b"Error: The tunnel to repo.example:443 was cut")


@pytest.mark.anyio
async def test_standard_output_that_nobody_reads_any_more_is_said_in_words(
    tmp_path: Path, authority: Authority
) -> None:
    async with setting(tmp_path, authority, half_close=False) as there:
        there.repository.greeting = DATA * 8
        reading, writing = os.pipe()
        words = ("--tenant", "acme", "--ca", str(there.ca_file), "-W", str(TARGET))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cloudgate", "connect", f"localhost:{there.gateway}", *words),
            stdin=subprocess.PIPE,
            stdout=writing,
            stderr=subprocess.PIPE,
            env={**os.environ, "CLOUDGATE_TENANT_PASSWORD": PASSWORD},
        )
        os.close(writing)
        os.close(reading)
        _, complaint = await process.communicate()
    assert process.returncode == 1
    said = rb"Error: The tunnel to repo.example:443 was cut: (Connection lost|Broken pipe)\.\n"
    assert re.fullmatch(said, complaint), complaint


@pytest.mark.anyio
async def test_standard_streams_say_what_helps_when_an_answer_falls_silent(
    tmp_path: Path, authority: Authority
) -> None:
    async with (
        setting(tmp_path, authority, half_close=False) as there,
        standard_streams(there) as process,
    ):
        there.repository.beginning = b"begun"
        answer, complaint = await process.communicate(b"question")
    assert (answer, process.returncode) == (b"begun", 1)
    assert b"was cut: nothing came for 5 seconds" in complaint
    assert b"--half-close" in complaint
