"""Fair semaphore: who may begin now? So many at a time, addresses in turn."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from cloudgate.api.connections.fair_queue import FairQueue, Waiter


class SemaphoreClosedError(Exception):
    """Nobody's turn will come any more."""


class FairSemaphore:
    """Gives turns in the order of a queue. Used on the event loop only."""

    def __init__(self, at_once: int, lines: FairQueue) -> None:
        """So many have a turn at the same time, whose it is says `lines`."""
        self._free = at_once
        self._lines = lines
        self._turns: dict[Waiter, asyncio.Event] = {}
        self._is_closed = False

    async def acquire(self, waiter: Waiter) -> None:
        """Returns when it is this one's turn, which lasts until `release`.

        Raises:
            SemaphoreClosedError: it was closed.
        """
        if self._is_closed:
            raise SemaphoreClosedError
        turn = self._turns[waiter] = asyncio.Event()
        self._lines.join(waiter)
        self._call()
        try:
            await turn.wait()
        except asyncio.CancelledError:
            # Both may happen before this task runs again: the turn would be lost for all.
            if turn.is_set():
                self.release()
            raise
        finally:
            self._lines.leave(waiter)
            del self._turns[waiter]
        if self._is_closed:
            raise SemaphoreClosedError

    def release(self) -> None:
        """A turn is over."""
        self._free += 1
        self._call()

    @contextlib.asynccontextmanager
    async def held(self, waiter: Waiter) -> AsyncIterator[None]:
        """A turn that lasts as long as the block; raises as `acquire` does."""
        await self.acquire(waiter)
        try:
            yield
        finally:
            self.release()

    def close(self) -> None:
        """Tell those who wait, and whoever comes, that no turn comes any more."""
        self._is_closed = True
        for turn in self._turns.values():
            turn.set()

    def _call(self) -> None:
        while self._free and not self._is_closed:
            waiter = self._lines.next()
            if waiter is None:
                return
            self._free -= 1
            self._turns[waiter].set()
