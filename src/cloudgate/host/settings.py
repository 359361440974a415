"""Settings: what has the operator set for this host service? By its environment."""

import math
import os
from dataclasses import dataclass
from typing import Self

from cloudgate.errors import InvalidRequestError
from cloudgate.host.authorization.authorizer import SLOT_WAIT_SECONDS
from cloudgate.host.tunnels.connection_limit import CONNECTIONS_PER_ADDRESS

WAIT_VARIABLE = "CLOUDGATE_TUNNEL_WAIT_SECONDS"
"""Environment: how long a tunnel waits for a tenant's other tunnels to end."""
CONNECTIONS_VARIABLE = "CLOUDGATE_CONNECTIONS_PER_ADDRESS"
"""Environment: how many connections to the gateway one IP address may have."""
CAPACITY_VARIABLE = "CLOUDGATE_GATEWAY_MBIT"
"""Environment: what the gateway's line carries, in millions of bits each second, both directions
together; found out by itself where it is not set."""

LARGEST_NUMBER = 1e9
"""More is meant of nothing that may be set, and no clock counts as many seconds."""

DRAIN_VARIABLE = "CLOUDGATE_DRAIN_SECONDS"
"""Environment: how long tunnels may go on after the host service was told to end."""


@dataclass(frozen=True, kw_only=True)
class HostSettings:
    """What an operator may set."""

    slot_wait_seconds: float = SLOT_WAIT_SECONDS
    connections_per_address: int = CONNECTIONS_PER_ADDRESS
    capacity_bytes: int | None = None
    """Each second; None to find out."""
    drain_seconds: float = 0.0
    """How long tunnels may go on when the host service is to end."""

    @classmethod
    def from_environment(cls) -> Self:
        """As it is set.

        Raises:
            InvalidRequestError: a variable holds no number, or one that nobody can mean.
        """
        wait_seconds = _number(WAIT_VARIABLE, "seconds")
        connections = _number(CONNECTIONS_VARIABLE, "connections")
        mbit = _number(CAPACITY_VARIABLE, "millions of bits each second")
        return cls(
            slot_wait_seconds=SLOT_WAIT_SECONDS if wait_seconds is None else wait_seconds,
            connections_per_address=max(1, int(connections))
            if connections
            else CONNECTIONS_PER_ADDRESS,
            capacity_bytes=int(mbit * 1_000_000 / 8) if mbit else None,
            drain_seconds=_number(DRAIN_VARIABLE, "seconds") or 0.0,
        )


def _number(variable: str, unit: str) -> float | None:
    """A setting of the environment; None when it is not set."""
    text = os.environ.get(variable, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number <= LARGEST_NUMBER):
        raise InvalidRequestError(
            f"{variable} is {text[:50]!r}; expected a number of {unit}, at most"
            f" {LARGEST_NUMBER:.0f}."
        )
    return max(0.0, number)
