"""The ACME library's HTTP client: where does it go, by which address, and what may answers cost?

An ACME server is not ours: it names the addresses that it is asked at, and says as much, and as
slowly, as it likes.
"""

import socket
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from cloudgate.errors import UnavailableError
from cloudgate.network.happy_eyeballs import best_address
from cloudgate.network.time_limit import TimeLimit
from cloudgate.values.endpoints import DEFAULT_PORTS

ANSWER_SECONDS = 20.0
"""How long the server may take for one answer, from being dialled to its end."""
EXCHANGE_SECONDS = 300.0
"""How long it may take for all of its answers to one order, without what is waited in between."""
ANSWER_BYTES = 1024 * 1024
"""Of one answer: the largest are certificates with those of their issuers, of a few kilobytes."""
EXCHANGE_BYTES = 16 * ANSWER_BYTES
"""Of all answers to one order."""
_PIECE_BYTES = 64 * 1024


class DiallingAdapter(HTTPAdapter):
    """For the `requests.Session` of one exchange with the server that a URL names, and no other.

    Raises, beside what an `HTTPAdapter` does:
        UnavailableError: it leads elsewhere, or says too much.
        requests.exceptions.Timeout: it takes too long.
    """

    def __init__(self, server_url: str) -> None:
        """Where the server is, as the operator has named it."""
        self.limit = TimeLimit(0)
        """Of the answer that is waited for now."""
        self._server_url = server_url
        self._seconds_left = EXCHANGE_SECONDS
        self._bytes_left = EXCHANGE_BYTES
        super().__init__()

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        """Make the pools, with connections that try all addresses."""
        super().init_poolmanager(*given, **more)
        self._dial_with(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """The same for a proxy of the environment."""
        found = super().proxy_manager_for(proxy, **more)
        if urlsplit(proxy).scheme in DEFAULT_PORTS:  # others have connections of their own
            self._dial_with(found)
        return found

    def _dial_with(self, pools: PoolManager) -> None:
        by_scheme = dict(pools.pool_classes_by_scheme)
        for scheme, connection in (("http", _HTTPConnection), ("https", _HTTPSConnection)):
            pool = by_scheme[scheme]
            own = type(connection.__name__, (connection,), {"adapter": self})
            by_scheme[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": own})
        pools.pool_classes_by_scheme = by_scheme

    def send(
        self, request: requests.PreparedRequest, *given: Any, **more: Any
    ) -> requests.Response:
        """The answer, which has come as a whole."""
        if _place(request.url or "") != _place(self._server_url):
            raise UnavailableError(
                f"The ACME server {self._server_url} leads to {(request.url or '')[:200]!r},"
                " which is at another address than its directory. Nothing is asked there."
            )
        request.headers["Accept-Encoding"] = "identity"  # none unpacks to more than has come
        seconds = min(ANSWER_SECONDS, self._seconds_left)
        began_seconds = time.monotonic()
        with TimeLimit(seconds) as self.limit:
            late = requests.exceptions.ReadTimeout(
                f"an answer took longer than {seconds:.0f} seconds in all"
            )
            try:
                answer = super().send(request, *given, **{**more, "stream": True})
                content = self._whole(answer)
            except Exception:
                if self.limit.is_over:  # whatever the library makes of a connection that is gone
                    raise late from None
                raise
            finally:
                self._seconds_left -= time.monotonic() - began_seconds
            if self.limit.is_over:
                raise late
        vars(answer)["_content"] = content  # as the library keeps what it has read itself
        return answer

    def _whole(self, answer: requests.Response) -> bytes:
        content = bytearray()
        is_plain = answer.headers.get("Content-Encoding", "identity").lower() == "identity"
        for piece in answer.iter_content(_PIECE_BYTES) if is_plain else ():
            content += piece
            self._bytes_left -= len(piece)
            if len(content) > ANSWER_BYTES or self._bytes_left < 0:
                answer.close()
                raise UnavailableError(
                    f"The ACME server {self._server_url} says more than is kept:"
                    f" {ANSWER_BYTES // 1024**2} MB in one answer,"
                    f" {EXCHANGE_BYTES // 1024**2} MB for one order."
                )
        if not is_plain:
            answer.close()
            raise UnavailableError(
                f"The ACME server {self._server_url} compresses its answers, which it was not"
                " asked for."
            )
        return bytes(content)


def _place(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL; empty where it is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", "", None


class _HTTPConnection(HTTPConnection):
    adapter: DiallingAdapter

    def _new_conn(self) -> socket.socket:
        made = _by_best_address(self, super()._new_conn)
        self.adapter.limit.cover(made)
        return made

    def request(self, *given: Any, **more: Any) -> None:
        if self.sock is not None:  # of an answer before: the limit of this one covers it, too
            self.adapter.limit.cover(self.sock)
        super().request(*given, **more)


class _HTTPSConnection(_HTTPConnection, HTTPSConnection):
    """The same, with TLS over what it dials."""


def _by_best_address(connection: HTTPConnection, connect: Any) -> socket.socket:
    """Connect, with the address in the place of the name that TLS goes on to verify."""
    named = connection._dns_host  # noqa: SLF001  what is looked up, beside `host`
    timeout = connection.timeout
    patience = float(timeout) if isinstance(timeout, int | float) else None
    # EAI_NONAME, ETIMEDOUT, ECONNREFUSED of all addresses.
    with suppress(OSError, UnicodeError):  # urllib3 says itself that the name has no address
        connection._dns_host = best_address(named, connection.port or 0, patience)  # noqa: SLF001
    try:
        found: socket.socket = connect()
    finally:
        connection._dns_host = named  # noqa: SLF001
    return found
