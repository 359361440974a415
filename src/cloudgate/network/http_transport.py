"""HTTP clients: how do they try all addresses of a name, and remember which of them worked?

They are told the one address that takes connections, by `happy_eyeballs`.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2
import httpx2

from cloudgate.network.happy_eyeballs import anywhere, best_address, find_best_address

_LEAST_SECONDS = 0.1
"""How long the address that was found has in any case."""


class DiallingTransport(httpx2.HTTPTransport):
    """For `httpx2.Client`; heeds no proxy of the environment."""

    def __init__(self, verify: ssl.SSLContext, allows: Callable[[str], bool] = anywhere) -> None:
        """What it heeds.

        Args:
            verify: whom to trust.
            allows: whether an IP address may be dialled. Where a name leads to none that may, a
                request raises `NoAllowedAddressError`.
        """
        super().__init__(verify=verify, trust_env=False)
        self._pool = httpcore2.ConnectionPool(ssl_context=verify, network_backend=_Backend(allows))


class _Backend(httpcore2.SyncBackend):
    def __init__(self, allows: Callable[[str], bool]) -> None:
        self._allows = allows

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
        return super().connect_tcp(address, port, timeout, local_address, socket_options)


class AsyncDiallingTransport(httpx2.AsyncHTTPTransport):
    """For `httpx2.AsyncClient` on asyncio; heeds no proxy of the environment."""

    def __init__(self, verify: ssl.SSLContext) -> None:
        """Whom to trust."""
        super().__init__(verify=verify, trust_env=False)
        usual = httpx2.Limits(max_connections=100, max_keepalive_connections=20)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=verify,
            max_connections=usual.max_connections,
            max_keepalive_connections=usual.max_keepalive_connections,
            keepalive_expiry=usual.keepalive_expiry,
            network_backend=_AsyncBackend(),
        )


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
                return await super().connect_tcp(address, port, None, local_address, socket_options)
        except TimeoutError as problem:
            raise httpcore2.ConnectTimeout(f"{host} does not answer") from problem
        except (OSError, UnicodeError) as problem:
            raise httpcore2.ConnectError(str(problem)) from problem


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
