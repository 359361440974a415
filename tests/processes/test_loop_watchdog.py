"""A manager's event loop is stuck: does the thread that keeps its lease see that?"""

import asyncio
import threading

from structlog.testing import capture_logs

from cloudgate.processes.loop_watchdog import STUCK_SECONDS, LoopWatchdog


def test_a_loop_that_is_stuck_does_not_answer_until_it_goes_on() -> None:
    now = 100.0
    stuck, free = threading.Event(), threading.Event()

    def get_stuck_here() -> None:
        stuck.set()
        free.wait()

    async def look() -> None:
        nonlocal now
        loop = asyncio.get_running_loop()
        watchdog = LoopWatchdog(loop, lambda: now)

        def watch() -> list[bool]:
            nonlocal now
            loop.call_soon_threadsafe(get_stuck_here)
            stuck.wait()
            found = [watchdog.is_responsive()]
            now += STUCK_SECONDS
            found += [watchdog.is_responsive(), watchdog.is_responsive()]
            free.set()
            return found

        assert await asyncio.to_thread(watch) == [True, False, False]
        assert await asyncio.to_thread(watchdog.is_responsive)

    with capture_logs() as logs:
        asyncio.run(look())
    (said,) = logs
    assert said["event"] == "this manager answers nobody, and lets another one lead"
    assert any("get_stuck_here" in each for each in said["at"])
