"""The ACME library's HTTP client: how does it try all addresses of the ACME server's name?"""

import socket
from contextlib import suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from cloudgate.network.happy_eyeballs import best_address


class DiallingAdapter(HTTPAdapter):
    """For `requests.Session`."""

    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        """Make the pools, with connections that try all addresses."""
        super().init_poolmanager(*given, **more)
        by_scheme = dict(self.poolmanager.pool_classes_by_scheme)
        for scheme, connection in (("http", _HTTPConnection), ("https", _HTTPSConnection)):
            pool = by_scheme[scheme]
            by_scheme[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
        self.poolmanager.pool_classes_by_scheme = by_scheme


class _HTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _by_best_address(self, super()._new_conn)


class _HTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _by_best_address(self, super()._new_conn)


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
