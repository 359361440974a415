"""How much of a gateway that is full may each tenant have? An equal part, or what it needs.

Without this, who opens sixteen tunnels gets sixteen times as much as who opens one.
"""

from collections.abc import Mapping
from uuid import UUID

from cloudgate.sharing import EVERYTHING, ROOM, Flow, divide

FULL = 0.9
"""A gateway that carries this part of what it can is full."""
GROWTH = 0.02
"""While there is room, what the gateway is thought to carry grows by this part at the first look,
and by twice the part of the last one at each further look: a short probe hurts nobody."""
MOST_DOUBLINGS = 4
CALM_LOOKS = 20
"""After so many looks at which nobody would have sent more, nobody is held back any more."""
_LEAST_BYTES = 64 * 1024
"""What a tenant is thought to need each second in any case."""
_FIRST_BYTES = 1024 * 1024
"""What a tenant may send each second in any case, where an equal part is as much, so that one who
was idle can show at the next look how much it needs."""


def _of_a_full_gateway(carried: float, thought: float) -> float:
    # Tenants never send quite what they may. Were that taken for all that there is, it would be
    # less at each look, where something else than the gateway keeps the machine busy.
    if FULL * thought <= carried <= thought:
        return thought * (1 + GROWTH)
    return max(carried, FULL * thought)


class Fairness:
    """Finds what each tenant may send, look by look. What it cannot know, it tries out.

    Who sends little while the gateway is full may be held back by the others: it counts as one
    who would send more, until a look at which there was room shows that it does not.
    """

    def __init__(self, capacity_bytes: int | None = None) -> None:
        """`capacity_bytes`: what the gateway carries each second; None to find out."""
        self._fixed = capacity_bytes
        self._capacity: float | None = capacity_bytes
        self._demands: dict[UUID, float] = {}
        self._given: dict[UUID, int] = {}
        self._calm = 0
        self._looks_with_room = 0

    @property
    def is_at_work(self) -> bool:
        """Whether somebody is held back, or may have to be."""
        return self._capacity is not None

    def allot(self, sent: Mapping[UUID, float], *, is_full: bool) -> Mapping[UUID, int]:
        """What each tenant may send each second from now on; empty when as much as it likes.

        Args:
            sent: what each tenant that is here has sent each second since the last look.
            is_full: whether the machine had no room for more meanwhile.
        """
        if self._fixed is not None:
            is_full = sum(sent.values()) >= FULL * self._fixed
        pressing = self._learn(sent, is_full=is_full)
        self._find_capacity(sum(sent.values()), len(sent), is_full=is_full, pressing=pressing)
        if self._capacity is None or len(sent) <= 1:
            self._given = {}
        else:
            wanted = {who: max(self._demands[who], _LEAST_BYTES) for who in sent}
            least = min(_FIRST_BYTES, int(self._capacity / len(sent)))
            parts = divide(self._capacity, wanted)
            # What nobody needs right now is for whoever needs it first.
            left = max(0, int(self._capacity) - sum(parts.values()))
            self._given = {who: max(part + left, least) for who, part in parts.items()}
        return self._given

    def _learn(self, sent: Mapping[UUID, float], *, is_full: bool) -> bool:
        """Take note of who needs what; whether anybody would send more."""
        demands, pressing = {}, False
        for who, now in sent.items():
            given = self._given.get(who)
            if given is not None and Flow(given, now).is_pressing:
                demands[who], pressing = EVERYTHING, True
            elif is_full:
                demands[who] = max(now, self._demands.get(who, EVERYTHING)) * ROOM
            else:
                demands[who] = now * ROOM
        self._demands = demands
        return pressing

    def _find_capacity(
        self, carried: float, tenants: int, *, is_full: bool, pressing: bool
    ) -> None:
        if self._fixed is not None:
            return
        if is_full:
            self._calm = self._looks_with_room = 0
            # A machine may be full of something else: nobody is slowed to nothing for that.
            least = float(_FIRST_BYTES * tenants)
            self._capacity = max(_of_a_full_gateway(carried, self._capacity or 0.0), least)
        elif self._capacity is not None:
            self._calm = 0 if pressing else self._calm + 1
            self._capacity *= 1 + GROWTH * 2 ** min(self._looks_with_room, MOST_DOUBLINGS)
            self._looks_with_room += 1
            if self._calm >= CALM_LOOKS:
                self._capacity = None
