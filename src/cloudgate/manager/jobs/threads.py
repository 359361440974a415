"""Job threads: how does what blocks run beside the event loop, and what of it holds up the end?"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import to_thread

from cloudgate.background import counted
from cloudgate.errors import UnavailableError

GRACE_SECONDS = 5.0
"""How long what may hang is waited for when the manager ends."""

Given = ParamSpec("Given")
Result = TypeVar("Result")


async def run_in_thread(
    function: Callable[Given, Result], *args: Given.args, **more: Given.kwargs
) -> Result:
    """Call what blocks in one of the threads that answer requests, too; they are so many in all.

    What is called sees the context variables of its caller, and counts as what a job's attempt
    takes of a processor. Whoever waits and is cancelled waits for its end all the same, and so does
    the manager's end.
    """
    return await to_thread.run_sync(partial(counted, function, *args, **more))


async def run_in_daemon_thread(name: str, function: Callable[[], object]) -> None:
    """Run it in a thread that the manager does not wait for when it ends."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def settle(problem: BaseException | None) -> None:
        if ended.cancelled():
            return
        if problem is None:
            ended.set_result(None)
        else:
            ended.set_exception(problem)

    def run() -> None:
        problem: BaseException | None = None
        try:
            function()
        except BaseException as found:  # noqa: BLE001  told to whoever waits
            problem = found
        try:
            loop.call_soon_threadsafe(settle, problem)
        except RuntimeError:
            # The manager has ended meanwhile, and nobody waits: it is done again at its start.
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    await ended


class TimeLimitedTask:
    """Runs a function of which nobody knows whether it returns: once at a time, in a thread.

    A disk of another machine may be gone, and a program may read nothing of what it is sent.
    """

    def __init__(self, name: str, seconds: float, late: str) -> None:
        """`seconds`: how long it is waited for at a time; `late`: what is then said."""
        self._name = name
        self._seconds = seconds
        self._late = late
        self._task: asyncio.Task[None] | None = None
        self.is_over = False
        """Whether the manager has ended without it: it is to keep nothing any more."""

    async def run(self, function: Callable[[], object]) -> None:
        """Run it; or, where it has not returned yet, wait on.

        Raises:
            UnavailableError: it takes long.
        """
        task = self._task
        if task is None:
            task = asyncio.create_task(run_in_daemon_thread(self._name, function))
            self._task = task
        try:
            await asyncio.wait({task}, timeout=self._seconds)
        except asyncio.CancelledError:
            await self._leave(task)
            raise
        if not task.done():
            raise UnavailableError(self._late)
        self._task = None
        await task

    async def _leave(self, task: "asyncio.Task[None]") -> None:
        await asyncio.wait({task}, timeout=GRACE_SECONDS)
        self.is_over = True
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # it was told of, if it lasted
