"""Tunnel closer: how does a single tunnel end, so that its program sees that it was cut?"""

from collections.abc import Collection, Iterable, Sequence

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import AccessRecord
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.platform import close_connections
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.network.connection_names import connection_name

_log = structlog.get_logger(__name__)


class TunnelCloser:
    """Ends tunnels one by one: the connections of others go on."""

    def __init__(self, envoys: EnvoyProcesses) -> None:
        self._envoys = envoys
        self._closed: set[str] = set()
        """Those that were ended, until the access log says so."""

    def terminate(self, tunnels: Iterable[Tunnel], reason: str) -> int:
        """End these tunnels; how many there were.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        by_envoy: dict[str, list[Tunnel]] = {}
        for each in tunnels:
            if each.tunnel not in self._closed:
                by_envoy.setdefault(each.envoy, []).append(each)
        found = 0
        for mark, some in by_envoy.items():
            pid = self._envoys.pid_of(mark)
            if pid is not None:
                found += close_connections(pid, [each.client_connection for each in some])
                self._closed |= {each.tunnel for each in some}
        _note(found, reason)
        return found

    def terminate_connections(self, clients: Collection[str], reason: str) -> None:
        """End the tunnels that come from these addresses and ports, whichever Envoy has them.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        # All at once: to find one, each connection of an Envoy is looked at.
        _note(sum(close_connections(pid, clients) for pid in self._envoys.pids), reason)

    def tear(self, torn: Sequence[AccessRecord], in_use: Collection[str]) -> None:
        """Tear what targets tore, before Envoy closes it in order: an end may mean all was sent.

        `in_use`: the names of live tunnels' connections.
        """
        by_envoy: dict[str, list[str]] = {}
        for entry in torn:
            name = connection_name(entry.gateway_address, entry.client)
            if name not in in_use:
                by_envoy.setdefault(entry.envoy, []).append(name)
        for mark, clients in by_envoy.items():
            pid = self._envoys.pid_of(mark)
            if pid is None:
                continue
            try:
                close_connections(pid, clients)
            except UnavailableError as error:
                _log.warning("a target's reset is not passed on", reason=error.message)

    def closed_of(self, live: Collection[str]) -> set[str]:
        """Which of the tunnels that are live were ended here; the others are forgotten."""
        self._closed &= set(live)
        return self._closed


def _note(ended: int, reason: str) -> None:
    if ended:
        _log.info("tunnels ended", tunnels=ended, reason=reason)
