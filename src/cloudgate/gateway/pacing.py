"""How fast may each tunnel be, so that tenants keep to what they were sold, and to a fair part?

The kernel slows each connection of a tunnel; the rates are set anew twice a second from what each
has sent meanwhile. Tunnels that send little leave their share to the others. Setting a rate touches
neither the tunnel nor Envoy's configuration. While there is no limit and the machine has room,
nothing is measured and nothing set.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.gateway.allowances import Allowances
from cloudgate.gateway.directory import Directory
from cloudgate.gateway.envoy import Envoy
from cloudgate.gateway.fairness import Fairness
from cloudgate.gateway.flows import Flows
from cloudgate.gateway.load import Load
from cloudgate.gateway.system import Pacing
from cloudgate.gateway.tunnels import Tunnel
from cloudgate.gateway.watch import Watch
from cloudgate.sharing import Flow, shares

REVIEW_SECONDS = 0.5
LEAST_RATE_BYTES = 128 * 1024
"""What a connection may send each second in any case, where an equal part of the limit is as much.
The kernel sends two packets at once, and over loopback these are 64 KiB each: one that may send
less is silent for longer than a review, and is taken for idle."""
LARGEST_PART = 0.1
"""Of one processor, that reviews may take: with very many tunnels they are rarer."""

_log = structlog.get_logger(__name__)


class Pacer:
    """Keeps tenants to their speed on this gateway."""

    def __init__(
        self,
        envoy: Envoy,
        directory: Directory,
        watch: Watch,
        allowances: Allowances,
        *,
        fairness: Fairness,
        is_full: Callable[[], bool] | None = None,
    ) -> None:
        """`is_full`: whether the machine had no room for more since it was asked last."""
        self._envoy = envoy
        self._directory = directory
        self._watch = watch
        self._allowances = allowances
        self._fairness = fairness
        self._is_full = is_full or Load().is_full
        self._pacing: dict[int, Pacing] = {}
        self._rates: dict[str, int] = {}
        self._flows = Flows()
        self._looked = False
        self._complained = False

    async def run(self) -> None:
        """Review for ever."""
        while True:
            began = time.thread_time()  # not what others made it wait
            try:
                self.review()
            except UnavailableError as error:
                if not self._complained:
                    _log.error("speed limits are not kept", reason=error.message)
                self._complained = True
            took_seconds = time.thread_time() - began
            await asyncio.sleep(max(REVIEW_SECONDS, took_seconds / LARGEST_PART))

    def review(self) -> None:
        """Set the rates anew.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        by_tenant: dict[UUID, list[Tunnel]] = defaultdict(list)
        for tunnel in self._watch.live:
            by_tenant[tunnel.tenant_id].append(tunnel)
        sold = {tenant_id: self._sold(tenant_id) for tenant_id in by_tenant}
        limited = [who for who, limit in sold.items() if limit is not None]
        self._allowances.note({who: self._speed(by_tenant[who]) for who in limited})
        fair, measured = self._fair_parts(by_tenant)
        wanted: dict[str, dict[str, int | None]] = defaultdict(dict)
        for tenant_id, tunnels in by_tenant.items():
            names = {name: each.envoy for each in tunnels for name in _ends(each)}
            limits = [each for each in (sold[tenant_id], fair.get(tenant_id)) if each is not None]
            if not limits:
                # Those that were slowed are not any more, also by a host service before this one;
                # the others are only looked at.
                everyone = measured or not self._looked
                for name in names if everyone else names.keys() & self._rates.keys():
                    wanted[names[name]][name] = None
                continue
            limit = min(limits)
            flows = {name: self._flow(name, limit // len(names)) for name in names}
            least = min(LEAST_RATE_BYTES, limit // len(names))
            for name, rate in shares(limit, flows).items():
                wanted[names[name]][name] = max(rate, least)
        self._set(wanted)
        self._looked = True

    def _sold(self, tenant_id: UUID) -> int | None:
        tenant = self._directory.by_id(tenant_id)
        limit = tenant.speed_limit_bytes if tenant else None
        return None if limit is None else self._allowances.within(tenant_id, limit)

    def _fair_parts(
        self, by_tenant: Mapping[UUID, Sequence[Tunnel]]
    ) -> tuple[Mapping[UUID, int], bool]:
        """What a full gateway leaves to each tenant, and whether all tunnels are measured."""
        if len(by_tenant) <= 1:
            return {}, False
        is_full = self._is_full()
        if not (is_full or self._fairness.is_at_work):
            return {}, False
        sent = {who: self._speed(tunnels) for who, tunnels in by_tenant.items()}
        if not all(self._is_measured(tunnels) for tunnels in by_tenant.values()):
            return {}, True
        return self._fairness.allot(sent, is_full=is_full), True

    def _is_measured(self, tunnels: Sequence[Tunnel]) -> bool:
        return any(self._flows.knows(name) for each in tunnels for name in _ends(each))

    def _speed(self, tunnels: Sequence[Tunnel]) -> float:
        """What a tenant has sent each second lately, in both directions."""
        names = [name for each in tunnels for name in _ends(each)]
        return sum(self._flow(name, 0).sent_bytes for name in names)

    def _flow(self, name: str, usual: int) -> Flow:
        rate = self._rates.get(name, usual)
        speed = self._flows.speed(name)
        # A new one may have its share until more is known.
        return Flow(rate, rate if speed is None else speed)

    def _set(self, wanted: Mapping[str, Mapping[str, int | None]]) -> None:
        sent: dict[str, int] = {}
        rates: dict[str, int] = {}
        pids: set[int] = set()
        for mark, some in wanted.items():
            pid = self._envoy.pid_of(mark)
            if pid is None:
                continue
            pids.add(pid)
            sent |= self._pacing.setdefault(pid, Pacing(pid)).set(some)
            rates |= {name: rate for name, rate in some.items() if rate is not None}
        self._pacing = {pid: each for pid, each in self._pacing.items() if pid in pids}
        self._flows.note(time.monotonic(), sent, rates)
        self._rates = rates


def _ends(tunnel: Tunnel) -> tuple[str, ...]:
    """The names of a tunnel's two connections; what is sent to the tenant, and to the target."""
    return tuple(name for name in (tunnel.client, tunnel.from_address) if name)
