"""Rate allocator: what part of a tenant's speed limit has each of its gateways?

Kept in memory: it is about the last seconds, and each host says it again every few.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from uuid import UUID

from cloudgate.max_min import Flow, max_min_shares
from cloudgate.protocol import Allowance, Demand

FRESH_SECONDS = 15.0
"""Who has said nothing for so long does not count any more."""
LEAST_PART = 0.1
"""The part of a limit that gateways have at least, all together, to begin with something."""


@dataclass(frozen=True)
class _HostDemand:
    at_seconds: float
    sent_bytes: int
    given_bytes: int


class RateAllocator:
    """Divides each limit by what the tenant sends through each gateway. Any thread may call."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._said: dict[UUID, dict[UUID, _HostDemand]] = {}

    def allocate(
        self,
        server_id: UUID,
        demands: Iterable[Demand],
        limits: Mapping[UUID, int],
        now_seconds: float,
    ) -> tuple[Allowance, ...]:
        """The parts of a host, from what it says that it sends.

        Args:
            server_id: the managed server.
            demands: what it sends.
            limits: bytes each second, by tenant; tenants without a limit are left out.
            now_seconds: by a clock that only goes forward.
        """
        with self._lock:
            return tuple(
                Allowance(
                    tenant_id=each.tenant_id,
                    limit_bytes=self._part(server_id, each, limits[each.tenant_id], now_seconds),
                )
                for each in demands
                if each.tenant_id in limits
            )

    def _part(self, server_id: UUID, demand: Demand, limit: int, now_seconds: float) -> int:
        said = {
            server: each
            for server, each in self._said.get(demand.tenant_id, {}).items()
            if now_seconds - each.at_seconds <= FRESH_SECONDS
        }
        before = said.get(server_id)
        given = min(before.given_bytes, limit) if before else limit
        said[server_id] = _HostDemand(now_seconds, demand.sent_bytes, given)
        flows = {server: Flow(each.given_bytes, each.sent_bytes) for server, each in said.items()}
        part = max_min_shares(limit, flows, LEAST_PART)[server_id] if len(said) > 1 else limit
        said[server_id] = replace(said[server_id], given_bytes=part)
        self._said[demand.tenant_id] = said
        return part
