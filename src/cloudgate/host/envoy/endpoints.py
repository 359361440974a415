"""Local endpoints: how do host service and Envoy reach each other, and nobody else either?

Envoy asks the host service whether a tunnel may begin, and the host service asks Envoy's
administration what is going on. On Unix both are sockets in a folder of one user. Where there are
no such sockets, both are ports of the loopback interface, which every user of the machine reaches.
"""

import socket
import ssl
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import httpx2

from cloudgate.host.envoy.loopback_endpoints import LoopbackEndpoints
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.state.paths import StatePaths


class LocalEndpoints(Protocol):
    """How host service and Envoy reach each other: by Unix sockets, or by ports of loopback."""

    @property
    def context(self) -> ssl.SSLContext | None:
        """How those who ask the authorizer prove that they may; None where the socket does."""
        ...

    def listen(self) -> socket.socket:
        """The authorizer's socket, listening: the one that was handed over, or else a new one."""
        ...

    def authorizer_endpoint(self) -> dict[str, Any]:
        """Where Envoy finds the authorizer, once that listens.

        ``address``, for its endpoint (Envoy: config.core.v3.Address), and ``transport_socket``,
        for its cluster, where it needs one.
        """
        ...

    def admin_config(self, mark: str) -> dict[str, Any]:
        """Where the Envoy with that mark has its administration (Envoy: config.bootstrap.v3.Admin).

        An Envoy of an earlier release has no mark.
        """
        ...

    def command_line(self, mark: str) -> Sequence[str]:
        """What that Envoy has to be told of it at its command line."""
        ...

    def admin_client(self, mark: str) -> httpx2.AsyncClient | None:
        """A client of that administration; None while nobody knows where it is."""
        ...

    def cleanup(self, mark: str) -> None:
        """Remove what an Envoy that is gone has left."""
        ...


def local_endpoints(paths: StatePaths) -> LocalEndpoints:
    """The endpoints that this system has."""
    return LoopbackEndpoints(paths) if sys.platform == "win32" else UnixEndpoints(paths)
