"""Calls come and go as gRPC says, whoever the caller is, and however the bytes are cut."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    TrailersReceived,
)
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.authorization.grpc.connection import LONGEST_MESSAGE_BYTES
from cloudgate.host.authorization.grpc.server import GrpcServer, serve_grpc
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.state.paths import StatePaths
from cloudgate.processes.socket_handoff import VARIABLE, pass_listener
from tests.support.waiting import PATIENCE_SECONDS

CHECK = "/envoy.service.auth.v3.Authorization/Check"
HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", CHECK),
    (":authority", "authorizer"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]

pytestmark = pytest.mark.anyio


async def reversed_(question: bytes) -> bytes:
    """The method of these tests; what is said with it can be told from what was asked."""
    if question == b"fail":
        raise RuntimeError("on purpose")
    if question == b"wait":
        await asyncio.Event().wait()
    if question.startswith(b"grow"):
        return bytes(int(question[4:]))
    return question[::-1]


def _listening(path: Path) -> socket.socket:
    return UnixEndpoints(StatePaths(path.parent, path.parent)).listen()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[str]:
    path = str(folder / "authorizer.sock")
    server: GrpcServer = await serve_grpc(reversed_, _listening(Path(path)))
    try:
        yield path
    finally:
        await server.stop()


def unary(channel: grpc.aio.Channel) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
    return channel.unary_unary(CHECK, request_serializer=bytes, response_deserializer=bytes)


def prefixed(message: bytes) -> bytes:
    return struct.pack("!BI", 0, len(message)) + message


class Caller:
    """Speaks HTTP/2 as a test wants it, by a library that is not the server's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=True))
        self.events: list[Event] = []

    def ask(self, message: bytes, padding: int | None = None) -> int:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, HEADERS)
        self.h2.send_data(stream, prefixed(message), end_stream=True, pad_length=padding)
        return stream

    async def send(self, cuts: list[int] | None = None) -> None:
        data = self.h2.data_to_send()
        for cut in sorted(cuts or ()):
            piece, data = data[: cut % (len(data) + 1)], data[cut % (len(data) + 1) :]
            self.writer.write(piece)
            await asyncio.sleep(0)
        self.writer.write(data)
        await self.writer.drain()

    async def until(self, wanted: Callable[[list[Event]], bool]) -> list[Event]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not wanted(self.events):
                data = await self.reader.read(65536)
                assert data, f"hung up after {self.events}"
                self.events += self.h2.receive_data(data)
                await self.send()
        return self.events

    def said(self, stream: int) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, DataReceived) and event.stream_id == stream
        )

    def status(self, stream: int) -> str:
        (found,) = (
            dict(event.headers)[b"grpc-status"].decode()
            for event in self.events
            if isinstance(event, TrailersReceived | ResponseReceived)
            and event.stream_id == stream
            and b"grpc-status" in dict(event.headers)
        )
        return found


@asynccontextmanager
async def connected(path: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def calling(path: str) -> AsyncIterator[Caller]:
    async with connected(path) as (reader, writer):
        caller = Caller(reader, writer)
        caller.h2.initiate_connection()
        yield caller


def ended(count: int) -> Callable[[list[Event]], bool]:
    return lambda events: sum(isinstance(each, StreamEnded) for each in events) == count


async def test_a_caller_of_another_make_is_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as path, grpc.aio.insecure_channel(f"unix:{path}") as channel:
        call = unary(channel)
        assert await call(b"abc") == b"cba"
        questions = [f"{number}".encode() * number for number in range(1, 200)]
        answers = await asyncio.gather(*(call(each) for each in questions))
        assert answers == [each[::-1] for each in questions]
        large = bytes(range(256)) * 2000
        assert await call(large) == large[::-1]


async def test_a_call_that_fails_or_is_given_up_harms_no_other(tmp_path: Path) -> None:
    async with serving(tmp_path) as path, grpc.aio.insecure_channel(f"unix:{path}") as channel:
        call = unary(channel)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call(b"fail")
        assert failed.value.code() is grpc.StatusCode.INTERNAL
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await call(b"wait", timeout=0.05)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await call(b"abc") == b"cba"


async def test_one_that_takes_the_place_of_another_is_answered_by(tmp_path: Path) -> None:
    path = tmp_path / "authorizer.sock"
    before = await serve_grpc(reversed_, _listening(path))
    await before.stop()
    async with serving(tmp_path), grpc.aio.insecure_channel(f"unix:{path}") as channel:
        assert await unary(channel)(b"abc") == b"cba"


async def test_nobody_is_refused_while_one_hands_over_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / "authorizer.sock"
    asked, released = asyncio.Event(), asyncio.Event()

    async def slow(question: bytes) -> bytes:
        asked.set()
        await released.wait()
        return question

    before = await serve_grpc(slow, _listening(path))
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        call = unary(channel)
        answered_by_the_first = asyncio.ensure_future(call(b"first"))
        await asked.wait()
        retiring = asyncio.create_task(before.retire())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        waiting = [asyncio.ensure_future(call(b"abc")) for _ in range(20)]
        released.set()
        await retiring
        pass_listener(before.listener)
        await before.stop()
        assert await answered_by_the_first == b"first"
        after = await serve_grpc(reversed_, _listening(path))
        assert VARIABLE not in os.environ
        try:
            assert {await each for each in waiting} == {b"cba"}
            assert await call(b"xyz") == b"zyx"
        finally:
            await after.stop()


@pytest.mark.parametrize("handed_over", ["", "x", "0", "999999"])
async def test_where_nothing_was_handed_over_a_new_socket_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handed_over: str
) -> None:
    monkeypatch.setenv(VARIABLE, handed_over)
    with open(os.devnull) as zero:  # noqa: ASYNC230, PTH123  any open file
        if handed_over == "0":
            monkeypatch.setenv(VARIABLE, str(os.dup(zero.fileno())))
        async with serving(tmp_path) as path, calling(path) as caller:
            stream = caller.ask(b"ab")
            await caller.send()
            await caller.until(ended(1))
            assert caller.said(stream) == prefixed(b"ba")


@given(
    messages=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 2000), max_size=8),
    padding=st.none() | st.integers(0, 255),
)
async def test_it_does_not_matter_how_the_bytes_are_cut(
    messages: list[bytes], cuts: list[int], padding: int | None
) -> None:
    messages = [each for each in messages if not each.startswith((b"fail", b"wait", b"grow"))]
    with TemporaryDirectory() as folder:
        async with serving(Path(folder)) as path, calling(path) as caller:
            streams = [caller.ask(each, padding) for each in messages]
            await caller.send(cuts)
            await caller.until(ended(len(streams)))
            said = [caller.said(each) for each in streams]
            assert said == [prefixed(each[::-1]) for each in messages]
            assert {caller.status(each) for each in streams} <= {"0"}


@pytest.fixture
async def sockets(tmp_path: Path) -> AsyncIterator[str]:
    async with serving(tmp_path) as path:
        yield path


async def test_an_answer_keeps_to_the_windows_of_the_caller(sockets: str) -> None:
    async with calling(sockets) as caller:
        caller.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
        await caller.send()
        small, large = caller.ask(b"ab"), caller.ask(b"grow200000")
        await caller.send()
        # h2 itself ends a connection whose other side sends more than it may.
        await caller.until(lambda _: len(caller.said(small)) == 7 and len(caller.said(large)) == 10)
        caller.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 70_000})
        await caller.send()
        await caller.until(lambda _: len(caller.said(large)) == 65_535 - 7)
        caller.h2.increment_flow_control_window(200_000)
        caller.h2.increment_flow_control_window(200_000, large)
        await caller.send()
        await caller.until(ended(2))
        assert caller.said(large) == prefixed(bytes(200_000))
        assert caller.status(large) == "0"


async def test_headers_that_take_several_frames_are_waited_for(sockets: str) -> None:
    async with calling(sockets) as caller:
        stream = caller.h2.get_next_available_stream_id()
        long = [(f"x-{number}", "y" * 1000) for number in range(40)]
        caller.h2.send_headers(stream, [*HEADERS, *long])
        caller.h2.send_data(stream, prefixed(b"ab"), end_stream=True)
        caller.h2.ping(b"12345678")
        await caller.send()
        events = await caller.until(ended(1))
        assert caller.said(stream) == prefixed(b"ba")
        assert any(isinstance(each, PingAckReceived) for each in events)


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return struct.pack("!I", len(content))[1:] + struct.pack("!BBI", kind, flags, stream) + content


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: authorizer\r\n\r\n",
        PREFACE + frame(0, 1, 1, b"data of nobody"),
        PREFACE + frame(1, 4, 2, b""),
        PREFACE + frame(1, 4, 3, b"") + frame(1, 4, 1, b""),
        PREFACE + frame(9, 4, 1, b""),
        PREFACE + frame(1, 0, 1, b"") + frame(6, 0, 0, b"12345678"),
        PREFACE + frame(4, 0, 0, b"half"),
        PREFACE + frame(8, 0, 0, b"no"),
        PREFACE + frame(1, 4, 1, b"") + frame(0, 9, 1, b"\x09abc"),
        PREFACE + frame(0, 0, 1, bytes(16_385)),
        PREFACE + frame(1, 4, 1, b"") + frame(0, 1, 1, prefixed(b"wait")) + frame(1, 5, 1, b""),
    ],
)
async def test_who_does_not_speak_as_agreed_is_hung_up_on(sockets: str, sent: bytes) -> None:
    async with connected(sockets) as (reader, writer):
        writer.write(sent)
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = await reader.read()
        parsed = H2Connection(H2Configuration(client_side=True))
        parsed.initiate_connection()
        assert isinstance(parsed.receive_data(said)[-1], ConnectionTerminated)
        async with calling(sockets) as caller:
            stream = caller.ask(b"ab")
            await caller.send()
            await caller.until(ended(1))
            assert caller.said(stream) == prefixed(b"ba")


async def test_what_still_comes_of_a_call_that_was_given_up_is_passed_over(sockets: str) -> None:
    async with connected(sockets) as (reader, writer):
        begun = frame(1, 4, 1, b"") + frame(0, 0, 1, prefixed(b"wait")[:4])
        given_up = frame(3, 0, 1, struct.pack("!I", 8)) + frame(0, 1, 1, b"rest")
        writer.write(PREFACE + begun + given_up + frame(6, 0, 0, b"12345678"))
        parsed, events = H2Connection(H2Configuration(client_side=True)), list[Event]()
        parsed.initiate_connection()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(isinstance(each, PingAckReceived) for each in events):
                events += parsed.receive_data(await reader.read(4096))
        assert not any(isinstance(each, ConnectionTerminated) for each in events)


async def test_a_question_that_is_too_long_is_not_kept(sockets: str) -> None:
    async with connected(sockets) as (reader, writer):
        piece = frame(0, 0, 1, bytes(16_000))
        writer.write(PREFACE + frame(1, 4, 1, b""))
        writer.write(piece * (LONGEST_MESSAGE_BYTES // 16_000 + 1))
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = await reader.read()
        assert frame(7, 0, 0, struct.pack("!II", 1, 3)) in said


@pytest.mark.parametrize("asked", [b"", b"\0\0", b"\1\0\0\0\2ab", b"\0\0\0\0\7ab"])
async def test_a_message_that_is_not_whole_fails_alone(sockets: str, asked: bytes) -> None:
    async with calling(sockets) as caller:
        stream = caller.h2.get_next_available_stream_id()
        caller.h2.send_headers(stream, HEADERS, end_stream=not asked)
        if asked:
            caller.h2.send_data(stream, asked, end_stream=True)
        other = caller.ask(b"ab")
        await caller.send()
        await caller.until(ended(2))
        assert (caller.status(stream), caller.status(other)) == ("13", "0")
