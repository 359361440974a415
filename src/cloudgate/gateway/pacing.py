"""How fast may each tunnel of a tenant be, so that together they keep to what it was sold?

The kernel slows each connection of a tunnel; the rates are set anew twice a second from what each
has sent meanwhile. Tunnels that send little leave their share to the others. Setting a rate touches
neither the tunnel nor Envoy's configuration.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.gateway.directory import Directory
from cloudgate.gateway.envoy import Envoy
from cloudgate.gateway.system import Pacing
from cloudgate.gateway.tunnels import Tunnel
from cloudgate.gateway.watch import Watch

REVIEW_SECONDS = 0.5
_USES_ITS_SHARE = 0.75
"""A connection that sends this part of its rate would send more if it might."""
_ROOM = 1.5
"""How much more than it sent a connection may send, when it does not use its share."""
_LEAST_PART = 0.02
"""The part of a tenant's limit that each connection has at least, to begin with something."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Flow:
    """One direction of a tunnel: how much it may send, and does, each second."""

    rate_bytes: int
    sent_bytes: float


def shares(limit_bytes: int, flows: Mapping[str, Flow]) -> dict[str, int]:
    """What each flow may send each second, fairly, and all together not more than the limit. Pure.

    Who needs less than an equal share gets what it needs and some room; the rest is shared equally
    by those who would send more.
    """
    least = max(1, int(limit_bytes * _LEAST_PART / max(len(flows), 1)))
    wanted = {name: _wanted(flow, least) for name, flow in flows.items()}
    left, given = float(limit_bytes), {}
    by_need = sorted(flows, key=lambda name: wanted[name])
    for number, name in enumerate(by_need):
        equal = left / (len(by_need) - number)
        given[name] = max(1, int(min(wanted[name], equal)))
        left -= given[name]
    return given


def _wanted(flow: Flow, least: int) -> float:
    if flow.sent_bytes >= _USES_ITS_SHARE * flow.rate_bytes:
        return float("inf")
    return max(least, flow.sent_bytes * _ROOM)


class Pacer:
    """Keeps tenants to their speed on this gateway."""

    def __init__(self, envoy: Envoy, directory: Directory, watch: Watch) -> None:
        self._envoy = envoy
        self._directory = directory
        self._watch = watch
        self._pacing: dict[int, Pacing] = {}
        self._rates: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._reviewed_at_seconds = time.monotonic()
        self._complained = False

    async def run(self) -> None:
        """Review for ever."""
        while True:
            try:
                self.review()
            except UnavailableError as error:
                if not self._complained:
                    _log.error("speed limits are not kept", reason=error.message)
                self._complained = True
            await asyncio.sleep(REVIEW_SECONDS)

    def review(self) -> None:
        """Set the rates anew.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        now = time.monotonic()
        seconds, self._reviewed_at_seconds = now - self._reviewed_at_seconds, now
        wanted: dict[str, dict[str, int | None]] = defaultdict(dict)
        for tunnels, limit in self._of_tenants():
            names = {name: each.envoy for each in tunnels for name in _ends(each)}
            if limit is None:
                # It was limited until now.
                for name in names.keys() & self._rates.keys():
                    wanted[names[name]][name] = None
                continue
            flows = {name: self._flow(name, limit, len(names), seconds) for name in names}
            for name, rate in shares(limit, flows).items():
                wanted[names[name]][name] = rate
        self._set(wanted)

    def _of_tenants(self) -> list[tuple[Sequence[Tunnel], int | None]]:
        by_tenant: dict[object, list[Tunnel]] = defaultdict(list)
        for tunnel in self._watch.live:
            by_tenant[tunnel.tenant_id].append(tunnel)
        found: list[tuple[Sequence[Tunnel], int | None]] = []
        for tunnels in by_tenant.values():
            tenant = self._directory.by_id(tunnels[0].tenant_id)
            found.append((tunnels, tenant.speed_limit_bytes if tenant else None))
        return found

    def _flow(self, name: str, limit: int, flows: int, seconds: float) -> Flow:
        rate = self._rates.get(name, limit // flows)
        before, now = self._before.get(name), self._sent.get(name)
        if before is None or now is None or seconds <= 0:
            return Flow(rate, rate)  # a new one may have its share until more is known
        return Flow(rate, (now - before) / seconds)

    def _set(self, wanted: Mapping[str, Mapping[str, int | None]]) -> None:
        self._before, self._sent = self._sent, {}
        rates: dict[str, int] = {}
        pids: set[int] = set()
        for mark, some in wanted.items():
            pid = self._envoy.pid_of(mark)
            if pid is None:
                continue
            pids.add(pid)
            self._sent |= self._pacing.setdefault(pid, Pacing(pid)).set(some)
            rates |= {name: rate for name, rate in some.items() if rate is not None}
        self._pacing = {pid: each for pid, each in self._pacing.items() if pid in pids}
        self._rates = rates


def _ends(tunnel: Tunnel) -> tuple[str, ...]:
    """The names of a tunnel's two connections; what is sent to the tenant, and to the target."""
    return tuple(name for name in (tunnel.client, tunnel.from_address) if name)
