"""Fact changes: how often may a machine say something else of itself?

Each time its gateway and others are told anew.
"""

from datetime import datetime, timedelta
from uuid import UUID

CHANGES_AT_ONCE = 30
CHANGE_SECONDS = 10.0
"""So many times one after the other, and then once in so long."""


class FactChangeThrottle:
    """Until when each machine has used up its changes. May be used from any thread."""

    def __init__(self) -> None:
        self._until: dict[UUID, datetime] = {}

    def may_change(self, server_id: UUID, now: datetime) -> bool:
        """A machine says something else of itself. Whether that is heard."""
        until = self._used_until(server_id, now)
        return until - now <= timedelta(seconds=CHANGE_SECONDS * (CHANGES_AT_ONCE - 1))

    def record(self, server_id: UUID, now: datetime) -> None:
        """It was heard, and is written down."""
        until = self._used_until(server_id, now)
        self._until[server_id] = until + timedelta(seconds=CHANGE_SECONDS)

    def forget(self, server_id: UUID) -> None:
        """It may say all of it again."""
        self._until.pop(server_id, None)

    def _used_until(self, server_id: UUID, now: datetime) -> datetime:
        until = max(self._until.get(server_id, now), now)
        # So far ahead it never gets but by a clock that is put back.
        is_far = until - now > timedelta(seconds=CHANGE_SECONDS * CHANGES_AT_ONCE)
        return now if is_far else until
