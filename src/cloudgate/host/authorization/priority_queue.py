"""Priority queue: whose password is looked at next, where one core looks at all of them?

First those who were right from the same address before. Then those who have never been wrong, who
asked least before that, the newest first: who floods was here before, and where all cannot be
served in time, it is better to serve some in time than all too late. Those who guess come last,
the most persistent at the very end. Names that nobody has are treated as others are, so that nobody
learns which there are.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cloudgate.host.authorization.address_reputation import Reputation

MOST_WAITING_IN_ALL = 512
"""Passwords that wait to be looked at; with more, whoever would come last is turned away."""
OTHERS_AT_ONCE = 1
"""Of those that are looked at at once, those of whoever is not familiar: one core at most."""
IN_A_ROW = 3
"""Turns of those who are familiar, when somebody else waits, too."""


class TooManyPendingError(Exception):
    """So many passwords wait that this one is not looked at."""


@dataclass(frozen=True)
class Requester:
    """Who waits for a turn."""

    tenant: str
    """Whose name it says, spelled as all that mean the same."""
    standing: Reputation


@dataclass(frozen=True)
class QueueEntry:
    """Somebody who waits, and in which place."""

    asker: Requester
    number: int
    """Grows with each that comes."""


def in_order(waiting: Sequence[QueueEntry]) -> list[QueueEntry]:
    """Those that wait, whose turn is next in front. Pure.

    Among equals each tenant has its turn before any has a second one: an attack on one tenant does
    not keep the others waiting.
    """
    later: Counter[tuple[object, ...]] = Counter()
    keys = {}
    for each in sorted(waiting, key=lambda one: -one.number):
        rank, tenant = _rank(each), each.asker.tenant
        around = each.asker.standing.wrong_around
        keys[each.number] = (rank, later[rank, tenant], around, -each.number)
        later[rank, tenant] += 1
    return sorted(waiting, key=lambda one: keys[one.number])


def _rank(one: QueueEntry) -> tuple[bool, int, int]:
    standing = one.asker.standing
    return not standing.familiar, standing.wrong, standing.asked


class VerificationQueue:
    """Gives turns, few at a time, in the order that this module says."""

    def __init__(self, at_once: int = 1, most: int = MOST_WAITING_IN_ALL) -> None:
        """Give so many at once. Those who are not familiar have one of them at most."""
        self._at_once = at_once
        self._most = most
        self._taken: Counter[bool] = Counter()
        self._in_a_row = 0
        self._came = 0
        self._waiting: dict[QueueEntry, asyncio.Future[None]] = {}

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def acquire(self, asker: Requester) -> None:
        """Wait for a turn, which has to be given back. Who is cancelled leaves the queue.

        Raises:
            TooManyError: so many wait that there will be none.
        """
        if self._may_begin(asker):
            self._begin(asker)
            return
        self._came += 1
        mine = QueueEntry(asker, self._came)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = turn
        if len(self._waiting) > self._most:
            self._turn_away_last()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(asker)  # it had just become its turn
            raise
        finally:
            self._waiting.pop(mine, None)

    def release(self, asker: Requester) -> None:
        """The turn of `asker` is over."""
        self._taken[asker.standing.familiar] -= 1
        while (mine := self._next()) is not None:
            self._begin(mine.asker)
            self._waiting.pop(mine).set_result(None)

    def _may_begin(self, asker: Requester) -> bool:
        if self._taken.total() >= self._at_once:
            return False
        return asker.standing.familiar or self._taken[False] < OTHERS_AT_ONCE

    def _begin(self, asker: Requester) -> None:
        self._taken[asker.standing.familiar] += 1
        self._in_a_row = self._in_a_row + 1 if asker.standing.familiar else 0

    def _next(self) -> QueueEntry | None:
        if self._taken.total() >= self._at_once:
            return None
        still_there = (one for one, turn in self._waiting.items() if not turn.done())
        may = [each for each in still_there if self._may_begin(each.asker)]
        if not may:
            return None
        others = [each for each in may if not each.asker.standing.familiar]
        return in_order(others if others and self._in_a_row >= IN_A_ROW else may)[0]

    def _turn_away_last(self) -> None:
        last = max(
            (one for one, turn in self._waiting.items() if not turn.done()),
            key=lambda one: (_rank(one), one.asker.standing.wrong_around, -one.number),
        )
        self._waiting.pop(last).set_exception(TooManyPendingError())
