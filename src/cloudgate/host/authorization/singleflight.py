"""Single flight: how is something done once for all who want it at the same time?"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class SingleFlight(Generic[Key, Answer]):
    """Runs one piece of work for a key at a time; all who want it meanwhile get its result."""

    def __init__(self, *, goes_on: bool) -> None:
        """`goes_on`: also when nobody waits for it any more."""
        self._goes_on = goes_on
        self._under_way: dict[Key, asyncio.Task[Answer]] = {}
        self._waiting: Counter[asyncio.Task[Answer]] = Counter()

    async def do(
        self,
        key: Key,
        begin: Callable[[], Coroutine[Any, Any, Answer]],
        over: Callable[[], None] = lambda: None,
    ) -> Answer:
        """What comes of the work for `key`. Who leaves before that takes it from nobody else.

        Args:
            key: what it is for.
            begin: called when none is under way.
            over: called when what was begun then has ended, also if it never came to its first
                step.
        """
        doing = self._under_way.get(key)
        if doing is None:
            doing = self._under_way[key] = asyncio.create_task(begin())
            doing.add_done_callback(lambda done: self._ended(key, done))
            doing.add_done_callback(lambda _: over())
        self._waiting[doing] += 1
        try:
            return await asyncio.shield(doing)
        finally:
            self._waiting[doing] -= 1
            if not self._waiting[doing]:
                del self._waiting[doing]
                if not (self._goes_on or doing.done()):
                    # Who comes now has it done anew.
                    self._ended(key, doing)
                    doing.cancel()

    def close(self) -> None:
        """Give up what is under way."""
        for each in self._under_way.values():
            each.cancel()

    def _ended(self, key: Key, done: "asyncio.Task[Answer]") -> None:
        if self._under_way.get(key) is done:
            del self._under_way[key]
        if done.done() and not done.cancelled():
            done.exception()  # perhaps nobody is left to hear of it
