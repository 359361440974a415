"""Rate allocations: what part of a tenant's limit has this gateway, of several?

Hosts tell the manager how much their limited tenants send, and hear their part of each limit. What
was heard is good for a while only: without the manager each gateway keeps to the whole limit.
"""

import time
from collections.abc import Callable, Mapping
from uuid import UUID

from cloudgate.protocol import Allowance, Demand

TTL_SECONDS = 30.0
"""How long a part holds that was not told again."""
LINGER_SECONDS = 15.0
"""How long the manager is told of a tenant that left, so that others have its part at once."""


class RateAllocations:
    """This gateway's parts of tenants' limits, for as long as they are fresh."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._parts: Mapping[UUID, int] = {}
        self._heard_at_seconds = 0.0
        self._demands: tuple[Demand, ...] = ()
        self._seen_at_seconds: Mapping[UUID, float] = {}

    @property
    def demands(self) -> tuple[Demand, ...]:
        """What each limited tenant that is here, or was just now, sends each second."""
        return self._demands

    def report_demand(self, sent_bytes: Mapping[UUID, float]) -> None:
        """What each limited tenant that is here has sent each second since the last time."""
        now = self._clock_seconds()
        seen = {who: at for who, at in self._seen_at_seconds.items() if now - at <= LINGER_SECONDS}
        self._seen_at_seconds = seen | dict.fromkeys(sent_bytes, now)
        self._demands = tuple(
            Demand(tenant_id=who, sent_bytes=int(sent_bytes.get(who, 0)))
            for who in self._seen_at_seconds
        )

    def update(self, allowances: tuple[Allowance, ...]) -> None:
        """The manager has divided the limits anew."""
        self._parts = {
            each.tenant_id: each.limit_bytes for each in allowances if each.limit_bytes is not None
        }
        self._heard_at_seconds = self._clock_seconds()

    def limit_for(self, tenant_id: UUID, limit_bytes: int) -> int:
        """What a tenant may send here each second, of the limit that it was sold."""
        if self._clock_seconds() - self._heard_at_seconds > TTL_SECONDS:
            return limit_bytes
        return min(limit_bytes, self._parts.get(tenant_id, limit_bytes))
