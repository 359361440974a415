"""Clones: as which hosts has another machine spoken, and are both of them there?"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from cloudgate.manager.registries.hosts.presence import ONLINE_FOR, Presence


@dataclass(frozen=True)
class _CloneSuspicion:
    """Machines that speak as a host and are not the one that joined."""

    since: datetime
    last: datetime


class CloneDetector:
    """Which hosts others have spoken as lately. May be used from any thread."""

    def __init__(self, presence: Presence) -> None:
        """`presence`: of the hosts that joined."""
        self._presence = presence
        self._suspected: dict[UUID, _CloneSuspicion] = {}

    def detect(self, server_id: UUID, now: datetime) -> bool:
        """Another machine has spoken as this host. Whether both of them are there.

        They are when the host was heard of since the other one first spoke. A machine that was
        started anew is another one, too; but the one that it was before says nothing any more.
        """
        known = self._suspected.get(server_id)
        if known is None or abs(now - known.last) >= ONLINE_FOR:
            known = _CloneSuspicion(now, now)
        self._suspected[server_id] = replace(known, last=now)
        heard = self._presence.last(server_id, now)
        return heard is not None and heard > known.since

    def is_contested(self, server_id: UUID, now: datetime) -> bool:
        """Whether another machine has spoken as this host, which was not heard of since."""
        suspected = self._suspected.get(server_id)
        if suspected is None or suspected.since - now >= ONLINE_FOR:
            return False
        heard = self._presence.last(server_id, now)
        return heard is None or heard <= suspected.since

    def forget(self, server_id: UUID) -> None:
        """Nobody else speaks as this host from here on, as far as is known."""
        self._suspected.pop(server_id, None)
