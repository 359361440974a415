"""Poll order: which of a host's polls is its newest?

A host polls once at a time. An older poll that is still held is of one that was started anew, or
goes to another manager's address now: whatever is told there, nobody hears.
"""

from itertools import count
from uuid import UUID


class PollOrder:
    """Numbers of polls, in the order in which they came here. May be used from any thread."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._newest: dict[UUID, int] = {}

    def next_number(self) -> int:
        """The number of a poll that has come; it is nobody's until it `begin`s."""
        return next(self._numbers)

    def begin(self, server_id: UUID, number: int) -> None:
        """It is known whose poll that is. One that came later may have been known sooner."""
        self._newest[server_id] = max(number, self._newest.get(server_id, 0))

    def is_newest(self, server_id: UUID, number: int) -> bool:
        """Whether no later poll of the host has begun."""
        return self._newest.get(server_id) == number

    def forget(self, server_id: UUID) -> None:
        """None of its polls is awaited any more."""
        self._newest.pop(server_id, None)
