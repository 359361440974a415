"""A manager's event loop is stuck: does the thread that keeps its lease see that?"""

import asyncio
import threading

from structlog.testing import capture_logs

from cloudgate.cli.service.manager.turns import STUCK_SECONDS, Pulse


def test_a_loop_that_is_stuck_is_not_felt_until_it_goes_on() -> None:
    now = 100.0
    stuck, free = threading.Event(), threading.Event()

    def is_stuck_here() -> None:
        stuck.set()
        free.wait()

    async def look() -> None:
        nonlocal now
        loop = asyncio.get_running_loop()
        pulse = Pulse(loop, lambda: now)

        def watch() -> list[bool]:
            nonlocal now
            loop.call_soon_threadsafe(is_stuck_here)
            stuck.wait()
            felt = [pulse.is_felt()]
            now += STUCK_SECONDS
            felt += [pulse.is_felt(), pulse.is_felt()]
            free.set()
            return felt

        assert await asyncio.to_thread(watch) == [True, False, False]
        assert await asyncio.to_thread(pulse.is_felt)

    with capture_logs() as logs:
        asyncio.run(look())
    (said,) = logs
    assert said["event"] == "this manager answers nobody, and lets another one lead"
    assert any("is_stuck_here" in each for each in said["at"])
