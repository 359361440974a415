"""Plausibility of usage: can it be that so much was used through that host, then? Pure.

A host counts what tenants are billed for, and a stolen one may count whatever it likes. It is
believed as far as a line goes: since what it told before, one of `LINE_BYTES` a second cannot have
carried more than fits in between. How the bytes lie within that time does not matter, as a host
that was away for long tells what it has gathered by the hour or the day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudgate.protocol import Usage

LINE_BYTES = 25_000_000_000
"""Each second: a line of 100 Gbit/s, full in both directions."""
TUNNEL_BYTES = 4096
"""The least that a tunnel takes of a line: its TLS handshake and its CONNECT."""
LEEWAY = timedelta(minutes=5)
"""Between what a host counts and what the manager knows of the time: lines of the log come every 15
seconds, minutes are told by their beginning, and clocks differ."""
OLDEST = timedelta(days=400)
"""How long a host may have been away and still tells what was used."""
MOST_AHEAD = timedelta(days=1)
"""How far a host's clock may be ahead; what is of later than now by it, is taken to be of now."""


@dataclass
class LineCapacity:
    """What a host's line may have carried besides what was told before."""

    told_until: datetime
    """Up to when a line that was always full would have carried what was told."""
    now: datetime

    def __post_init__(self) -> None:
        if self.told_until > self.now + LEEWAY:  # which only the clock can be, by being put back
            self.told_until = self.now
        self.told_until = max(self.told_until, self.now - OLDEST)

    def carries(self, usage: Usage) -> bool:
        """Whether the line may have carried this, too; if so, it has from here on."""
        until = self.told_until + _time_for(usage)
        if until > self.now + LEEWAY:
            return False
        self.told_until = until
        return True

    def forget_before(self, minute: datetime) -> None:
        """Everything was told that is older than this minute: hosts tell the oldest first."""
        self.told_until = max(self.told_until, min(minute, self.now))


def moment_of(usage: Usage, now: datetime) -> datetime:
    """The minute that it counts for: of a host whose clock is ahead, at most this one."""
    return min(usage.minute, now.replace(second=0, microsecond=0))


def impossible_time(usage: Usage, now: datetime) -> str:
    """Why the time cannot be; empty when it can."""
    if usage.minute > now + MOST_AHEAD:
        return f"it is of {usage.minute:%Y-%m-%d %H:%M} UTC, which is yet to come"
    if usage.minute < now - OLDEST:
        days = OLDEST.days
        return f"it is of {usage.minute:%Y-%m-%d %H:%M} UTC, more than {days} days ago"
    return ""


def _time_for(usage: Usage) -> timedelta:
    sent = usage.bytes_up + usage.bytes_down + usage.tunnels * TUNNEL_BYTES
    return timedelta(microseconds=sent * 1_000_000 // LINE_BYTES)
