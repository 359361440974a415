"""Connection limit: who has more connections to the gateway than one address may have?

In IPv6 whoever has one address has a network of them, which counts as one here.
Newcomers of such an address are hung up on, and get no tunnel. Those that carry a tunnel go on.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from cloudgate.background import Job
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.platform import close_connections, connections_by_address, most_connections
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.network import address_ranges
from cloudgate.network.hostport import join
from cloudgate.trust.login_throttle import client_network

CONNECTIONS_PER_ADDRESS = 1024
"""Unless the operator says otherwise; many tenants may come from behind one address."""
REVIEW_SECONDS = 1.0
LARGEST_PART = 0.02
"""Of one processor, that reviews may take."""

_log = structlog.get_logger(__name__)
ConnectionsByAddress = Mapping[str, Sequence[int]]


def by_network(callers: ConnectionsByAddress) -> dict[str, list[str]]:
    """By what one party can choose its addresses from: its connections, as ``address:port``. Pure.

    `callers`: the ports that each address comes from.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for address, ports in callers.items():
        found[client_network(address)] += (join(address, port) for port in ports)
    return found


def excess_connections(
    callers: Mapping[str, Sequence[str]], carrying: Collection[str], limit: int
) -> dict[str, list[str]]:
    """By who has more than `limit` connections: those of them to end. Pure.

    Args:
        callers: the connections of each, as ``address:port``.
        carrying: those that carry a tunnel.
        limit: how many each may have.
    """
    found = {}
    for network, names in callers.items():
        if len(names) > limit:
            without = [name for name in names if name not in carrying]
            found[network] = without[: len(names) - limit]
    return found


class ConnectionLimiter:
    """Hangs up on newcomers of addresses that have more connections than one may have."""

    def __init__(
        self,
        envoys: EnvoyProcesses,
        gateway_status: GatewayStatus,
        tracker: TunnelTracker,
        slots: TunnelSlots,
        *,
        limit: int = CONNECTIONS_PER_ADDRESS,
        look: Callable[[int], ConnectionsByAddress] = connections_by_address,
    ) -> None:
        """`limit`: connections that one address may have; `look`: who is connected to a port."""
        self._envoys = envoys
        self._gateway_status = gateway_status
        self._tracker = tracker
        self._slots = slots
        self._limit = limit
        self._look = look
        self._full: frozenset[str] = frozenset()

    def is_full(self, address: str) -> bool:
        """Whether an IP address has as many connections as one may have, as last counted."""
        return client_network(address) in self._full

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Counting the connections of each address",
            attempt=self.enforce,
            interval_seconds=REVIEW_SECONDS,
            largest_part=LARGEST_PART,
        )

    def enforce(self) -> None:
        """Hang up on those that are too many.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        pid, port = self._envoys.pid, self._gateway_status.port
        most = most_connections()
        if pid is None or port is None or (most is not None and most < self._limit):
            self._full = frozenset()
            return
        trusted = self._gateway_status.proxy_networks  # of whom each connection is somebody else's
        callers = by_network(
            {
                address: ports
                for address, ports in self._look(port).items()
                if not address_ranges.contains(trusted, address)
            }
        )
        self._full = frozenset(
            network for network, names in callers.items() if len(names) >= self._limit
        )
        if not self._full:
            return
        # The access log speaks of a tunnel a moment after it was let in.
        carrying = {tunnel.client for tunnel in self._tracker.live} | self._slots.unlogged.keys()
        for network, names in excess_connections(callers, carrying, self._limit).items():
            ended = close_connections(pid, names) if names else 0
            if ended:
                _log.warning("too many connections of one address", address=network, ended=ended)
