"""What is the module for Envoy answered, and what becomes of what it says wrongly, or too late?"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.authorization.authorizer import AuthorizationResult
from cloudgate.host.authorization.grpc.connection import AlternativeProtocol, ServedConnection
from cloudgate.host.authorization.grpc.server import GrpcServer, serve_grpc
from cloudgate.host.authorization.module import connection
from cloudgate.host.authorization.module.connection import GREETING, Decisions, ModuleConnection
from cloudgate.host.authorization.module.decision_cache import ConnectRequest
from cloudgate.host.authorization.policy import Denial
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio

ASK, GONE, BEGUN = 1, 2, 3
LEAVE_IT, TUNNEL = 0, 1
HOLDER = TunnelMetadata(slot_id="7", tenant_id=UUID(int=1))
LET_IN = AuthorizationResult("acme", "vault:443", "192.0.2.9:443", "fast", metadata=HOLDER)
REFUSED = AuthorizationResult("acme", "vault:443", denial=Denial(403, "no"))
QUESTION = ConnectRequest("vault:443", "Basic x", "192.0.2.7", 4711)


def text(said: str) -> bytes:
    return struct.pack("!H", len(said)) + said.encode()


def message(content: bytes) -> bytes:
    return struct.pack("!I", len(content)) + content


def question(number: int, of: ConnectRequest = QUESTION, kind: int = ASK) -> bytes:
    words = text(of.address) + text(of.authority) + text(of.authorization or "")
    return message(struct.pack("!BIH", kind, number, of.port) + words)


def news(kind: int, number: int) -> bytes:
    return message(struct.pack("!BI", kind, number))


async def never(_question: ConnectRequest) -> AuthorizationResult:
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class Module:
    """The module's end of a line, with a host service whose decisions are the test's."""

    server: GrpcServer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    decide: Callable[[ConnectRequest], Awaitable[AuthorizationResult]]
    asked: asyncio.Queue[ConnectRequest] = field(default_factory=asyncio.Queue)
    given_up: asyncio.Queue[tuple[ConnectRequest, AuthorizationResult | None]] = field(
        default_factory=asyncio.Queue
    )
    begun: asyncio.Queue[ConnectRequest] = field(default_factory=asyncio.Queue)

    def says(self, *said: bytes) -> None:
        self.writer.write(b"".join(said))

    async def hears(self) -> tuple[int, int, list[str]]:
        """Number, what it is told, and the texts behind it."""
        (length,) = struct.unpack("!I", await self.reader.readexactly(4))
        content = await self.reader.readexactly(length)
        number, told = struct.unpack_from("!IB", content)
        texts, at = [], 5
        while at < length:
            (size,) = struct.unpack_from("!H", content, at)
            texts.append(content[at + 2 : at + 2 + size].decode())
            at += 2 + size
        return number, told, texts

    async def is_hung_up_on(self) -> bool:
        with suppress(ConnectionResetError):
            return await self.reader.read() == b""
        return True


@asynccontextmanager
async def greeted(
    by: Callable[[ConnectRequest], Awaitable[AuthorizationResult]] = never,
) -> AsyncIterator[Module]:
    """A line that has been greeted, with who decides."""
    listener = socket.create_server(("127.0.0.1", 0))
    found: list[Module] = []

    async def decide(asked: ConnectRequest) -> AuthorizationResult:
        found[0].asked.put_nowait(asked)
        return await found[0].decide(asked)

    def gave_up(asked: ConnectRequest, verdict: AuthorizationResult | None) -> None:
        found[0].given_up.put_nowait((asked, verdict))

    def begun(asked: ConnectRequest) -> None:
        found[0].begun.put_nowait(asked)

    def made(
        on_lost: Callable[[ServedConnection], None],
    ) -> tuple[ModuleConnection, ServedConnection]:
        one = ModuleConnection(Decisions(decide, gave_up, begun), on_lost)
        return one, one

    async def nothing(_message: bytes) -> bytes:
        raise AssertionError

    server = await serve_grpc(nothing, listener, other=AlternativeProtocol(GREETING, made))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    found.append(Module(server, reader, writer, by))
    writer.write(GREETING)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield found[0]
    finally:
        writer.close()
        await server.stop()


async def lets_in(_question: ConnectRequest) -> AuthorizationResult:
    return LET_IN


async def refuses(_question: ConnectRequest) -> AuthorizationResult:
    return REFUSED


async def fails(_question: ConnectRequest) -> AuthorizationResult:
    raise RuntimeError("nobody foresaw this")


async def test_who_is_let_in_is_named_with_all_that_the_tunnel_needs() -> None:
    async with greeted(lets_in) as module:
        module.says(question(5))
        assert await module.hears() == (
            5,
            TUNNEL,
            ["fast", "192.0.2.9:443", "acme", "vault:443", str(HOLDER)],
        )
        assert await module.asked.get() == QUESTION


async def test_what_comes_byte_by_byte_is_answered_as_what_comes_at_once() -> None:
    async with greeted(lets_in) as module:
        for each in question(1) + question(2):
            module.says(bytes((each,)))
            await module.writer.drain()
            await asyncio.sleep(0)
        assert [(await module.hears())[:2] for _ in range(2)] == [(1, TUNNEL), (2, TUNNEL)]
        module.says(*(question(number) for number in range(3, 200)))
        heard = {(await module.hears())[:2] for _ in range(3, 200)}
        assert heard == {(number, TUNNEL) for number in range(3, 200)}


@pytest.mark.parametrize("decide", [refuses, fails])
async def test_who_is_not_let_in_is_left_to_the_connection_manager(
    decide: Callable[[ConnectRequest], Awaitable[AuthorizationResult]],
) -> None:
    async with greeted(decide) as module:
        for number in (1, 2):
            module.says(question(number))
            assert await module.hears() == (number, LEAVE_IT, [])


async def test_who_gives_up_before_the_answer_is_forgotten_and_others_are_answered() -> None:
    async with greeted() as module:
        module.says(question(1))
        await module.asked.get()
        module.says(news(GONE, 1))
        assert await module.given_up.get() == (QUESTION, None)
        module.decide = lets_in
        module.says(news(GONE, 1), news(BEGUN, 1), question(2))
        assert (await module.hears())[:2] == (2, TUNNEL)
        assert module.given_up.empty()


async def test_who_was_let_in_gives_back_what_it_took_until_its_tunnel_has_begun() -> None:
    async with greeted(lets_in) as module:
        module.says(question(1), question(2))
        for _ in range(2):
            await module.hears()
        module.says(news(GONE, 1), news(BEGUN, 2), news(GONE, 2), news(GONE, 77))
        assert await module.given_up.get() == (QUESTION, LET_IN)
        assert await module.begun.get() == QUESTION
        module.says(question(3))
        await module.hears()
        assert module.given_up.empty()


async def test_who_was_let_in_long_ago_has_nothing_to_give_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with greeted(lets_in) as module:
        module.says(question(1))
        await module.hears()
        monkeypatch.setattr(connection, "BEGINS_WITHIN_SECONDS", 0.0)
        module.says(question(2))
        await module.hears()
        module.says(news(GONE, 1), news(GONE, 2))
        assert await module.given_up.get() == (QUESTION, LET_IN)
        module.says(question(3))
        await module.hears()
        assert module.given_up.empty()


async def test_a_line_that_is_lost_leaves_nobody_waiting() -> None:
    async with greeted() as module:
        module.says(question(1), question(2))
        for _ in range(2):
            await module.asked.get()
        module.writer.close()
        assert [await module.given_up.get() for _ in range(2)] == [(QUESTION, None)] * 2


async def test_a_server_that_retires_answers_what_was_asked_and_leaves_the_rest() -> None:
    may_answer = asyncio.Event()

    async def slowly(_question: ConnectRequest) -> AuthorizationResult:
        await may_answer.wait()
        return LET_IN

    async with greeted(slowly) as module:
        module.says(question(1))
        await module.asked.get()
        retiring = asyncio.create_task(module.server.retire())
        await asyncio.sleep(0)
        module.says(question(2))
        assert await module.hears() == (2, LEAVE_IT, [])
        may_answer.set()
        assert (await module.hears())[:2] == (1, TUNNEL)
        await retiring
        assert await module.is_hung_up_on()


async def test_a_server_that_retires_waits_until_those_who_gave_up_are_gone() -> None:
    async with greeted() as module:
        module.says(question(1))
        await module.asked.get()
        retiring = asyncio.create_task(module.server.retire())
        await asyncio.sleep(0)
        module.says(news(GONE, 1))
        await retiring
        assert await module.is_hung_up_on()


@pytest.mark.parametrize(
    "said",
    [
        struct.pack("!I", connection.LONGEST_QUESTION_BYTES + 1),
        question(1, kind=9),
        message(b""),
        message(struct.pack("!BI", GONE, 1) + b"more"),
        message(struct.pack("!BIH", ASK, 1, 4711) + struct.pack("!H", 9) + b"short"),
        message(struct.pack("!BIH", ASK, 1, 4711) + text("one") + text("two")),
        message(question(1)[4:] + b"more"),
    ],
    ids=["too long", "no kind", "empty", "long news", "cut", "a text is missing", "more behind"],
)
async def test_what_is_said_wrongly_ends_the_line_and_asks_nobody(said: bytes) -> None:
    async with greeted(lets_in) as module:
        module.says(said)
        assert await module.is_hung_up_on()
        assert module.asked.empty()
