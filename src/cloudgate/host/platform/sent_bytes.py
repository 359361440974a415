"""Sent bytes: what has a connection sent? The same on every system."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SentBytes:
    """What a connection has sent until a moment."""

    total_bytes: int
    """That the other end has taken, since the connection began."""
    has_more: bool
    """Whether more waits to be sent."""
    rate_bytes: int | None = None
    """What it may send each second; None for any number."""
    unread_bytes: int = 0
    """What has come from the other end, and waits to be read."""
