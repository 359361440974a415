"""Signals: who is told when this process is to end, or to do something else?"""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any


@contextmanager
def on_end(
    call: Callable[[], object], *, restart: Callable[[], object] | None = None
) -> Iterator[None]:
    """Have the running loop call something at SIGINT and SIGTERM; after that all is as before.

    Args:
        call: is called in the loop, each time that a signal comes.
        restart: the same at SIGHUP, which Windows does not have.
    """
    loop = asyncio.get_running_loop()
    calls = {signal.SIGINT: call, signal.SIGTERM: call}
    if restart is not None and sys.platform != "win32":
        calls[signal.SIGHUP] = restart
    before = {number: signal.getsignal(number) for number in calls}
    for number, each in calls.items():
        if sys.platform == "win32":  # its loops have no such thing
            signal.signal(number, partial(_call_soon, loop, each))
        else:
            loop.add_signal_handler(number, each)
    try:
        yield
    finally:
        for number, handler in before.items():
            if sys.platform != "win32":
                loop.remove_signal_handler(number)
            if handler is not None:  # what is not Python's cannot be put back
                signal.signal(number, handler)


def _call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[], object], *_: Any) -> None:
    loop.call_soon_threadsafe(call)
