"""TLS handshakes: whose is next? One at a time, addresses in turn, so that a crowd delays nobody.

A handshake costs a millisecond or two of the event loop. Of a crowd that comes at once each would
have its own done before anybody else is heard, who is logged on included.
"""

import asyncio
import socket
from collections.abc import Awaitable
from typing import TypeVar

from cloudgate.api.connections.fair_queue import FairQueue, Waiter
from cloudgate.api.connections.fair_semaphore import FairSemaphore
from cloudgate.trust.login_throttle import client_network

Result = TypeVar("Result")

TURN_SECONDS = 0.02
"""What a client takes longer than that to answer does not keep others waiting."""


class Handshakes:
    """Lets handshakes begin one after the other. Used on the event loop only."""

    def __init__(self) -> None:
        self._lines = FairQueue()
        self._turns = FairSemaphore(1, self._lines)

    async def make(self, address: str, handshake: Awaitable[Result]) -> Result:
        """What a handshake comes to, which begins when it is this address's turn."""
        making: asyncio.Future[Result] | None = None
        try:
            async with self._turns.held(Waiter(client_network(address))):
                making = asyncio.ensure_future(handshake)
                await asyncio.wait({making}, timeout=TURN_SECONDS)
            return await making
        finally:
            if making is None:
                _never_begin(handshake)
            elif not making.done():
                making.cancel()

    def prefer(self, address: str) -> None:
        """Somebody who is known came from there: three turns of four are for such addresses."""
        self._lines.prefer(address)


async def wait_for_bytes(connection: socket.socket) -> None:
    """Wait until something has come that can be read, or the connection is over."""
    loop = asyncio.get_running_loop()
    spoken = loop.create_future()

    def speaks() -> None:
        if not spoken.done():
            spoken.set_result(None)

    loop.add_reader(connection, speaks)
    try:
        await spoken
    finally:
        loop.remove_reader(connection)


def _never_begin(handshake: Awaitable[Result]) -> None:
    """Its turn has not come: nobody will wait for it."""
    if asyncio.iscoroutine(handshake):
        handshake.close()
