"""By which gateway does the next tunnel go? Pure but for the dice between equals."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cloudgate.connect.settings import Address


@dataclass
class Gateway:
    """A gateway as the connector knows it."""

    address: Address
    failover: bool = False
    """To be used only while no other is healthy."""
    healthy: bool = True
    """It answered when it was last asked, or has not been asked yet."""
    live_tunnels: int = 0
    """How many it said that it carries."""
    opened_since: int = 0
    """How many tunnels went to it since it said that."""
    tie: float = field(default_factory=random.random, compare=False)
    """Decides between equals, so that not all connectors choose the same."""

    @property
    def load(self) -> int:
        """How many tunnels it has, as far as is known."""
        return self.live_tunnels + self.opened_since


def in_order(gateways: Iterable[Gateway]) -> list[Gateway]:
    """All of them, the best first: healthy before sick, own before failover, idle before busy."""
    return sorted(gateways, key=lambda each: (not each.healthy, each.failover, each.load, each.tie))


def renewed(
    known: Iterable[Gateway], listed: Iterable[tuple[Address, bool]], given: Sequence[Address]
) -> list[Gateway]:
    """What is known now that a gateway has told the list; what was known of each is kept.

    Args:
        known: the gateways until now.
        listed: address and failover of each, as the list says.
        given: the gateways that the tenant named. While the list is empty there are no others.
    """
    before = {each.address: each for each in known}
    found = []
    for address, failover in dict(listed).items():
        each = before.get(address, Gateway(address))
        each.failover = failover
        found.append(each)
    return found or [before.get(each, Gateway(each)) for each in given]
