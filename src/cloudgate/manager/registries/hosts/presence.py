"""Presence: which hosts were heard of lately?

The database learns of it now and then. A host polls every half minute; writing each of them down
would be most of what the database does.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from cloudgate.manager.registries.hosts.host_timestamps import HostTimestamps
from cloudgate.manager.registries.hosts.listening_time import ListeningTime
from cloudgate.protocol import POLL_SECONDS

ONLINE_FOR = timedelta(seconds=POLL_SECONDS + 10)
"""A host that polls is heard of at least this often."""
NOTED_EVERY = timedelta(seconds=60)
"""How old the time may get that the database has of a host that speaks all the time."""
TAKEN_OVER_WITHIN = timedelta(seconds=20)
"""Another manager goes on, or the same one again, so soon after the last time that it learned."""

LONGEST_SILENCE = ONLINE_FOR + NOTED_EVERY + TAKEN_OVER_WITHIN
"""Who was last heard of longer ago is not taken to be there in any case."""


class Presence:
    """When each host was last heard of."""

    def __init__(
        self, began: datetime | None = None, listening: ListeningTime | None = None
    ) -> None:
        """What it goes by.

        Args:
            began: when nobody had been heard yet; when it is first asked where left out.
            listening: for how long anybody could be heard.
        """
        self._began = began
        self.listening = listening or ListeningTime()
        self._heard = HostTimestamps(ONLINE_FOR)

    def has_listened(self, now: datetime) -> bool:
        """Whether hosts that are there have had the time to be heard since nobody had been."""
        return self.beginning(now) <= self.listening.since(ONLINE_FOR, now)

    def beginning(self, now: datetime) -> datetime:
        """When nobody had been heard yet."""
        if self._began is None or self._began > now:
            self._began = now
        return self._began

    def is_there(self, last: datetime, now: datetime, *, was_online: bool) -> bool:
        """Whether a host is taken to be there that was last heard of then."""
        return last > self.there_since(now, was_online=was_online)

    def there_since(self, now: datetime, *, was_online: bool) -> datetime:
        """A host that was heard of later is taken to be there.

        At the start, only what the database has learned is known of those that were online.
        """
        is_awaited = was_online and not self.has_listened(now)
        return self.listening.since(LONGEST_SILENCE if is_awaited else ONLINE_FOR, now)

    def touch(self, server_id: UUID, now: datetime) -> None:
        """A host has spoken. May be called from any thread."""
        self._heard.record(server_id, now)

    def forget(self, server_id: UUID) -> None:
        """It was never heard of."""
        self._heard.forget(server_id)

    def last(
        self, server_id: UUID, now: datetime, noted: datetime | None = None
    ) -> datetime | None:
        """When a host was last heard of; `noted`: as far as the database has it."""
        heard = self._heard.of(server_id, now)
        if noted is None:
            return heard
        if noted - now >= ONLINE_FOR:
            noted = self.beginning(now)
        return max(heard or noted, noted)

    def all(self, now: datetime) -> Mapping[UUID, datetime]:
        """When each was last heard of by this process."""
        return self._heard.all(now)
