"""Load balancing: by which gateway does the next tunnel go? Pure but for the dice."""

import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from cloudgate.network.hostport import HostPort, InvalidHostError, parse_host, parse_port

MOST_GATEWAYS = 10_000
"""Of a list that one of them tells."""
PATIENCE_SECONDS = 0.4
"""How long a gateway is waited for alone. Two that are dead cost less than a second."""


@dataclass
class GatewayEndpoint:
    """A gateway as the connector knows it."""

    address: HostPort
    failover: bool = False
    """To be used only while no other is healthy."""
    tunnels: int = 0
    """How many the connector has with it right now, those that are being asked for included."""
    others: int = 0
    """How many more it carried when it was last asked."""
    asked_at: float | None = None
    """When it was last asked, by the clock of the event loop; None before the first time."""
    doubted_at: float = 0.0
    """When a tunnel through it was last cut, by the same clock."""
    lost_at: float | None = None
    """Since when it does not answer, by the same clock; None while it does."""
    maintenance: str | None = None
    """What it last said of the provider's being at work; None when it is not, or when lost."""
    refusal: str = ""
    """Why it told this tenant nothing when it was last asked; empty when it did."""
    tells: bool = False
    """It told the list of gateways when it was last asked; False when lost, too."""
    tie: float = field(default_factory=random.random, compare=False)
    """Decides between equals, so that not all connectors choose the same or ask in step."""

    @property
    def healthy(self) -> bool:
        """It answered when it was last asked, or has not been asked yet."""
        return self.lost_at is None

    @property
    def load(self) -> int:
        """How many tunnels it has, as far as is known."""
        return self.others + self.tunnels

    def record_load(self, live_tunnels: int) -> None:
        """It has just said how many tunnels it has, those of the connector included."""
        self.others = max(0, live_tunnels - self.tunnels)


def ranked(gateways: Iterable[GatewayEndpoint]) -> list[GatewayEndpoint]:
    """All of them, the best first: healthy before sick, own before failover, idle before busy."""
    return sorted(gateways, key=lambda each: (not each.healthy, each.failover, each.load, each.tie))


def listed(document: Mapping[str, object]) -> list[tuple[HostPort, bool]]:
    """Address and failover of each gateway that one has named.

    What is no address is left out, whoever says it: it would end the watch over all of them.
    """
    said = document.get("Gateways")
    found = []
    for each in said[:MOST_GATEWAYS] if isinstance(said, list) else []:
        if not isinstance(each, Mapping):
            continue
        with suppress(InvalidHostError):
            host = parse_host(str(each.get("Address", "")))
            port = parse_port(str(each.get("Port", "")))
            found.append((HostPort(host, port), bool(each.get("Failover"))))
    return found


def merged(
    known: Iterable[GatewayEndpoint],
    listed: Iterable[tuple[HostPort, bool]],
    given: Sequence[GatewayEndpoint],
) -> list[GatewayEndpoint]:
    """What is known now that a gateway has told the list; what was known of each is kept.

    Args:
        known: the gateways until now.
        listed: address and failover of each, as the list says.
        given: the gateways that the tenant named. While the list is empty there are no others.
    """
    before = {each.address: each for each in (*given, *known)}
    found = []
    for address, failover in dict(listed).items():
        each = before.get(address, GatewayEndpoint(address))
        each.failover = failover
        found.append(each)
    return found or list(given)
