"""Is a call that one manager hands on to another heard, and answered, as a whole?"""

import asyncio
import select
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from cloudgate.api import standby
from cloudgate.api.connections import relay
from cloudgate.api.connections.acceptor import Acceptor, prove
from cloudgate.api.connections.connection_limit import ConnectionLimiter, connection_limits
from cloudgate.api.connections.relay import Handovers
from cloudgate.api.server import configured, open_listener
from cloudgate.api.standby import ManagerListeners, StandbyServer
from cloudgate.manager.core.unit_of_work import utc_now
from cloudgate.manager.lease import Leader, Lease
from cloudgate.manager.security.authority import Authority, PortCertificate, open_authority
from cloudgate.manager.security.sealing import SealingKey, open_sealing
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from tests.support.machine.loops import UVLOOP
from tests.support.running.manager import first_start
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio
TERM = 7
QUIET_SECONDS = 1.0
"""More than a busy machine stands still."""
PIECE = b"a piece\n"


@pytest.fixture(params=[UVLOOP, "asyncio"], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """The services' loop, and Python's own: they begin to read at different times."""
    return request.param


@dataclass
class LeadingManager:
    """What answers at the manager that leads."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody waits for an answer."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """The answer may end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await (await self._respond(Request(scope, receive)))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        body = await request.body()
        match request.url.path:
            case "/held":
                prove(request.state)
                self.asked.set()
                await self.go_on.wait()
            case "/long":
                return StreamingResponse(self._pieces())
        return PlainTextResponse(f"{request.url.scheme} {len(body)} bytes, {body[-9:].decode()}")

    async def _pieces(self) -> AsyncIterator[bytes]:
        while not self.go_on.is_set():
            yield PIECE
            self.asked.set()
            await asyncio.sleep(QUIET_SECONDS / 50)
        yield b"the end"


@dataclass
class Pair:
    """A manager that leads, and one that stands by."""

    leading: LeadingManager
    start_leading: Callable[[], None]
    """Has who leads take connections in."""
    leader: socket.socket
    listeners: ManagerListeners
    context: ssl.SSLContext
    stop: asyncio.Event
    """Ends the one that stands by."""

    @asynccontextmanager
    async def connected(self, scheme: str = "http") -> AsyncIterator["Caller"]:
        """A connection to the one that stands by."""
        listener = self.listeners.listener if scheme == "https" else self.listeners.http_listener
        assert listener is not None
        context = self.context if scheme == "https" else None
        port = listener.getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
        try:
            yield Caller(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@dataclass
class Caller:
    """Who asks there."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def ask(self, path: str, body: bytes = b"") -> None:
        """Send a request at once, as a whole."""
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def hear(self, last: bytes = b"") -> bytes:
        """All up to some last words; without them until it is hung up."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await (self.reader.readuntil(last) if last else self.reader.read())


@pytest.fixture
async def pair(tmp_path: Path, anyio_backend: object) -> AsyncIterator[Pair]:
    async with running_pair(tmp_path) as both:
        both.start_leading()
        yield both


@asynccontextmanager
async def running_pair(folder: Path) -> AsyncIterator[Pair]:
    """Both; who leads listens, and takes nobody in yet."""
    shutil.copytree(first_start(), folder, dirs_exist_ok=True)
    authority, sealing = open_authority(folder), open_sealing(folder)
    certificate = PortCertificate(folder, authority, ("localhost",))
    database = Database(sqlite_url(folder / "unused.db"))
    stop, leading = asyncio.Event(), LeadingManager()
    with (
        open_listener("localhost", 0) as leader,
        open_listener("localhost", 0) as https,
        open_listener("localhost", 0) as http,
    ):
        accepting = acceptor_of(leading, leader, certificate, sealing)
        lease = Lease(database, "one of two")
        lease.leader = Leader(f"https://localhost:{leader.getsockname()[1]}", TERM)
        listeners = ManagerListeners(listener=https, certificate=certificate, http_listener=http)
        server = StandbyServer(lease, authority, sealing, listeners)
        running = asyncio.create_task(server.run(stop))
        try:
            yield Pair(leading, accepting.start, leader, listeners, trusting(authority), stop)
        finally:
            leading.go_on.set()
            stop.set()
            await running
            accepting.close()
            await accepting.wait_closed()
            database.close()


def acceptor_of(
    leading: LeadingManager,
    listener: socket.socket,
    certificate: PortCertificate,
    sealing: SealingKey,
) -> Acceptor:
    """Of the manager that leads."""
    config = configured(leading, certificate.usable_file(utc_now()))
    config.load()
    seats = ConnectionLimiter(connection_limits(1000))
    taken = Handovers(sealing, lambda: TERM)
    return Acceptor(listener, config, ServerState(), seats, lambda _: False, handovers=taken)


def trusting(authority: Authority) -> ssl.SSLContext:
    """Of a client."""
    return ssl.create_default_context(cadata=authority.certificate_pem)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("body_bytes", [0, 100_000, 2_000_000])
async def test_what_a_client_says_before_the_way_to_the_leader_is_open_is_handed_on(
    tmp_path: Path, scheme: str, body_bytes: int
) -> None:
    async with running_pair(tmp_path) as both, both.connected(scheme) as caller:
        caller.ask("/", bytes(body_bytes) + b"last word")
        await until_async(lambda: select.select([both.leader], [], [], 0)[0])
        both.start_leading()
        said = f"{scheme} {body_bytes + 9} bytes, last word".encode()
        assert (await caller.hear(said)).startswith(b"HTTP/1.1 200 ")
        caller.ask("/", b"once more")
        assert await caller.hear(f"{scheme} 9 bytes, once more".encode())


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_where_the_leader_is_not_reached_the_first_request_is_answered_here(
    tmp_path: Path, scheme: str
) -> None:
    async with running_pair(tmp_path) as both, both.connected(scheme) as caller:
        both.leader.close()
        caller.ask("/api/tasks")
        said = await caller.hear(b"The manager that leads is not reached")
        assert said.startswith(b"HTTP/1.1 503 ")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a moment is longer."""
    monkeypatch.setattr(standby, "GRACE_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(relay, "QUIET_SECONDS", QUIET_SECONDS)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("path", "scheme"), [("/held", "https"), ("/long", "http")])
async def test_who_waits_for_an_answer_gets_it_though_the_standby_is_stopped_meanwhile(
    pair: Pair, path: str, scheme: str
) -> None:
    async with pair.connected() as idle, pair.connected(scheme) as caller:
        idle.ask("/", b"answered.")
        await idle.hear(b"answered.")
        caller.ask(path, b"a change.")
        await asyncio.wait_for(pair.leading.asked.wait(), PATIENCE_SECONDS)
        if path == "/long":
            await caller.hear(PIECE)
        pair.stop.set()
        assert await idle.hear() == b"", "who waits for nothing is hung up on"
        pair.leading.go_on.set()
        said = await caller.hear()
        assert said.endswith(b"a change." if path == "/held" else b"the end\r\n0\r\n\r\n")
