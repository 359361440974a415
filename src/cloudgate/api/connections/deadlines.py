"""Deadlines: how long is a client waited for? By what it owes. Pure.

A byte now and then does not buy time: a header has its seconds as a whole, and a body or a reader
has to keep up a speed that any line reaches.
"""

from dataclasses import dataclass
from enum import Enum

SPEAK_SECONDS = 10.0
"""For TLS, for a request's header, and beyond what a body needs at the slowest speed."""
IDLE_SECONDS = 75.0
"""Between the requests of somebody who is known; others have `SPEAK_SECONDS`."""
SLOWEST_BYTES_PER_SECOND = 16 * 1024
MOST_HEADER_BYTES = 64 * 1024
MOST_BODY_BYTES = 20 * 1024 * 1024
"""Of one request, more than any that is allowed; what comes beyond is not read."""


class RequestPhase(Enum):
    """What a client has to send next, or may wait for."""

    HEADER = "header"
    BODY = "body"
    REST = "rest of a body that nobody wants any more"
    ANSWER = "answer"
    """From the manager, which has its own limits: a poll may be held for long."""
    NEXT = "next request"


@dataclass
class Deadlines:
    """What one client owes, since when, and how much of it has come."""

    since: float
    """When it began to owe what it owes, in seconds that only grow."""
    owed: RequestPhase = RequestPhase.HEADER
    received_bytes: int = 0
    """Since then."""

    def owe(self, owed: RequestPhase, now: float) -> None:
        """Something else is owed from now on."""
        self.owed, self.since, self.received_bytes = owed, now, 0

    def is_overdue(self, now: float, *, proven: bool) -> bool:
        """Whether the client has had its time. `proven`: it is known who it is."""
        if self.owed is RequestPhase.ANSWER:
            return False
        allowed = SPEAK_SECONDS
        if self.owed is RequestPhase.NEXT and proven:
            allowed = IDLE_SECONDS
        elif self.owed is RequestPhase.BODY:
            allowed += self.received_bytes / SLOWEST_BYTES_PER_SECOND
        return now - self.since >= allowed

    def is_too_much(self) -> bool:
        """Whether more has come than any header or body may be."""
        in_body = self.owed in (RequestPhase.BODY, RequestPhase.REST)
        return self.received_bytes > (MOST_BODY_BYTES if in_body else MOST_HEADER_BYTES)


@dataclass
class WriteProgress:
    """How fast a client takes what it was sent."""

    since: float | None = None
    """When was last looked; None while nothing waits."""
    waiting_bytes: int = 0

    def is_stuck(self, waiting_bytes: int, now: float) -> bool:
        """Whether a client has not read for too long what was sent to it, or too slowly.

        Args:
            waiting_bytes: what is not read yet.
            now: in seconds that only grow.
        """
        if not waiting_bytes:
            self.since = None
            return False
        if self.since is None:
            self.since, self.waiting_bytes = now, waiting_bytes
            return False
        elapsed = now - self.since
        if elapsed < SPEAK_SECONDS:
            return False
        if self.waiting_bytes - waiting_bytes < SLOWEST_BYTES_PER_SECOND * elapsed:
            return True
        self.since, self.waiting_bytes = now, waiting_bytes
        return False
