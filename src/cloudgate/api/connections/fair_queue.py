"""Fair queue: whose turn is it? One line for each address, so that a crowd delays nobody.

Addresses from which somebody was right before have three turns out of four, while there are any.
Pure.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cloudgate.errors import TooManyRequestsError
from cloudgate.trust.login_throttle import client_network

MOST_OF_ADDRESS = 64
"""How many of one address may be here at a time; in IPv6, of one network of 64 bits."""
MOST_IN_ALL = 512
MOST_KNOWN = 10_000
"""Addresses that are remembered as those of somebody who was right."""
_TURNS_OF_KNOWN = 3


@dataclass(eq=False)
class Waiter:
    """A client that has a place: in line, or while it waits for something else."""

    address: str
    """As far as one party can choose it."""


@dataclass
class FairQueue:
    """Gives turns to addresses one after the other, however many clients each of them has."""

    most_of_address: int = MOST_OF_ADDRESS
    most_in_all: int = MOST_IN_ALL
    _here: dict[str, int] = field(default_factory=dict)
    _lines: OrderedDict[str, deque[Waiter]] = field(default_factory=OrderedDict)
    """By address; the one that comes next is first."""
    _known: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _turns: int = 0

    @property
    def here(self) -> int:
        """How many there are."""
        return sum(self._here.values())

    @contextmanager
    def staying(self, address: str) -> Iterator[Waiter]:
        """Be here for a while.

        Raises:
            TooManyRequestsError: there are too many already, of this address or in all.
        """
        waiter = Waiter(client_network(address))
        count = self._here.get(waiter.address, 0)
        if count >= self.most_of_address:
            raise TooManyRequestsError(
                f"{count} logons from your address wait to be looked at, as many as may. Wait for"
                " them to be answered, or keep a session instead of logging on for each request."
            )
        if self.here >= self.most_in_all:
            raise TooManyRequestsError(
                "More logons wait than the manager can look at. Try again in half a minute."
            )
        self._here[waiter.address] = count + 1
        try:
            yield waiter
        finally:
            self.leave(waiter)
            self._here[waiter.address] -= 1
            if not self._here[waiter.address]:
                del self._here[waiter.address]

    def join(self, waiter: Waiter) -> None:
        """Get into the line of one's address."""
        self._lines.setdefault(waiter.address, deque()).append(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Get out of it, if one is in it."""
        line = self._lines.get(waiter.address)
        if line is None or waiter not in line:
            return
        line.remove(waiter)
        if not line:
            del self._lines[waiter.address]

    def next(self) -> Waiter | None:
        """Whose turn it is, who leaves the line by that; None when nobody waits."""
        if not self._lines:
            return None
        self._turns += 1
        wants_known = self._turns % (_TURNS_OF_KNOWN + 1) != 0
        fitting = (each for each in self._lines if (each in self._known) == wants_known)
        chosen = next(fitting, next(iter(self._lines)))
        line = self._lines[chosen]
        waiter = line.popleft()
        if line:
            self._lines.move_to_end(chosen)
        else:
            del self._lines[chosen]
        return waiter

    def prefer(self, address: str) -> None:
        """Somebody who is known came from there: it has more turns from now on."""
        key = client_network(address)
        self._known[key] = None
        self._known.move_to_end(key)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
