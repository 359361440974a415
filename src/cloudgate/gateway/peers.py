"""Do other gateways answer? Asked only when a tenant's failover depends on it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from cloudgate.assignment import Peer

FRESH_SECONDS = 2.0
"""How long an answer counts."""
ANSWER_SECONDS = 1.5
"""How long a gateway has to take a connection before it counts as down."""


class Peers:
    """Tries the ports of other gateways, and remembers for a moment what it found."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._found: dict[UUID, tuple[float, bool]] = {}

    async def all_down(self, peers: Sequence[Peer]) -> bool:
        """Whether none of them takes a connection."""
        return not any(await asyncio.gather(*(self._is_up(peer) for peer in peers)))

    async def _is_up(self, peer: Peer) -> bool:
        known = self._found.get(peer.gateway_id)
        if known is not None and known[0] > self._clock_seconds():
            return known[1]
        up = await _takes_connections(peer)
        self._found[peer.gateway_id] = (self._clock_seconds() + FRESH_SECONDS, up)
        return up


async def _takes_connections(peer: Peer) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(peer.address, peer.port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True
