"""Host timestamps: when did each host last do something, by a clock that may be put back meanwhile?

A moment that is yet to come is of before the clock was put back, and counts as of now: who is gone
would be there else until the clock has come so far again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID


class HostTimestamps:
    """When each host last did something. May be used from any thread."""

    def __init__(self, leeway: timedelta) -> None:
        """`leeway`: a moment that is ahead by as much is of before a clock was put back."""
        self._leeway = leeway
        self._at: dict[UUID, datetime] = {}
        self._ahead: dict[UUID, tuple[datetime, datetime]] = {}
        """Beside what is kept, as a transaction may see it so that began before a clock was set."""

    def record(self, server_id: UUID, now: datetime) -> None:
        """It does now."""
        self._at[server_id] = now

    def forget(self, server_id: UUID) -> None:
        """It never did."""
        self._at.pop(server_id, None)
        self._ahead.pop(server_id, None)

    def of(self, server_id: UUID, now: datetime) -> datetime | None:
        """When it last did; None for never."""
        found = self._at.get(server_id)
        return found if found is None or found - now < self._leeway else self._seen(server_id, now)

    def all(self, now: datetime) -> Mapping[UUID, datetime]:
        """When each last did."""
        latest = now + self._leeway
        return {
            each: at if at < latest else self._seen(each, now)
            for each, at in dict(self._at).items()
        }

    def _seen(self, server_id: UUID, now: datetime) -> datetime:
        at, since = self._at.get(server_id, now), now
        known = self._ahead.get(server_id)
        if known is not None and known[0] == at:
            since = min(known[1], now)
        self._ahead[server_id] = at, since
        return since
