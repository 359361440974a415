"""Held back: for how long was whom given less speed than they would have taken, and by what?"""

from collections import defaultdict
from uuid import UUID

from cloudgate.protocol import Restraint

LONGEST_GAP_SECONDS = 2.0
"""Looks that are further apart, with others between them, are of different times of being held
back."""


class HeldBackMeter:
    """Adds up since the host service began, from one look to the next."""

    def __init__(self) -> None:
        self.by_tenant: dict[UUID, float] = defaultdict(float)
        self.by_share: dict[UUID, float] = defaultdict(float)
        """How much of that by their part of a gateway that is full."""
        self.by_restraint: dict[Restraint, float] = dict.fromkeys(Restraint, 0.0)
        self._seen: dict[UUID, float] = {}

    def record(
        self, tenant_id: UUID, restraint: Restraint, now_seconds: float, last_look_seconds: float
    ) -> None:
        """Somebody is held back, as seen at a look; since it was so before, if that is near.

        `last_look_seconds`: when the look before this one was, however long ago.
        """
        before = self._seen.get(tenant_id)
        self._seen[tenant_id] = now_seconds
        oldest = min(now_seconds - LONGEST_GAP_SECONDS, last_look_seconds)
        if before is not None and before >= oldest:
            self.by_tenant[tenant_id] += now_seconds - before
            self.by_restraint[restraint] += now_seconds - before
            if restraint is Restraint.SHARE:
                self.by_share[tenant_id] += now_seconds - before
