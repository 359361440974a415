"""Fair share: how much of a gateway that is full may each tenant have?

Without this, who opens sixteen tunnels gets sixteen times as much as who opens one.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

from cloudgate.max_min import EVERYTHING, ROOM, Flow, allocate

FULL = 0.9
"""A gateway that carries this part of what it can is full. What it is thought to carry falls by no
more than the rest at a look."""
GROWTH = 0.02
"""While there is room, what the gateway is thought to carry grows by this part at the first look,
and by twice the part of the last one at each further look: what it is thought to carry too much is
missing to those with few tunnels alone."""
MOST_DOUBLINGS = 2
NEAR_FULL = (0.95, 1.1)
"""Between these parts of what it carried when it was full last, growth is slow: it will be full
there again, and how far it is thought to carry more is how much those with few tunnels lose."""
SLOWEST_GROWTH = 0.01
"""The same while some of those who would send more do not use up what they may."""
EVEN = 0.9
"""Who would send more, and sends this part of what it may, is not held back by others."""
QUIET_SAMPLES = 20
"""After so many looks at which nobody would have sent more, nobody is held back any more."""
HUNGRY_LOOKS = 5
"""For so many it is held that somebody would send more: what others leave is taken slowly."""
REMEMBERED_LOOKS = 150
"""Who was away for longer begins with an equal part, whether or not it needs that."""
FADING = 0.95
"""What was needed at one look counts so much at the next."""
_HARDLY_ANYTHING = 0.01
"""Who sends less than this part of an equal one, when the gateway becomes full, is idle."""
_LEAST_BYTES = 64 * 1024
"""What a tenant is thought to need each second in any case."""
_FIRST_BYTES = 1024 * 1024
"""What a tenant may send each second in any case, where an equal part is as much, so that one who
was idle can show at the next look how much it needs."""


class FairShare:
    """Finds what each tenant may send, look by look. What it cannot know, it tries out.

    Whose data wait for the gateway would send more. Where that cannot be seen, as on a full line,
    who sends little may be held back by the others: it counts as one who would send more, until a
    look at which there was room shows that it does not.
    """

    def __init__(self, capacity_bytes: int | None = None) -> None:
        """`capacity_bytes`: what the gateway carries each second; None to find out."""
        self._fixed = capacity_bytes
        self._capacity: float | None = capacity_bytes
        self._demands: dict[UUID, float] = {}
        self._given: dict[UUID, int] = {}
        self._hungry: dict[UUID, int] = {}
        """For how many looks more tenants are held to be those that would send more."""
        self._needs: dict[UUID, float] = {}
        """What tenants sent lately while there was room for more."""
        self._met: dict[UUID, int] = {}
        """At which look tenants were here last."""
        self._look = 0
        self._calm = 0
        self._looks_with_room = 0
        self._full_at = 0.0
        """What was carried when it was full last."""

    @property
    def is_active(self) -> bool:
        """Whether somebody is held back, or may have to be."""
        return self._capacity is not None

    def allocate(
        self, sent: Mapping[UUID, float], *, is_full: bool, waiting: Collection[UUID] = ()
    ) -> Mapping[UUID, int]:
        """What each tenant may send each second from now on; empty when as much as it likes.

        Args:
            sent: what each tenant that is here has sent each second since the last look.
            is_full: whether there was no room for more meanwhile.
            waiting: whose data wait for the gateway; nobody where that is not what shows it full.
        """
        if self._fixed is not None:
            is_full = sum(sent.values()) >= FULL * self._fixed
        self._meet(sent)
        pressing = self._estimate_demand(sent, waiting, is_full=is_full)
        self._estimate_capacity(sent, waiting, is_full=is_full, pressing=pressing)
        if self._capacity is None or len(sent) <= 1:
            self._given = {}
        else:
            wanted = {who: max(self._demands[who], _LEAST_BYTES) for who in sent}
            least = min(_FIRST_BYTES, int(self._capacity / len(sent)))
            parts = allocate(self._capacity, wanted)
            # What nobody needs right now is for whoever needs it first.
            left = max(0, int(self._capacity) - sum(parts.values()))
            self._given = {who: max(part + left, least) for who, part in parts.items()}
        return self._given

    def _meet(self, sent: Mapping[UUID, float]) -> None:
        """Let those who come begin with an equal part, for as long as it takes to use it."""
        self._look += 1
        for who, now in sent.items():
            if who in self._met:
                continue
            equal = sum(sent.values()) / len(sent)
            if self._capacity is not None or now > _HARDLY_ANYTHING * equal:
                self._hungry[who] = HUNGRY_LOOKS
        oldest = self._look - REMEMBERED_LOOKS
        self._met = {who: at for who, at in self._met.items() if at > oldest}
        self._met |= dict.fromkeys(sent, self._look)
        self._needs = {who: needs for who, needs in self._needs.items() if who in self._met}

    def _estimate_demand(
        self, sent: Mapping[UUID, float], waiting: Collection[UUID], *, is_full: bool
    ) -> bool:
        """Take note of who needs what; whether anybody would send more."""
        demands, hungry, pressing = {}, {}, False
        for who, now in sent.items():
            given = self._given.get(who)
            left = self._hungry.get(who, 0)
            presses = given is not None and Flow(given, now).is_pressing
            needs = self._needs.pop(who, 0.0)
            if who in waiting and not presses and now < needs:
                # It needs no more than it had while there was room, and is held back.
                self._needs[who], pressing = needs, True
                demands[who] = needs * ROOM
                continue
            if who in waiting or presses:
                left, pressing = HUNGRY_LOOKS, True
            elif left == 0 and not is_full:
                self._needs[who] = max(now, FADING * needs)
            else:
                self._needs[who] = needs
            if left > 0:
                demands[who], hungry[who] = EVERYTHING, left - 1
            elif is_full and not waiting:
                demands[who] = max(now, self._demands.get(who, EVERYTHING)) * ROOM
            else:
                demands[who] = now * ROOM
        self._demands, self._hungry = demands, hungry
        return pressing

    def _estimate_capacity(
        self,
        sent: Mapping[UUID, float],
        waiting: Collection[UUID],
        *,
        is_full: bool,
        pressing: bool,
    ) -> None:
        if self._fixed is not None:
            return
        carried = sum(sent.values())
        if is_full:
            self._calm = self._looks_with_room = 0
            self._full_at = carried
            # A machine may be full of something else: nobody is slowed to nothing for that.
            least = max(carried, float(_FIRST_BYTES * len(sent)))
            self._capacity = max(self._of_a_full_gateway(sent, waiting), least)
        elif self._capacity is not None:
            self._calm = 0 if pressing else self._calm + 1
            near, beyond = (part * self._full_at for part in NEAR_FULL)
            if not self._all_have_theirs(sent, waiting) or near <= self._capacity < beyond:
                self._capacity *= 1 + SLOWEST_GROWTH
                self._looks_with_room = 0
            else:
                grown = self._capacity * (
                    1 + GROWTH * 2 ** min(self._looks_with_room, MOST_DOUBLINGS)
                )
                self._capacity = min(grown, near) if self._capacity < near else grown
                self._looks_with_room += 1
            if self._calm >= QUIET_SAMPLES:
                self._capacity = None

    def _of_a_full_gateway(self, sent: Mapping[UUID, float], waiting: Collection[UUID]) -> float:
        """What it carries, all others left out of account.

        Tenants never send quite what they may. Were that taken for all that there is, it would be
        less at each look. It is too much only if somebody is held back by what others may.
        """
        if self._capacity is None or (waiting and not self._given):
            return 0.0
        have_theirs = self._all_have_theirs(sent, waiting)
        if waiting:
            return self._capacity if have_theirs else 0.0
        is_used = sum(sent.values()) >= FULL * self._capacity
        return self._capacity * (1 + GROWTH if have_theirs and is_used else FULL)

    def _all_have_theirs(self, sent: Mapping[UUID, float], waiting: Collection[UUID]) -> bool:
        if any(self._demands[who] != EVERYTHING for who in waiting):
            return False
        return all(
            sent[who] >= EVEN * self._given.get(who, 0)
            for who, demand in self._demands.items()
            if demand == EVERYTHING
        )
