"""Connection limit: who may have how many? Who has proved nothing makes room first.

Each connection has a seat. Until its owner has proved who he is (a session, a logon, a host's
credential), the seat can be taken by a newcomer: the oldest goes, of the address that asks or,
when all seats are taken, of the address with most of them. Pure but for the closing.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from cloudgate.trust.login_throttle import client_network

CONNECTIONS_PER_ADDRESS = 4096
"""Unless the operator says otherwise: a thousand hosts behind one address, with some calls each."""
MOST_UNPROVEN = 4096
"""Of all addresses together, with nobody known at the other end."""
SPARE_FILES = 256
"""Open files for all but connections: the database, mostly."""
GRACE_SECONDS = 1.0
"""How long a newcomer has before another may take his seat."""
_PART_UNPROVEN = 8
"""One in so many of an address's connections may be of nobody who is known."""
_PART_OF_ADDRESS = 4
"""One in so many of all that there can be may be of nobody known at one address."""


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections there may be."""

    in_all: int
    unproven: int
    of_address: int
    unproven_of_address: int


def connection_limits(files: int, of_address: int = CONNECTIONS_PER_ADDRESS) -> ConnectionLimits:
    """What a process with so many open files can bear. Pure."""
    in_all = max(16, files - SPARE_FILES)
    unproven = min(in_all, MOST_UNPROVEN)
    of_one = max(1, min(of_address // _PART_UNPROVEN, unproven // _PART_OF_ADDRESS))
    return ConnectionLimits(in_all, unproven, of_address, min(of_one, of_address))


@dataclass(eq=False)
class Admission:
    """One connection among those that were admitted, and what may hang up on it."""

    hall: "ConnectionLimiter"
    key: str | None
    """The address, as far as one party can choose it; None for a proxy that is trusted."""
    since: float
    is_proven: bool = False
    close: Callable[[], None] | None = None
    """Hangs up; set as soon as there is something to hang up."""
    on_proof: Callable[[], None] | None = None
    """Called once, when it is proven."""

    def prove(self) -> None:
        """Somebody who is known speaks here."""
        self.hall.prove(self)
        on_proof, self.on_proof = self.on_proof, None
        if on_proof is not None:
            on_proof()

    def leave(self) -> None:
        """The connection is over."""
        self.hall.leave(self)


@dataclass
class _Address:
    unproven: "OrderedDict[Admission, None]" = field(default_factory=OrderedDict)
    """The oldest first."""
    proven: int = 0


class ConnectionLimiter:
    """Admits connections within bounds. Used on the event loop only."""

    def __init__(self, allowed: ConnectionLimits) -> None:
        self._allowed = allowed
        self._addresses: dict[str | None, _Address] = {}
        self._unproven = 0
        self._proven = 0
        self.on_proof: Callable[[str], None] = lambda _: None
        """Hears of addresses where somebody who is known is."""
        self.refused = 0
        """How many were turned away, or had to make room, so far."""

    @property
    def in_use(self) -> int:
        """How many connections there are."""
        return self._unproven + self._proven

    def admit(self, address: str, now: float, *, trusted: bool = False) -> Admission | None:
        """A seat for a newcomer; None when there is none.

        Args:
            address: where it comes from.
            now: in seconds that only grow.
            trusted: it is a proxy, which speaks for many.
        """
        key = None if trusted else client_network(address)
        here = self._addresses.get(key, _Address())
        if key is not None and not self._room_at(here) and not self._evict(key, now):
            return None
        crowded = self._unproven >= self._allowed.unproven
        if (crowded or self.in_use >= self._allowed.in_all) and not self._evict_anywhere(now):
            return None
        seat = Admission(self, key, now)
        self._addresses.setdefault(key, _Address()).unproven[seat] = None
        self._unproven += 1
        return seat

    def prove(self, seat: Admission) -> None:
        """This seat cannot be taken any more."""
        here = self._addresses.get(seat.key)
        if seat.is_proven or here is None or seat not in here.unproven:
            return
        del here.unproven[seat]
        seat.is_proven = True
        here.proven += 1
        self._unproven -= 1
        self._proven += 1
        if seat.key is not None:
            self.on_proof(seat.key)

    def leave(self, seat: Admission) -> None:
        """This seat is free; a second time means nothing."""
        here = self._addresses.get(seat.key)
        if here is None:
            return
        if seat in here.unproven:
            del here.unproven[seat]
            self._unproven -= 1
        elif seat.is_proven:
            seat.is_proven = False
            here.proven -= 1
            self._proven -= 1
        if not here.unproven and not here.proven:
            del self._addresses[seat.key]

    def make_room(self, now: float) -> bool:
        """Hang up on one who has proved nothing: the system has no files left. Whether one was."""
        return self._evict_anywhere(now)

    def _room_at(self, here: _Address) -> bool:
        unproven = len(here.unproven)
        return (
            unproven < self._allowed.unproven_of_address
            and unproven + here.proven < self._allowed.of_address
        )

    def _evict_anywhere(self, now: float) -> bool:
        fullest = max(
            self._addresses, key=lambda each: len(self._addresses[each].unproven), default=None
        )
        return self._evict(fullest, now)

    def _evict(self, key: str | None, now: float) -> bool:
        self.refused += 1
        here = self._addresses.get(key)
        if here is None or not here.unproven:
            return False
        oldest = next(iter(here.unproven))
        if now - oldest.since < GRACE_SECONDS:
            return False
        self.leave(oldest)
        if oldest.close is not None:
            oldest.close()
        return True
