"""Manager addresses: with which of several managers does this host speak, and when with another?

It begins with one by chance, goes on to the next when that one does not answer, and chooses anew
now and then, so that hosts spread evenly again after a manager was away. All that the host says
goes to the same one.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable

SHORTEST_STAY_SECONDS, LONGEST_STAY_SECONDS = 300.0, 900.0
"""With one manager, while there are several; how long it is, chance says."""


class ManagerAddresses:
    """The addresses of managers, and which of them is in use."""

    def __init__(
        self,
        chance: random.Random | None = None,
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chance = chance or random.Random()  # noqa: S311  no secret
        self._clock_seconds = clock_seconds
        self._known: tuple[str, ...] = ()
        self._order: list[str] = []
        self._until_seconds = 0.0
        self._changed = asyncio.Event()

    @property
    def are_several(self) -> bool:
        """Whether there is another one to go to."""
        return len(self._known) > 1

    def choose(self, known: Iterable[str]) -> str:
        """The one to speak with, of those that are known now."""
        found = tuple(dict.fromkeys(known))
        if set(found) != set(self._known):
            here = self._order[0] if self._order and self._order[0] in found else None
            self._shuffle(found)
            if here is not None:  # one more is no reason to leave
                self._order.remove(here)
                self._order.insert(0, here)
        return self._order[0]

    def failed(self, url: str) -> None:
        """It does not answer: go on to the next one, if it is still in use."""
        if self.are_several and self._order[0] == url:
            self._order.append(self._order.pop(0))
            self._leave()

    def stay(self) -> None:
        """Choose anew if the time with this one is over."""
        if self.are_several and self._clock_seconds() >= self._until_seconds:
            here = self._order[0]
            self._shuffle(self._known)
            if self._order[0] != here:
                self._leave()

    async def left(self, url: str) -> None:
        """Returns when another one than `url` is in use."""
        while self._order[0] == url:
            await self._changed.wait()

    def _leave(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _shuffle(self, known: tuple[str, ...]) -> None:
        self._known = known
        self._order = self._chance.sample(known, len(known))
        stay = self._chance.uniform(SHORTEST_STAY_SECONDS, LONGEST_STAY_SECONDS)
        self._until_seconds = self._clock_seconds() + stay
