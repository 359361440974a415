"""Page threads: where are pages made, so that nobody waits for them? After all else."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")

NICENESS = 10
"""Whoever calls the API, and whoever uses a tunnel, comes before whoever watches."""
_AT_ONCE = 2


def _step_back() -> None:
    if sys.platform == "linux":  # there each thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


_threads = ThreadPoolExecutor(_AT_ONCE, "page", _step_back)


async def in_page_thread(
    make: Callable[_Given, _Made], *args: _Given.args, **kwargs: _Given.kwargs
) -> _Made:
    """What is made, in a thread that leaves the processors to others."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, partial(make, *args, **kwargs))
