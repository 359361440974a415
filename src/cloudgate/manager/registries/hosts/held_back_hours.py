"""Held-back hours: in which hours was who held back, until somebody writes that down?"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

MOST_KEPT = 100_000
"""Hours of all tenants and hosts together: a host may name whom it likes."""
HOUR_SECONDS = 3600.0
LONGEST_UNHEARD_SECONDS = 24 * HOUR_SECONDS
"""What a host that was not heard for longer has counted meanwhile is of so long a time at most."""


@dataclass
class HeldBack:
    """For how long somebody got less speed than they would have taken, and by what."""

    limit_seconds: float = 0.0
    share_seconds: float = 0.0

    def add(self, limit_seconds: float, share_seconds: float) -> None:
        """For so much longer."""
        self.limit_seconds += limit_seconds
        self.share_seconds += share_seconds


TakenHours = dict[UUID, dict[tuple[UUID, float], HeldBack]]
"""By tenant, and then by server and when the hour began, in seconds since 1970."""


def parts_by_hour(since: float, until: float) -> list[tuple[float, float]]:
    """The hours that a time lies in, and which part of it lies in each. Pure."""
    since = max(since, until - LONGEST_UNHEARD_SECONDS)
    hour = until // HOUR_SECONDS * HOUR_SECONDS
    if since >= hour:
        return [(hour, 1.0)]
    found, end = [], until
    while end > since:
        hour = (end - 1e-6) // HOUR_SECONDS * HOUR_SECONDS
        found.append((hour, (end - max(hour, since)) / (until - since)))
        end = hour
    return found


class HeldBackHours:
    """The hours that nobody has written down yet. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_tenant: TakenHours = {}
        self._kept = 0

    def add(
        self, tenant_id: UUID, server_id: UUID, hours: list[tuple[float, float]], time: HeldBack
    ) -> None:
        """A tenant was held back at a host for a time, a part of which lies in each of hours."""
        with self._lock:
            for hour, part in hours:
                more = HeldBack(time.limit_seconds * part, time.share_seconds * part)
                self._note(tenant_id, server_id, hour, more)

    def of(self, tenant_id: UUID) -> Mapping[float, HeldBack]:
        """When a tenant was held back, by the beginning of each hour that nobody has taken yet."""
        found: dict[float, HeldBack] = defaultdict(HeldBack)
        with self._lock:
            for (_server_id, hour), each in self._by_tenant.get(tenant_id, {}).items():
                found[hour].add(each.limit_seconds, each.share_seconds)
        return found

    def take(self, before: float) -> TakenHours:
        """Who was held back in the hours that began before then: to be written down once."""
        taken: TakenHours = {}
        with self._lock:
            for tenant_id, hours in list(self._by_tenant.items()):
                due = {key: each for key, each in hours.items() if key[1] < before}
                if due:
                    taken[tenant_id] = due
                    self._by_tenant[tenant_id] = {key: hours[key] for key in hours.keys() - due}
                    self._kept -= len(due)
                if not self._by_tenant[tenant_id]:
                    del self._by_tenant[tenant_id]
        return taken

    def give_back(self, taken: TakenHours) -> None:
        """It was not written down after all."""
        with self._lock:
            for tenant_id, hours in taken.items():
                for (server_id, hour), each in hours.items():
                    self._note(tenant_id, server_id, hour, each)

    def _note(self, tenant_id: UUID, server_id: UUID, hour: float, more: HeldBack) -> None:
        hours, key = self._by_tenant.get(tenant_id, {}), (server_id, hour)
        if key not in hours:
            if self._kept >= MOST_KEPT:
                return
            self._kept += 1
            hours = self._by_tenant.setdefault(tenant_id, hours)
        hours.setdefault(key, HeldBack()).add(more.limit_seconds, more.share_seconds)
