"""Audit throttle: which refusals are written down? The first of many, then how many more.

Whoever has proved nothing can be refused as often as he likes. He fills no log by it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

NOTED_EVERY = timedelta(minutes=1)
"""How often the same sender is written down for the same call."""
MOST_NOTED = 100
"""How many are within that time, of whomever. The others are counted together."""
ANYBODY = ""
"""The sender that stands for all who were too many to be told apart."""


@dataclass(frozen=True)
class SuppressedRefusals:
    """Refusals that were not written down when they happened."""

    sender: str
    """`ANYBODY` for those of many."""
    call: str
    count: int
    first_at: datetime
    last_at: datetime


class AuditThrottle:
    """Decides which refusals are written down, and counts the others. Any thread may call."""

    def __init__(self, most: int = MOST_NOTED, first: int = 1) -> None:
        """`first`: how many of each sender are written down, of `most` in all."""
        self._lock = Lock()
        self._most, self._first = most, first
        self._noted: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._more: dict[tuple[str, str], SuppressedRefusals] = {}

    def allow(self, sender: str, call: str, now: datetime, count: int = 1) -> bool:
        """Whether a refusal is to be written down; it counts as written from here on.

        Args:
            sender: a host's id, or where an unknown one speaks from.
            call: what was refused.
            now: the time.
            count: how many refusals it stands for.
        """
        with self._lock:
            self._noted = {
                each: noted for each, noted in self._noted.items() if now - noted[0] < NOTED_EVERY
            }
            key = sender, call
            since, times = self._noted.get(key, (now, 0))
            if times < self._first and (times or len(self._noted) < self._most):
                self._noted[key] = since, times + 1
                return True
            self._add(sender if times else ANYBODY, call, now, count)
            return False

    def is_idle(self, now: datetime) -> bool:
        """Whether it would allow what a new one would, and has no sums."""
        with self._lock:
            return not self._more and all(
                now - since >= NOTED_EVERY for since, _ in self._noted.values()
            )

    def copy(self) -> "AuditThrottle":
        """One that allows from here on what this one would, and has no sums."""
        found = AuditThrottle(self._most, self._first)
        with self._lock:
            found._noted = dict(self._noted)
        return found

    def add(self, sender: str, call: str, now: datetime, count: int) -> None:
        """So many refusals are not written down."""
        with self._lock:
            self._add(sender, call, now, count)

    def _add(self, sender: str, call: str, now: datetime, count: int) -> None:
        before = self._more.get((sender, call), SuppressedRefusals(sender, call, 0, now, now))
        after = replace(before, count=before.count + count, last_at=now)
        self._more[sender, call] = after

    def due(self, now: datetime, *, all_of_them: bool = False) -> list[SuppressedRefusals]:
        """What was not written down and is over for so long that it is to be; only once."""
        with self._lock:
            over = [
                key
                for key, each in self._more.items()
                if all_of_them or now - each.first_at >= NOTED_EVERY
            ]
            return [self._more.pop(key) for key in over]

    def give_back(self, more: SuppressedRefusals) -> None:
        """Take a sum again that was due and could not be written, with what came meanwhile.

        As many senders are told apart as are within `NOTED_EVERY`, however long that goes on.
        """
        with self._lock:
            is_known = (more.sender, more.call) in self._more
            sender = more.sender if is_known or len(self._more) < self._most else ANYBODY
            since = self._more.get((sender, more.call), replace(more, count=0))
            self._more[sender, more.call] = replace(
                since,
                sender=sender,
                count=more.count + since.count,
                first_at=min(more.first_at, since.first_at),
                last_at=max(more.last_at, since.last_at),
            )
