"""Host refusals: when was something refused that came in a host's name, and is that over?"""

from datetime import datetime
from uuid import UUID

from cloudgate.manager.registries.hosts.host_timestamps import HostTimestamps
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR, Presence


class HostRefusals:
    """When something of each host was last refused. May be used from any thread."""

    def __init__(self, presence: Presence) -> None:
        """`presence`: of these hosts."""
        self._presence = presence
        self._refused = HostTimestamps(ONLINE_FOR)

    def record(self, server_id: UUID, now: datetime) -> None:
        """Something was refused that came in this host's name."""
        self._refused.record(server_id, now)

    def are_over(self, server_id: UUID, now: datetime) -> bool:
        """Whether the host is heard of, and nothing came in its name for a while that was refused.

        What came before this process began is taken to have come then.
        """
        refused = self._refused.of(server_id, now) or self._presence.beginning(now)
        heard = self._presence.last(server_id, now)
        is_long_ago = refused <= self._presence.listening.since(ONLINE_FOR, now)
        return heard is not None and heard > refused and is_long_ago

    def forget(self, server_id: UUID) -> None:
        """Nothing was ever refused of it."""
        self._refused.forget(server_id)
