"""Deadline of an end: what becomes of a service that cannot end what it does?

It says where it stands, and ends.

Another one has taken its place by then, or systemd starts it anew. One that waits for ever would be
neither ready nor gone, and nobody would know why.
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import structlog

log = structlog.get_logger(__name__)

STATUS = 70
"""Of a service that has ended so: EX_SOFTWARE of sysexits(3)."""
_LOOK_SECONDS = 1.0
_INNERMOST = 6
"""So many lines are told of each thread and task."""


@contextmanager
def ended_within(
    seconds: float, what: str, give_up: Callable[[int], object] = os._exit
) -> Iterator[Callable[[], None]]:
    """Call what this yields once it is to end; it has ended when the context is left.

    Args:
        seconds: it may take from then on. Those in which the process stood still do not count.
        what: is to end, in words for the operator.
        give_up: ends the process.
    """
    loop, begun, over = asyncio.get_running_loop(), threading.Event(), threading.Event()

    def watch() -> None:
        begun.wait()
        for _ in range(max(1, round(seconds / _LOOK_SECONDS))):
            if over.wait(min(seconds, _LOOK_SECONDS)):
                return
        for each in whereabouts(loop):
            log.error("it stands here", what=what, at=each)
        log.critical("what was to end does not; this service ends", what=what, seconds=seconds)
        give_up(STATUS)

    # A thread, because it may be the event loop that is stuck.
    threading.Thread(target=watch, name="end deadline", daemon=True).start()
    try:
        yield begun.set
    finally:
        over.set()
        begun.set()


def whereabouts(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Where each thread and each task of a loop is, the innermost line first."""
    names = {each.ident: each.name for each in threading.enumerate()}
    found = [
        f"thread {names.get(ident, ident)}: {_lines(_frames_of_thread(frame))}"
        for ident, frame in sys._current_frames().items()  # noqa: SLF001  there is no other way
        if ident != threading.get_ident()
    ]
    tasks = (each for each in asyncio.all_tasks(loop) if not each.done())
    return [
        *found,
        *(f"task {each.get_name()}: {_lines(_frames_of_task(each.get_coro()))}" for each in tasks),
    ]


def _frames_of_thread(frame: FrameType) -> list[tuple[FrameType, int]]:
    """The outermost first."""
    return list(traceback.walk_stack(frame))[::-1]


def _frames_of_task(waiting: Coroutine[Any, Any, Any] | Any) -> list[tuple[FrameType, int]]:
    found = []
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            found.append((frame, frame.f_lineno))
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
    return found


def _lines(frames: list[tuple[FrameType, int]]) -> str:
    places = [
        f"{frame.f_code.co_name} ({frame.f_code.co_filename}:{line})" for frame, line in frames
    ]
    return ", of ".join(places[::-1][:_INNERMOST])
