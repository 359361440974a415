"""Stream: how does an open page hear of what is new? By server-sent events, one stream a page.

The live part of a page is made anew once a second, by the same calls that the page was made by, and
sent when it differs; less often where that takes long. A stream ends with the session, with the
manager, and after a while by itself: the browser then asks again, and shows that it is signed in.

What is asked for as a stream is answered by one in any case: of another answer a browser tells the
page nothing but that it came to nothing. Its events are ``live``, the part; ``waiting``, when
nobody knows whether what was shown is so still; ``again``, for the page to ask for another stream;
and two after which it asks no more, ``signed-out`` and ``gone``, which says why.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from cloudgate.console.api import RefusedError, SignedOutError

EVERY_SECONDS = 1.0
_REST = 4
"""Times as long as it took to make a page, it is not made again: none holds up the manager."""
LONGEST_SECONDS = 600.0
_ALIVE_EVERY = 15
"""Rounds without news after which a comment says that the stream still is there."""
MOST = 200
"""Streams at a time of a section: tenants take none from operators."""
MOST_EACH = 8
"""Of one session."""
MOST_TOGETHER = 20
"""Of those that belong together, as a tenant and its users do, however many sessions they have."""
_FOR_GOOD = (403, 404)


class Streams:
    """The streams of a manager."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._open: Counter[str] = Counter()
        """By session."""
        self._together: Counter[str] = Counter()
        """By to whom sessions belong."""

    def stop(self) -> None:
        """End all of them."""
        self._stopping.set()

    def has_room(self, session: str, whose: str = "") -> bool:
        """Whether one more may be opened, by a session that is somebody's; empty for nobody's."""
        is_full = (
            self._open.total() >= MOST
            or self._open[session] >= MOST_EACH
            or (whose != "" and self._together[whose] >= MOST_TOGETHER)
        )
        return not is_full

    async def events(
        self, render: Callable[[], Awaitable[str]], session: str = "", whose: str = ""
    ) -> AsyncIterator[str]:
        """The events of one page of somebody's session; `render` makes its live part."""
        if not self.has_room(session, whose):  # others have begun since it was asked for
            yield event("again")
            return
        self._open[session] += 1
        self._together[whose] += 1
        try:
            async for each in self._events(render):
                yield each
        finally:
            self._open[session] -= 1
            self._together[whose] -= 1
            self._open += Counter()  # forgets those that have none
            self._together += Counter()

    async def _events(self, render: Callable[[], Awaitable[str]]) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        until, shown, silent = loop.time() + LONGEST_SECONDS, None, 0
        yield "retry: 1000\n\n"
        while not self._stopping.is_set():
            began = loop.time()
            try:
                now = event("live", await render())
            except RefusedError as problem:
                now = refusal(problem)
                if is_for_good(problem):
                    yield now
                    return
            silent += 1
            if now != shown:
                yield now
                shown, silent = now, 0
            elif silent >= _ALIVE_EVERY:
                yield ": alive\n\n"
                silent = 0
            with contextlib.suppress(TimeoutError):
                pause = pause_seconds(loop.time() - began)
                await asyncio.wait_for(self._stopping.wait(), pause)
            if loop.time() >= until:
                yield event("again")
                return


def pause_seconds(took_seconds: float) -> float:
    """How long to wait before a page is made again that took so long to make."""
    return max(EVERY_SECONDS - took_seconds, _REST * took_seconds)


def refusal(problem: RefusedError) -> str:
    """The event that tells of what the API refuses: for good, or for now."""
    if isinstance(problem, SignedOutError):
        return event("signed-out")
    if is_for_good(problem):
        return event("gone", problem.message)
    return event("waiting")


def is_for_good(problem: RefusedError) -> bool:
    """Whether what is refused now will be later, too."""
    return isinstance(problem, SignedOutError) or problem.status in _FOR_GOOD


async def only(one: str) -> AsyncIterator[str]:
    """A stream of one event."""
    yield one


def event(name: str, text: str = "") -> str:
    """One event, as it is sent."""
    return f"event: {name}\ndata: {json.dumps(text)}\n\n"
