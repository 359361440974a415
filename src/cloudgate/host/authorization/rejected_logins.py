"""Rejected logins: who tries passwords at this gateway and may not come in? Told once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloudgate.protocol import LONGEST_GUESSED_NAME, MOST_GUESSES, Guess

GATHERED_FOR = timedelta(seconds=60)
"""How long guesses are put together before they are told."""
MAX_PENDING = 1000
"""Names and addresses that are waiting to be told of; more are only slowed."""


class RejectedLogins:
    """Gathers wrong passwords until the manager has heard of them. Lost with the process."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._gathered: dict[tuple[str, str], Guess] = {}
        self._told: tuple[Guess, ...] = ()

    def record(self, name: str, address: str) -> None:
        """Somebody at an IP address has said a wrong password for a name."""
        now = self._now()
        key = name[:LONGEST_GUESSED_NAME], address
        before = self._gathered.get(key)
        if before is not None:
            more = {"count": before.count + 1, "last_at": now}
            self._gathered[key] = before.model_copy(update=more)
        elif len(self._gathered) < MAX_PENDING:
            self._gathered[key] = Guess(
                name=key[0], address=address, count=1, first_at=now, last_at=now
            )

    def pending(self) -> tuple[Guess, ...]:
        """What the manager has to hear next: the same until `acknowledge`."""
        if not self._told:
            ripe = self._now() - GATHERED_FOR
            keys = [key for key, each in self._gathered.items() if each.first_at <= ripe]
            self._told = tuple(self._gathered.pop(key) for key in keys[:MOST_GUESSES])
        return self._told

    def acknowledge(self, heard: tuple[Guess, ...]) -> None:
        """The manager has these."""
        if heard == self._told:
            self._told = ()
