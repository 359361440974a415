"""Job threads: how does something run for minutes without holding up the manager's end?"""

import asyncio
import threading
from collections.abc import Callable


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
