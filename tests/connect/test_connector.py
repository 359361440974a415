"""Does a tenant get in by the connector, whatever becomes of the gateways?"""

import asyncio
import hashlib
import os
import pty
import re
import signal
import socket
import ssl
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.assignment import GatewayState, Peer, Site
from cloudgate.connect import line
from cloudgate.connect.choosing import Gateway, in_order, renewed
from cloudgate.connect.fleet import Fleet
from cloudgate.connect.line import Identity, identity
from cloudgate.connect.ports import Ports
from cloudgate.connect.relay import Traffic
from cloudgate.connect.run import live_line
from cloudgate.connect.settings import (
    Address,
    Forward,
    Wanted,
    read_address,
    read_file,
    read_forward,
)
from cloudgate.connect.sockets import tune
from cloudgate.connect.tunnel import read_document
from cloudgate.errors import CloudgateError, InvalidRequestError, NotAuthenticatedError
from tests.gateway.support import (
    PASSWORD,
    PATIENCE_SECONDS,
    Authority,
    Machine,
    echo_server,
    free_port,
    running_machine,
    tenant,
)

TARGET = Address("repo.example", 443)
ALLOWED = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
A, B = Address("a", 1), Address("b", 2)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca_file(tmp_path: Path, authority: Authority) -> Path:
    file = tmp_path / "ca.pem"
    file.write_text(authority.pem)
    return file


@pytest.fixture
def who(ca_file: Path) -> Identity:
    return identity("acme", PASSWORD, ca_file, None)


class Gateways:
    """Three gateways of one site, which know of each other."""

    def __init__(self, machines: list[Machine], ports: list[int]) -> None:
        self.machines = machines
        self.ports = ports

    async def open(self, number: int) -> None:
        """Have a gateway listen."""
        machine = self.machines[number]
        await machine.bring(machine.gateway(self.ports[number]), GatewayState.LISTENING)

    async def lose(self, number: int) -> None:
        """Have a gateway gone at once."""
        await self.machines[number].bring(None, GatewayState.ABSENT, drain_seconds=0)

    def list(self, *numbers: int) -> None:
        """Tell all gateways which there are."""
        revision = self.machines[0].site.revision + 1
        peers = tuple(
            Peer(gateway_id=UUID(int=n + 1), name=f"gw{n}", address="localhost", port=self.ports[n])
            for n in numbers
        )
        for machine in self.machines:
            machine.site.take(Site(revision=revision, gateways=peers))


@pytest.fixture
async def gateways(
    tmp_path: Path, authority: Authority, anyio_backend: object
) -> AsyncIterator[Gateways]:
    async with AsyncExitStack() as stack:
        repository = await stack.enter_async_context(echo_server())
        machines = []
        for number in range(3):
            machine = running_machine(tmp_path / f"state{number}", authority)
            machines.append(await stack.enter_async_context(machine))
            machines[-1].know(tenant(repository))
        made = Gateways(machines, [free_port() for _ in machines])
        for number in range(3):
            await made.open(number)
        made.list(0, 1, 2)
        yield made


class Connected:
    """A connector inside the test."""

    def __init__(self, fleet: Fleet, ports: Ports, port: int) -> None:
        self.fleet = fleet
        self.ports = ports
        self.port = port

    async def echoes(self, data: bytes = b"ping") -> bool:
        """Whether a new tunnel carries bytes there and back, and ends when it should."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                writer.write(data)
                writer.write_eof()
                return await reader.readexactly(len(data)) == data
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.close()


@pytest.fixture
async def connected(gateways: Gateways, who: Identity) -> AsyncIterator[Connected]:
    fleet = Fleet([Address("localhost", gateways.ports[0])], who, half_close=False)
    await fleet.learn()
    ports = Ports(fleet)
    port = await ports.listen(Forward(Address("127.0.0.1", 0), TARGET))
    looking = asyncio.create_task(fleet.run())
    yield Connected(fleet, ports, port)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    await ports.close()


async def until_known(connected: Connected, *, healthy: int, of: int) -> None:
    """Wait until the connector knows so many gateways, and so many of them as healthy."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while _counts(connected) != (healthy, of):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)


def _counts(connected: Connected) -> tuple[int, int]:
    gateways = connected.fleet.gateways
    return sum(each.healthy for each in gateways), len(gateways)


@pytest.mark.anyio
async def test_bytes_go_both_ways_and_an_answer_outlives_the_question(
    connected: Connected,
) -> None:
    data = os.urandom(3_000_000)
    assert await connected.echoes(data)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while connected.ports.traffic.tunnels:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)
    traffic = connected.ports.traffic
    assert (traffic.bytes_up, traffic.bytes_down) == (len(data), len(data))


@pytest.mark.anyio
async def test_new_tunnels_are_possible_within_two_seconds_though_two_gateways_die_in_a_row(
    connected: Connected, gateways: Gateways
) -> None:
    await until_known(connected, healthy=3, of=3)
    for dying in (0, 1):
        await gateways.lose(dying)
        started = time.monotonic()
        assert await connected.echoes()
        assert time.monotonic() - started < 2
    assert connected.fleet.used == Address("localhost", gateways.ports[2])
    await gateways.open(0)
    await until_known(connected, healthy=2, of=3)
    await gateways.lose(2)
    assert await connected.echoes()
    assert connected.fleet.used == Address("localhost", gateways.ports[0])


@pytest.mark.anyio
async def test_the_list_is_read_again_while_it_runs(
    connected: Connected, gateways: Gateways
) -> None:
    await until_known(connected, healthy=3, of=3)
    gateways.list(1)
    await until_known(connected, healthy=1, of=1)
    assert await connected.echoes()
    assert connected.fleet.used == Address("localhost", gateways.ports[1])


@pytest.mark.anyio
async def test_who_is_not_to_be_trusted_is_told_nothing(
    gateways: Gateways, ca_file: Path, authority: Authority, tmp_path: Path
) -> None:
    address = Address("localhost", gateways.ports[0])
    for wrong, complaint in (
        (identity("acme", "wrong", ca_file, None), "does not accept the name acme"),
        (identity("acme", PASSWORD, None, None), "cannot be verified"),
        (identity("acme", PASSWORD, None, "ab" * 32), "is not the one that was given"),
    ):
        with pytest.raises(NotAuthenticatedError, match=complaint):
            await read_document(address, wrong)
    shown = await asyncio.to_thread(ssl.get_server_certificate, ("localhost", gateways.ports[0]))
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest()
    document = await read_document(address, identity("acme", PASSWORD, None, found))
    assert [each["Port"] for each in document["Gateways"]] == gateways.ports
    assert "repo.example:443" in document["Targets"]


@pytest.mark.anyio
async def test_the_command_opens_ports_and_shows_nobody_the_password(
    gateways: Gateways, ca_file: Path, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    config = tmp_path / "connector.toml"
    config.write_text(
        f'gateway = "localhost:{gateways.ports[0]}"\ntenant = "acme"\nca = "ca.pem"\n'
        'password_file = "password"\nlisten = ["0:repo.example:443"]\n'
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cloudgate", "connect", "--config", str(config)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        leads = (await process.stdout.readline()).decode()
        assert await process.stdout.readline() == b"ready\n"
    assert leads.endswith(" leads to repo.example:443\n")
    shown = await asyncio.to_thread(Path(f"/proc/{process.pid}/cmdline").read_text)
    assert PASSWORD not in shown
    port = int(leads.split()[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert process.returncode == 0, said
    assert PASSWORD.encode() not in said
    with pytest.raises(ConnectionResetError):  # cut, and not ended
        await reader.read()
    writer.close()


def on_screen(written: bytes) -> list[str]:
    """The lines of a terminal, after what was written to it."""
    lines, column = [""], 0
    for piece in re.findall(r"\r|\n|\x1b\[[0-9;]*[A-Za-z]|[^\r\n\x1b]+", written.decode()):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            lines.append("")
        elif piece == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif not piece.startswith("\x1b"):
            lines[-1] = lines[-1][:column] + piece + lines[-1][column + len(piece) :]
            column += len(piece)
    return lines


class Terminal:
    """Where somebody watches a command."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        termios.tcsetwinsize(self.theirs, (24, 80))
        self.written = bytearray()
        self.news = asyncio.Event()

    def read(self) -> None:
        self.written += os.read(self.ours, 65536)
        self.news.set()

    @property
    def lines(self) -> list[str]:
        return on_screen(bytes(self.written))

    async def shows(self, pattern: str, *, above: bool = False) -> str:
        """Wait until the last line, or one above it, is like that, and return it."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    looked_at = self.lines[:-1] if above else self.lines[-1:]
                    for line in looked_at:
                        if re.fullmatch(pattern, line):
                            return line
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(f"{pattern} is not shown: {self.lines}") from None


@asynccontextmanager
async def watched(
    *words: str, **environment: str
) -> AsyncIterator[tuple[Terminal, asyncio.subprocess.Process]]:
    """`cloudgate connect` in a terminal."""
    terminal = Terminal()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cloudgate", "connect", *words),
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    loop = asyncio.get_running_loop()
    loop.add_reader(terminal.ours, terminal.read)
    try:
        yield terminal, process
    finally:
        loop.remove_reader(terminal.ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(terminal.ours)
        os.close(terminal.theirs)


@pytest.mark.anyio
async def test_who_watches_sees_tunnels_their_gateways_and_speeds_in_a_line_that_stays_clean(
    gateways: Gateways, ca_file: Path
) -> None:
    words = (f"localhost:{gateways.ports[0]}", "--tenant", "acme", "--ca", str(ca_file))
    speed = r"\d+\.\d MB/s up, \d+\.\d MB/s down"
    async with watched(*words, "-L", "0:repo.example:443", CLOUDGATE_TENANT_PASSWORD=PASSWORD) as (
        terminal,
        process,
    ):
        await terminal.shows(f"no tunnels, {speed}")
        leads, ready, _ = terminal.lines
        assert (leads.partition(" ")[2], ready) == ("leads to repo.example:443", "ready")

        port = int(leads.split()[0].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bytes(5_000_000))
        await reader.readexactly(5_000_000)
        shown = await terminal.shows(rf"1 tunnel \(by localhost:\d+\), {speed}")
        await terminal.shows(r".*, 0\.0 MB/s up, 0\.0 MB/s down")
        speeds = re.findall(rb"(\d+\.\d) MB/s", terminal.written)
        assert max(float(each) for each in speeds) > 1
        used = int(shown.partition("localhost:")[2].partition(")")[0])

        await gateways.lose(gateways.ports.index(used))
        await terminal.shows(rf"no tunnels \(the last by localhost:{used}\), {speed}")
        told = await terminal.shows(rf".*gateway lost.*{used}.*", above=True)
        assert "MB/s" not in told

        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        await terminal.shows("")
        writer.close()


@pytest.mark.anyio
@pytest.mark.skipif(b"bbr" not in ALLOWED.read_bytes().split(), reason=f"bbr is not in {ALLOWED}")
async def test_a_line_to_a_gateway_uses_bbr_whatever_is_usual_on_the_machine(
    gateways: Gateways, who: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def usual(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        before.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16))
        tune(connection)
        after.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16))

    before: list[bytes] = []
    after: list[bytes] = []
    monkeypatch.setattr(line, "tune", usual)
    await read_document(Address("localhost", gateways.ports[0]), who)
    assert [name.rstrip(b"\0") for name in before + after] == [b"reno", b"bbr"]


@pytest.mark.parametrize(
    ("by", "last", "expected"),
    [
        ({}, None, "no tunnels, 12.3 MB/s up, 0.0 MB/s down"),
        ({A: 0}, A, "no tunnels (the last by a:1), 12.3 MB/s up, 0.0 MB/s down"),
        ({A: 1}, A, "1 tunnel (by a:1), 12.3 MB/s up, 0.0 MB/s down"),
        ({A: 2, B: 0}, B, "2 tunnels (by a:1), 12.3 MB/s up, 0.0 MB/s down"),
        ({A: 1, B: 2}, A, "3 tunnels (2 by b:2, 1 by a:1), 12.3 MB/s up, 0.0 MB/s down"),
    ],
)
def test_the_live_line_says_by_which_gateways_tunnels_go(
    by: dict[Address, int], last: Address | None, expected: str
) -> None:
    assert live_line(Traffic(by=Counter(by)), 12_345_678, 0, last=last) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8443:vault.example:8443", ("127.0.0.1", 8443, "vault.example", 8443)),
        ("0.0.0.0:1:h:2", ("0.0.0.0", 1, "h", 2)),
        ("[::1]:1:[2001:db8::1]:2", ("::1", 1, "2001:db8::1", 2)),
        ("0:h:2", ("127.0.0.1", 0, "h", 2)),
    ],
)
def test_a_forward_is_read_as_it_is_written(text: str, expected: tuple[object, ...]) -> None:
    found = read_forward(text)
    assert (found.local.host, found.local.port, found.target.host, found.target.port) == expected


@pytest.mark.parametrize("text", ["", "8443", "a:b", "x:h:1", "1:h:0", "1:h:65536", "1:2:3:4:5"])
def test_what_is_no_forward_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_forward(text)


def test_an_address_may_leave_its_port_to_the_usual_one() -> None:
    assert read_address("gw.example", 6180) == Address("gw.example", 6180)
    assert read_address("[2001:db8::1]:7", 6180) == Address("2001:db8::1", 7)
    assert str(Address("2001:db8::1", 7)) == "[2001:db8::1]:7"


@pytest.mark.parametrize("text", ["listen = 3", "gateway = 1", "x = 'y'", "=", "listen = [1]"])
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "connector.toml"
    file.write_text(text)
    with pytest.raises(InvalidRequestError, match=r"connector\.toml"):
        read_file(file)


def test_options_go_before_the_file() -> None:
    said = Wanted(tenant="me").over(Wanted(tenant="you", gateway=("gw",)))
    assert (said.tenant, said.gateway) == ("me", ("gw",))


def test_the_best_gateway_is_healthy_own_and_idle() -> None:
    sick = Gateway(Address("a", 1), healthy=False)
    busy = Gateway(Address("b", 1), live_tunnels=5)
    idle = Gateway(Address("c", 1), live_tunnels=3, opened_since=1)
    other = Gateway(Address("d", 1), failover=True)
    assert in_order([sick, busy, other, idle]) == [idle, busy, other, sick]


def test_what_was_known_of_a_gateway_outlives_a_new_list() -> None:
    known = [Gateway(Address("a", 1), healthy=False), Gateway(Address("b", 1))]
    found = renewed(known, [(Address("a", 1), True)], [Address("z", 1)])
    assert found == [Gateway(Address("a", 1), failover=True, healthy=False)]
    assert [each.address for each in renewed(known, [], [Address("z", 1)])] == [Address("z", 1)]


def test_no_gateway_at_all_is_said(who: Identity) -> None:
    with pytest.raises(CloudgateError, match="does not answer"):
        asyncio.run(Fleet([Address("localhost", free_port())], who, half_close=False).learn())
