"""Which hosts have been heard of lately? Kept in memory; the database learns of it now and then.

A host polls every half minute; writing each of them down would be most of what the database does.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from cloudgate.assignment import POLL_SECONDS

ONLINE_FOR = timedelta(seconds=POLL_SECONDS + 10)
"""A host that polls is heard of at least this often."""


class Presence:
    """When each host was last heard of."""

    def __init__(self) -> None:
        self._heard: dict[UUID, datetime] = {}

    def hear(self, server_id: UUID, now: datetime) -> None:
        """A host has spoken. May be called from any thread."""
        self._heard[server_id] = now

    def forget(self, server_id: UUID) -> None:
        """The host has no business here any more."""
        self._heard.pop(server_id, None)

    def last(self, server_id: UUID) -> datetime | None:
        """When a host was last heard of by this process."""
        return self._heard.get(server_id)

    def all(self) -> Mapping[UUID, datetime]:
        """When each was last heard of."""
        return dict(self._heard)
