"""Is who wants to know told of a signal, and is all as before afterwards?"""

import asyncio
import os
import signal
from collections.abc import Callable

import pytest
import uvloop

from cloudgate.processes.signals import on_end
from tests.support.waiting import PATIENCE_SECONDS


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_end_is_told_while_it_is_waited_for_and_afterwards_all_is_as_before(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def told() -> list[str]:
        said: asyncio.Queue[str] = asyncio.Queue()
        heard = []
        with on_end(lambda: said.put_nowait("end"), hangup=lambda: said.put_nowait("again")):
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                os.kill(os.getpid(), each)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    heard.append(await said.get())
        return heard

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    usual = {number: signal.getsignal(number) for number in numbers}
    own = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        mine = {number: signal.getsignal(number) for number in numbers}
        with asyncio.Runner(loop_factory=new_loop) as runner:
            assert runner.run(told()) == ["end", "end", "again", "end"]
            assert {number: signal.getsignal(number) for number in numbers} == mine
    finally:
        for number, handler in own.items():
            signal.signal(number, handler)
    assert {number: signal.getsignal(number) for number in numbers} == usual
