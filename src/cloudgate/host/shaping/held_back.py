"""Held back: for how long was whom given less speed than they would have taken, and by what?"""

from collections import defaultdict
from uuid import UUID

from cloudgate.protocol import Restraint

LONGEST_GAP_SECONDS = 2.0
"""Looks that are further apart are of different times of being held back."""


class HeldBackMeter:
    """Adds up since the host service began, from one look to the next."""

    def __init__(self) -> None:
        self.by_tenant: dict[UUID, float] = defaultdict(float)
        self.by_share: dict[UUID, float] = defaultdict(float)
        """How much of that by their part of a gateway that is full."""
        self.by_restraint: dict[Restraint, float] = dict.fromkeys(Restraint, 0.0)
        self._seen: dict[UUID, float] = {}

    def record(self, tenant_id: UUID, restraint: Restraint, now_seconds: float) -> None:
        """Somebody is held back, as seen at a look; since the last one, if that is near."""
        before = self._seen.get(tenant_id)
        self._seen[tenant_id] = now_seconds
        if before is not None and now_seconds - before <= LONGEST_GAP_SECONDS:
            self.by_tenant[tenant_id] += now_seconds - before
            self.by_restraint[restraint] += now_seconds - before
            if restraint is Restraint.SHARE:
                self.by_share[tenant_id] += now_seconds - before
