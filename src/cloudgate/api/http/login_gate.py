"""Login gate: how are logons kept from being guesses, and from being in others' way?

Each address has a line of its own, and one after the other has its turn. Who has failed waits
longer each time, on the event loop. Who has hung up is forgotten. Passwords are checked by threads
of low priority, so that who is logged on notices nothing.
"""

import asyncio
import contextlib
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from cloudgate.api.connections.fair_queue import FairQueue, Waiter
from cloudgate.api.connections.fair_semaphore import FairSemaphore, SemaphoreClosedError
from cloudgate.errors import (
    AccessDeniedError,
    CloudgateError,
    NotAuthenticatedError,
    TooManyRequestsError,
    UnavailableError,
)
from cloudgate.trust.login_throttle import FamiliarLogons, LoginThrottle

Result = TypeVar("Result")

AT_ONCE = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Passwords that are checked at the same time: each takes a core or two for a while."""
REFUSED_AFTER_SECONDS = (4.0, 8.0)
"""When one too many is told so. Not all at one moment: they would come back at one moment, too."""
_NICE = 5
"""Of the threads that check (sched(7)): a third of what the others get while both want to run."""


class LoginGate:
    """Lets those through who say a password, each at its time. Used on the event loop only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, at_once: int = AT_ONCE) -> None:
        self._clock = clock
        self._failures = LoginThrottle(clock)
        self._familiar = FamiliarLogons(clock)
        self._lines = FairQueue()
        self._turns = FairSemaphore(at_once, self._lines)
        self._threads = ThreadPoolExecutor(at_once, "password check", _be_nice)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answer those who wait at once: the manager stops."""
        self._stopping.set()
        self._turns.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def log_on(
        self,
        request: Request,
        account: str,
        address: str,
        check: Callable[[], Result],
        note: Callable[[], None],
    ) -> Result:
        """What came of a check of a password. The request's body has been read.

        Args:
            request: the one that says it.
            account: the name that it is said for.
            address: where it comes from.
            check: blocks, and raises AccessDeniedError or NotAuthenticatedError when it is wrong.
            note: blocks; has it on record that it was wrong.

        Raises:
            CloudgateError: whatever `check` raises, or there are too many already.
            ClientDisconnect: nobody waits for the answer any more.
        """
        try:
            with self._lines.staying(address) as waiter:
                checking = self._checked(waiter, account, address, check, note)
                return await _while_there(request, checking)
        except TooManyRequestsError:
            # Who is told at once comes back at once, and each TLS handshake costs a core's time.
            await _while_there(request, self._wait(random.uniform(*REFUSED_AFTER_SECONDS)))  # noqa: S311
            raise

    async def log_on_elsewhere(
        self,
        request: Request,
        account: str,
        address: str,
        check: Callable[[], Result],
        note: Callable[[], None],
    ) -> Result:
        """The same as `log_on` of a check that waits for another machine, and so takes no turn.

        Who was wrong before waits first, so that nobody has that machine asked all the time.
        """
        with self._lines.staying(address):
            checking = self._checked_elsewhere(account, address, check, note)
            return await _while_there(request, checking)

    async def refuse(
        self, request: Request, account: str, address: str, note: Callable[[], None]
    ) -> None:
        """Returns when somebody may hear that something was wrong that it cost nothing to look at.

        Args:
            request: the one that showed it.
            account: whose it is said to be.
            address: where it comes from.
            note: blocks; has it on record.

        Raises:
            TooManyRequestsError: too many of the address wait already.
            ClientDisconnect: nobody waits for the answer any more.
        """
        with self._lines.staying(address):
            delay = self._failures.failed(account, address)
            await run_in_threadpool(note)
            await _while_there(request, self._wait(delay))

    async def _checked(
        self,
        waiter: Waiter,
        account: str,
        address: str,
        check: Callable[[], Result],
        note: Callable[[], None],
    ) -> Result:
        came_at = self._clock()
        while True:
            # Others of the address may have failed meanwhile: so it is looked at the turn, again.
            await self._wait(self._delay_for(account, address) - (self._clock() - came_at))
            try:
                await self._turns.acquire(waiter)
            except SemaphoreClosedError:
                raise _stops() from None
            if self._delay_for(account, address) <= self._clock() - came_at:
                break
            self._turns.release()
        checking = asyncio.wrap_future(self._start(check))
        answer = await self._counted(checking, account, address, note)
        self._lines.prefer(address)
        return answer

    async def _checked_elsewhere(
        self, account: str, address: str, check: Callable[[], Result], note: Callable[[], None]
    ) -> Result:
        await self._wait(self._delay_for(account, address))
        return await self._counted(run_in_threadpool(check), account, address, note)

    async def _counted(
        self,
        checking: Awaitable[Result],
        account: str,
        address: str,
        note: Callable[[], None],
    ) -> Result:
        """What comes of a check; who was wrong hears so late, and waits longer the next time."""
        try:
            answer = await checking
        except CloudgateError as problem:
            if not is_wrong(problem):
                raise
            whose = problem.whose if isinstance(problem, NotAuthenticatedError) else ""
            # Who was not made to wait before is now: else it would tell that a name is known there.
            waived = self._failures.delay_for(address) - self._delay_for(account, address)
            delay = waived + self._failures.failed(whose or account, address)
            self._familiar.failed(account, address, at_another=bool(whose))
            await run_in_threadpool(note)
            await self._wait(delay)
            raise
        self._failures.succeeded(account, address)
        self._familiar.succeeded(account, address)
        return answer

    def _delay_for(self, account: str, address: str) -> float:
        """How long a logon waits before it is looked at; who was right there lately does not."""
        if self._familiar.is_one(account, address):
            return 0.0
        return self._failures.delay_for(address)

    def _start(self, check: Callable[[], Result]) -> "Future[Result]":
        """Begin a check; its place is free when it is over, whether or not somebody waits."""
        loop = asyncio.get_running_loop()

        def over(_: "Future[Result]") -> None:
            # RuntimeError: the loop has ended, and nobody waits for a turn.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._turns.release)

        checking = self._threads.submit(check)
        checking.add_done_callback(over)
        return checking

    async def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopping.is_set():
            raise _stops()


def _stops() -> UnavailableError:
    return UnavailableError("The manager stops; try again when it has been started.")


def is_wrong(problem: CloudgateError) -> bool:
    """Whether it was a password that was wrong, and not something else."""
    is_refusal = isinstance(problem, NotAuthenticatedError | AccessDeniedError)
    return is_refusal and not problem.of_standing


async def _while_there(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` comes to, unless the client hangs up before.

    Raises:
        ClientDisconnect: it has hung up; the work was cancelled.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        await _ended(working)
        await _ended(leaving)


async def _ended(task: "asyncio.Future[Any]") -> None:
    if task.done():
        return
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, CloudgateError):
        await task


async def _left(request: Request) -> None:
    """Returns when the client has hung up."""
    receive: Callable[[], Awaitable[Any]] = request.receive
    while (await receive())["type"] != "http.disconnect":
        continue


def _be_nice() -> None:
    """Let the other threads of this process go first. Where the system has no such thing, not."""
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):  # EPERM: the system forbids even to be nicer
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
