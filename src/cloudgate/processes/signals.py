"""Signals: who is told when this process is to end, or to do something else?

None is lost while nobody can be told: it is held until somebody can, also over execv(2).
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM)
HELD = _ENDING if sys.platform == "win32" else (*_ENDING, signal.SIGHUP)
"""Those that somebody is told of."""


def hold() -> None:
    """From now on, keep signals for `on_end`: in this process, or in what execv(2) makes of it.

    To be called by the main thread, like all that is about signals.
    """
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


@contextmanager
def held() -> Iterator[None]:
    """While nobody is to be told by `on_end`, hold what comes; after that all is as before."""
    if sys.platform == "win32":
        yield
        return
    before = {each: signal.getsignal(each) for each in HELD}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, _come_later)
    try:
        yield
    finally:
        for each, handler in before.items():
            if handler is not None:  # what is not Python's cannot be put back
                signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def is_hangup_ignored() -> bool:
    """Whether who started this process wants it to outlive the terminal, as nohup(1) does."""
    return sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def come_later(number: signal.Signals) -> None:
    """Have that signal come to who is told next."""
    hold()
    # It waits for this thread, which is the one that execv(2) leaves.
    signal.raise_signal(number)


def _come_later(number: int, _: object) -> None:
    come_later(signal.Signals(number))


@contextmanager
def on_end(
    call: Callable[[], object], *, hangup: Callable[[], object] | None = None
) -> Iterator[None]:
    """Have the running loop call something at SIGINT and SIGTERM; after that all is as before.

    Args:
        call: is called in the loop, each time that a signal comes, and for what was held.
        hangup: the same at SIGHUP, which Windows does not have.
    """
    loop = asyncio.get_running_loop()
    calls = dict.fromkeys(_ENDING, call)
    if sys.platform != "win32" and hangup is not None:
        calls[signal.SIGHUP] = hangup
    before = {number: signal.getsignal(number) for number in calls}
    for number, each in calls.items():
        if sys.platform == "win32":  # its loops have no such thing
            signal.signal(number, partial(_call_soon, loop, each))
        else:
            loop.add_signal_handler(number, each)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
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
