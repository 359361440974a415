"""How are logons kept from being guesses? Wrong ones wait, on the event loop, not in threads."""

import asyncio
import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from cloudgate.api.call import Call
from cloudgate.api.handlers.sessions import user_name
from cloudgate.errors import NotAuthenticatedError
from cloudgate.manager.sessions.operations import note_failed_logon
from cloudgate.manager.work import Manager
from cloudgate.slowing import Failures

AT_ONCE = 4
"""Passwords that are checked at the same time: each takes a core for a while."""
MOST_WAITING = 500
"""Logons that may wait; more of them are refused at once."""


class LoggingOn:
    """Lets logons through, each at its time."""

    def __init__(self, manager: Manager, clock: Callable[[], float] = time.monotonic) -> None:
        self._manager = manager
        self._failures = Failures(clock)
        self._checking = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answer those who wait at once: the manager stops."""
        self._stopping.set()

    async def slowed(self, call: Call, log_on: Callable[[], Response]) -> Response:
        """The answer to a logon.

        Raises:
            NotAuthenticatedError: it is wrong, or too many are waiting already.
        """
        name = user_name(call.authorization)
        await self._wait(self._failures.delay_before(call.address))
        try:
            async with self._checking:
                answer = await run_in_threadpool(log_on)
        except NotAuthenticatedError:
            delay = self._failures.failed(name, call.address)
            await run_in_threadpool(note_failed_logon, self._manager, name, call.address)
            await self._wait(delay)
            raise
        self._failures.succeeded(name, call.address)
        return answer

    async def _wait(self, seconds: float) -> None:
        if not seconds:
            return
        if self._waiting >= MOST_WAITING:
            raise NotAuthenticatedError("Too many logons have failed lately; try again later.")
        self._waiting += 1
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._waiting -= 1
