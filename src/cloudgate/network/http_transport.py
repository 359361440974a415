"""HTTP clients: how do they reach a name of several addresses, or a socket of this machine?

For a name, they are told the one address that takes connections, by `happy_eyeballs`.
"""

import asyncio
import os
import select
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpcore2
import httpx2

from cloudgate.network.happy_eyeballs import anywhere, best_address, find_best_address

_WRITTEN_BYTES = 16 * 1024
_USUAL: dict[str, Any] = {
    "max_connections": 100,
    "max_keepalive_connections": 20,
    "keepalive_expiry": httpx2.Limits().keepalive_expiry,
}
"""As httpx has it by itself: a connection that was idle for long may have died without a word."""
_LEAST_SECONDS = 0.1
"""How long the address that was found has in any case."""


class DiallingTransport(httpx2.HTTPTransport):
    """For `httpx2.Client`; heeds no proxy of the environment."""

    def __init__(
        self,
        verify: ssl.SSLContext,
        allows: Callable[[str], bool] = anywhere,
        seconds: float | None = None,
    ) -> None:
        """What it heeds.

        Args:
            verify: whom to trust.
            allows: whether an IP address may be dialled. Where a name leads to none that may, a
                request raises `NoAllowedAddressError`.
            seconds: how long, from now on, all that goes over its connections may take together,
                however little comes at a time; None for as long as each of it may.
        """
        super().__init__(verify=verify, trust_env=False)
        until = None if seconds is None else time.monotonic() + seconds
        self._pool = httpcore2.ConnectionPool(
            ssl_context=verify, network_backend=_Backend(allows, until), **_USUAL
        )


class _Backend(httpcore2.SyncBackend):
    def __init__(self, allows: Callable[[str], bool], until: float | None) -> None:
        self._allows = allows
        self._until = until

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        began_seconds = time.monotonic()
        try:
            address = best_address(host, port, timeout, allows=self._allows)
        except (OSError, UnicodeError) as problem:
            raise httpcore2.ConnectError(str(problem)) from problem
        if timeout is not None:
            timeout = max(timeout - (time.monotonic() - began_seconds), _LEAST_SECONDS)
        stream = super().connect_tcp(address, port, timeout, local_address, socket_options)
        return stream if self._until is None else _BoundedStream(stream, self._until)


class _BoundedStream(httpcore2.NetworkStream):
    """A connection that is given up at a moment of the monotonic clock, whatever comes over it."""

    def __init__(self, stream: httpcore2.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def _left(self, timeout: float | None, late: type[httpcore2.TimeoutException]) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise late("it took too long in all")
        return left if timeout is None else min(left, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITTEN_BYTES):
            piece = buffer[start : start + _WRITTEN_BYTES]
            self._stream.write(piece, self._left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._left(timeout, httpcore2.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return _BoundedStream(stream, self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class AsyncDiallingTransport(httpx2.AsyncHTTPTransport):
    """For `httpx2.AsyncClient` on asyncio; heeds no proxy of the environment."""

    def __init__(self, verify: ssl.SSLContext) -> None:
        """Whom to trust."""
        super().__init__(verify=verify, trust_env=False)
        self._pool = _pool(_AsyncBackend(), ssl_context=verify)


def _pool(backend: httpcore2.AsyncNetworkBackend, **more: Any) -> httpcore2.AsyncConnectionPool:
    return httpcore2.AsyncConnectionPool(network_backend=backend, **_USUAL, **more)


class _AsyncBackend(httpcore2.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as the library has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                address = await find_best_address(host, port, timeout)
                stream = await super().connect_tcp(
                    address, port, None, local_address, socket_options
                )
                return _DialledStream(stream)
        except TimeoutError as problem:
            raise httpcore2.ConnectTimeout(f"{host} does not answer") from problem
        except (OSError, UnicodeError) as problem:
            raise httpcore2.ConnectError(str(problem)) from problem


class _DialledStream(httpcore2.AsyncNetworkStream):
    """A TCP connection that is closed where TLS on it is given up.

    The library (httpcore2 2.16) closes it where TLS fails. Cancelled, it would stay open for as
    long as the other end is silent.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109  as the library has it
    ) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109  as the library has it
    ) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  as the library has it
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class AsyncUnixTransport(httpx2.AsyncHTTPTransport):
    """For `httpx2.AsyncClient` on asyncio, by a Unix socket in place of the URL's host.

    By asyncio's own transport: AnyIO (4.16) looks at such a socket itself, and sets the result of a
    read that was cancelled in the moment in which something came, an error of nobody's.
    """

    def __init__(self, path: Path) -> None:
        """Where the socket is."""
        super().__init__(verify=False, trust_env=False)  # there is no TLS
        self._pool = _pool(_UnixBackend(), uds=str(path))


class _UnixBackend(httpcore2.AnyIOBackend):
    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  as the library has it
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        del socket_options
        late = httpcore2.ConnectTimeout(f"{path} does not answer")
        async with _translated(timeout, late, httpcore2.ConnectError):
            return _UnixStream(*await asyncio.open_unix_connection(path))


@asynccontextmanager
async def _translated(
    seconds: float | None, late: Exception, failed: type[Exception]
) -> AsyncIterator[None]:
    """What takes too long or fails inside is told by the library's own errors."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as problem:
        raise late from problem
    except OSError as problem:
        raise failed(str(problem)) from problem


class _UnixStream(httpcore2.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109  as the library has it
    ) -> bytes:
        late = httpcore2.ReadTimeout("nothing came in time")
        async with _translated(timeout, late, httpcore2.ReadError):
            return await self._reader.read(max_bytes)

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109  as the library has it
    ) -> None:
        late = httpcore2.WriteTimeout("nothing was taken in time")
        async with _translated(timeout, late, httpcore2.WriteError):
            self._writer.write(buffer)
            await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable":
            return None
        # One that is kept and has something to read was ended, or is about to be.
        if self._reader.at_eof() or self._writer.is_closing():
            return True
        looked = select.poll()
        looked.register(self._writer.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(looked.poll(0))


def why_unanswered(problem: httpx2.TransportError) -> str:
    """What kept a connection from being made or an answer from coming, in words for people."""
    if isinstance(problem, httpx2.TimeoutException):
        return "nothing came in time"
    found: BaseException | None = problem
    said = str(problem) or type(problem).__name__
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return str(found)
        if isinstance(found, OSError) and found.errno is not None:
            # Those of looking up a name are negative, and have words of their own.
            said = os.strerror(found.errno) if found.errno > 0 else found.strerror or said
        found = found.__cause__ or found.__context__
    return said
