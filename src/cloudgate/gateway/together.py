"""How is something done once for all who want it at the same time?"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Together(Generic[Key, Answer]):
    """Work that is under way, by what it is for."""

    def __init__(self) -> None:
        self._under_way: dict[Key, asyncio.Task[Answer]] = {}

    async def share(self, key: Key, begin: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """What comes of the work for `key`; `begin` is called when none is under way.

        Who leaves before that takes it from nobody else, and it goes on to its end.
        """
        doing = self._under_way.get(key)
        if doing is None:
            doing = self._under_way[key] = asyncio.create_task(begin())
            doing.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(doing)

    def close(self) -> None:
        """Give up what is under way."""
        for each in self._under_way.values():
            each.cancel()

    def _ended(self, key: Key, done: "asyncio.Task[Answer]") -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # perhaps nobody is left to hear of it
