"""Connection rates: what may each connection of a tenant send, of what the tenant may? Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloudgate.max_min import EVERYTHING, ROOM, allocate

SAVED_SECONDS, OWED_SECONDS = 1.0, 2.5
"""Within so long what was too little is made good, and what was too much: the latter more slowly,
since many tunnels with little each are silent for a while when they have less. Neither sooner than
it is looked at again, or more would be made good than there was."""
MOST_OWED_PART, MOST_SAVED_PART = 0.5, 0.3
"""Of what a second allows."""


@dataclass(frozen=True)
class ConnectionShare:
    """How fast a connection is in one direction, and whether it would be faster."""

    speed_bytes: float
    is_pressing: bool
    """Whether it would send more."""


def rates_within(limit_bytes: float, lines: Mapping[str, ConnectionShare]) -> dict[str, int]:
    """What each may send each second.

    Those that would send more have equal parts of what the others leave. The others may begin to
    send at any time: until that is seen, they have as much all together as the limit.
    """
    demands = {
        name: EVERYTHING if each.is_pressing else each.speed_bytes * ROOM
        for name, each in lines.items()
    }
    given = allocate(limit_bytes, demands)
    idle = [name for name, each in lines.items() if not each.is_pressing]
    for name in idle:
        given[name] = max(given[name], int(limit_bytes / len(idle)))
    return given


class TokenBucket:
    """What a tenant has sent, against what it may send."""

    def __init__(self, now_seconds: float) -> None:
        self.at_seconds = now_seconds
        """When it was noted last."""
        self._balance_bytes = 0.0
        self._between_seconds = 0.0
        """How far apart the last two times were."""

    def record_sent(self, now_seconds: float, limit_bytes: int, sent_bytes: int) -> None:
        """So much was sent since the last time."""
        self._between_seconds = now_seconds - self.at_seconds
        allowed = limit_bytes * self._between_seconds
        self.at_seconds = now_seconds
        balance = self._balance_bytes + allowed - sent_bytes
        most, least = MOST_SAVED_PART * limit_bytes, -MOST_OWED_PART * limit_bytes
        self._balance_bytes = min(max(balance, least), most)

    def within(self, limit_bytes: int) -> float:
        """What may be sent each second until the next time."""
        within_seconds = SAVED_SECONDS if self._balance_bytes > 0 else OWED_SECONDS
        return limit_bytes + self._balance_bytes / max(within_seconds, self._between_seconds)
