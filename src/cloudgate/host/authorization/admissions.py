"""Admissions: what is known of tunnels from the moment that they are let in?

Who lets them in and who carries them both write it down, and neither asks the other for it.
"""

from dataclasses import dataclass, field
from typing import Protocol

from cloudgate.host.shaping.start_rate_grants import StartRateGrants
from cloudgate.host.tunnels.restore_only import RecentQuotaViolations
from cloudgate.host.tunnels.slots import TunnelSlots


@dataclass(frozen=True)
class Admissions:
    """Of the tunnels that were let in."""

    slots: TunnelSlots = field(default_factory=TunnelSlots)
    """Whose they are, and how many."""
    starts: StartRateGrants = field(default_factory=StartRateGrants)
    """With how much they begin."""
    senders: RecentQuotaViolations = field(default_factory=RecentQuotaViolations)
    """Who has sent data though a quota is exceeded."""


class Occupancy(Protocol):
    """How much of the gateway is taken, as those know who carry its tunnels."""

    def is_full(self, address: str) -> bool:
        """Whether an IP address has as many connections as one may have."""

    @property
    def live_tunnels(self) -> int:
        """How many tunnels there are."""
