"""Wakeups: how does a change reach those who wait for it? Threads wake, coroutines wait."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from uuid import UUID


class Wakeups:
    """Wakes the waiters of a key. What comes before anybody waits is not remembered."""

    def __init__(self) -> None:
        self.closed = False
        self._lock = Lock()
        self._waiting: dict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._loops: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def close(self) -> None:
        """Wake everybody: nothing more will happen. May be called from any thread."""
        with self._lock:
            self.closed = True
            keys = tuple(self._waiting)
        self.wake(keys)

    def wake(self, keys: Iterable[UUID]) -> None:
        """Wake everybody who waits for one of `keys`. May be called from any thread."""
        with self._lock:
            woken = {event for key in keys for event in self._waiting.get(key, ())}
            loops: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = defaultdict(list)
            for event in woken:
                loops[self._loops[event]].append(event)
        for loop, events in loops.items():
            loop.call_soon_threadsafe(_set_all, events)

    @contextmanager
    def subscribe(
        self, keys: Iterable[UUID], event: asyncio.Event | None = None
    ) -> Iterator[asyncio.Event]:
        """An event that is set when one of `keys` is woken from here on; a new one, or `event`."""
        event = event or asyncio.Event()
        known = tuple(keys)
        with self._lock:
            self._loops[event] = asyncio.get_running_loop()
            for key in known:
                self._waiting[key].add(event)
        try:
            yield event
        finally:
            with self._lock:
                del self._loops[event]
                for key in known:
                    self._waiting[key].discard(event)
                    if not self._waiting[key]:
                        del self._waiting[key]


def _set_all(events: Iterable[asyncio.Event]) -> None:
    for each in events:
        each.set()
