"""Unix endpoints: how do host service and Envoy meet? By sockets in a folder of one user."""

import socket
import ssl
from collections.abc import Sequence
from typing import Any

import httpx2

from cloudgate.host.state.disk_reserve import DiskReserve
from cloudgate.host.state.paths import StatePaths
from cloudgate.network.http_transport import AsyncUnixTransport
from cloudgate.processes.socket_handoff import BACKLOG, inherit_listener
from cloudgate.processes.unix_sockets import bound

ANSWER_SECONDS = 3.0
"""How long one answer of the administration may take. Envoy answers in milliseconds unless it is
stuck."""


class UnixEndpoints:
    """Local endpoints on Unix sockets, in a folder that one user can enter."""

    context: ssl.SSLContext | None = None

    def __init__(self, paths: StatePaths) -> None:
        self._paths = paths

    def listen(self) -> socket.socket:
        """A socket at its path."""
        path = self._paths.authorizer_socket
        found = inherit_listener(socket.AF_UNIX, str(path))
        if found is not None:
            return found
        # Without it nobody is let in: that is worth the room that is kept for a full disk.
        reserve = DiskReserve(self._paths.reserve)
        made = reserve.release_for(lambda: bound(socket.SOCK_STREAM, path))
        made.listen(BACKLOG)
        return made

    def authorizer_endpoint(self) -> dict[str, Any]:
        """Its path; the folder keeps others out."""
        return {"address": {"pipe": {"path": str(self._paths.authorizer_socket)}}}

    def admin_config(self, mark: str) -> dict[str, Any]:
        """A socket for the owner only."""
        path = str(self._paths.admin_socket(mark))
        return {"address": {"pipe": {"path": path, "mode": 0o600}}}

    def command_line(self, mark: str) -> Sequence[str]:
        """Nothing: where it is, is known."""
        del mark
        return ()

    def admin_client(self, mark: str) -> httpx2.AsyncClient:
        """By its socket."""
        transport = AsyncUnixTransport(self._paths.admin_socket(mark))
        return httpx2.AsyncClient(
            transport=transport, base_url="http://envoy", timeout=ANSWER_SECONDS
        )

    def cleanup(self, mark: str) -> None:
        """Its socket."""
        self._paths.admin_socket(mark).unlink(missing_ok=True)
