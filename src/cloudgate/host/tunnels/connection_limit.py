"""Connection limit: who has more connections to the gateway than one address may have?

Newcomers of such an address are hung up on, and get no tunnel. Those that carry a tunnel go on.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from cloudgate.background import Background, Job
from cloudgate.host.envoy.supervisor import Envoy
from cloudgate.host.platform import callers_at, cut
from cloudgate.host.state.gateway_status import Role
from cloudgate.host.tunnels.tracker import Watch
from cloudgate.network.hostport import join

CONNECTIONS_PER_ADDRESS = 1024
"""Unless the operator says otherwise; many tenants may come from behind one address."""
REVIEW_SECONDS = 1.0
LARGEST_PART = 0.02
"""Of one processor, that reviews may take."""

_log = structlog.get_logger(__name__)
Callers = Mapping[str, Sequence[int]]


def too_many(callers: Callers, carrying: Collection[str], limit: int) -> dict[str, list[str]]:
    """By address that has more than `limit` connections: those of them to end. Pure.

    Args:
        callers: the ports that each address comes from.
        carrying: connections that carry a tunnel, as ``address:port``.
        limit: connections of one address.
    """
    found = {}
    for address, ports in callers.items():
        if len(ports) > limit:
            names = [_name(address, port) for port in ports]
            without = [name for name in names if name not in carrying]
            found[address] = without[: len(ports) - limit]
    return found


def _name(address: str, port: int) -> str:
    return join(address, port)


class Crowd:
    """Hangs up on newcomers of addresses that have more connections than one may have."""

    def __init__(
        self,
        envoy: Envoy,
        role: Role,
        watch: Watch,
        *,
        limit: int = CONNECTIONS_PER_ADDRESS,
        look: Callable[[int], Callers] = callers_at,
    ) -> None:
        """`limit`: connections that one address may have; `look`: who is connected to a port."""
        self._envoy = envoy
        self._role = role
        self._watch = watch
        self._limit = limit
        self._look = look

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Counting the connections of each address",
            attempt=self.review,
            interval_seconds=REVIEW_SECONDS,
            largest_part=LARGEST_PART,
        )

    async def run(self) -> None:
        """Review for ever."""
        await Background([self.job()]).run()

    def review(self) -> None:
        """Hang up on those that are too many.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        pid, port = self._envoy.pid, self._role.port
        if pid is None or port is None:
            self._role.crowded = frozenset()
            return
        callers = self._look(port)
        self._role.crowded = frozenset(
            address for address, ports in callers.items() if len(ports) >= self._limit
        )
        if not self._role.crowded:
            return
        carrying = {tunnel.client for tunnel in self._watch.live}
        for address, names in too_many(callers, carrying, self._limit).items():
            ended = cut(pid, names) if names else 0
            if ended:
                _log.warning("too many connections of one address", address=address, ended=ended)
