"""HTTP clients that block: how do they try all addresses of a name, as `happy_eyeballs` does?

They are told the one address that takes connections. `httpx2.AsyncClient` tries all by itself, by
anyio.
"""

import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2
import httpx2

from cloudgate.happy_eyeballs import anywhere, best_address


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
        try:
            address = best_address(host, port, timeout, allows=self._allows)
        except (OSError, UnicodeError) as problem:
            raise httpcore2.ConnectError(str(problem)) from problem
        return super().connect_tcp(address, port, timeout, local_address, socket_options)
