"""Who asks, and is the password right? Who guesses waits, longer each time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cloudgate.gateway.decision import Login, parse_credentials
from cloudgate.gateway.directory import Directory
from cloudgate.gateway.guesses import Guesses
from cloudgate.gateway.passwords import PasswordCheck
from cloudgate.gateway.together import Together
from cloudgate.slowing import Failures, origin

LONGEST_LOGGED = 128
"""Characters of a name that somebody unknown sent."""
MOST_WAITING = 64
"""Passwords of one address that wait to be looked at. They are, one after the other: so many at
once would all count as the first."""
LONGEST_DELAY_SECONDS = 5.0
"""How long a guess is made to wait at most, before it is looked at and again before its answer."""

_Question = tuple[str, str, bytes]
"""From where, for which name, and the mark of the password."""


class TooManyError(Exception):
    """Too many passwords of one address wait."""


@dataclass(frozen=True)
class Identity:
    """Who somebody says to be."""

    name: str
    """For the logs; empty when nothing was said."""
    login: Login | None = None
    """None when nobody has that name."""
    proven: bool = False
    """Whether the password was the right one."""


class Logins:
    """Looks at names and passwords, and remembers who was right and who guesses."""

    def __init__(
        self, directory: Directory, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._directory = directory
        self._passwords = PasswordCheck()
        self._failures = Failures(time.monotonic)
        self.guesses = Guesses(now)
        """Wrong passwords that were tried."""
        self._lines: dict[str, _Line] = {}
        """By where they come from."""
        self._asked: Together[_Question, bool] = Together(goes_on=False)

    def close(self) -> None:
        """Look at no password any more."""
        self._asked.close()
        self._passwords.close()

    async def identify(self, authorization: str | None, address: str) -> Identity:
        """Who sends these credentials (RFC 7617) from an IP address.

        Who guesses is made to wait; who was right before is not. The same password that is said
        many times at once is looked at once, as of a program that opens many tunnels.

        Raises:
            TooManyError: too many other passwords from there wait.
        """
        said = parse_credentials(authorization)
        if said is None:
            return Identity("")
        login = self._directory.find(said.name)
        name = login.name if login else said.name[:LONGEST_LOGGED]
        password_hash = login.password_hash if login else ""
        if self._passwords.is_remembered(password_hash, said.password):
            return Identity(name, login, proven=True)
        mark = self._passwords.mark(password_hash, said.password)
        whose = origin(address)
        proven = await self._asked.share(
            (whose, said.name, mark),
            lambda: self._look(name, password_hash, said.password, address, self._stand_in(whose)),
            lambda: self._leave(whose),
        )
        return Identity(name, login, proven=proven)

    def _stand_in(self, whose: str) -> asyncio.Lock:
        """Take a place in a line; the turn of the first in it."""
        line = self._lines.setdefault(whose, _Line())
        if line.length > MOST_WAITING:
            raise TooManyError
        line.length += 1
        return line.turn

    def _leave(self, whose: str) -> None:
        line = self._lines[whose]
        line.length -= 1
        if not line.length:
            del self._lines[whose]

    async def _look(
        self, name: str, password_hash: str, password: str, address: str, turn: asyncio.Lock
    ) -> bool:
        async with turn:
            await _wait(self._failures.delay_before(address))
            if await self._passwords.is_right(password_hash, password):
                self._failures.succeeded(name, address)
                return True
            delay_seconds = self._failures.failed(name, address)
            self.guesses.note(name, address)
        await _wait(delay_seconds)
        return False


@dataclass
class _Line:
    """The passwords of one address, which are looked at one after the other."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0
    """How many are in it, the one whose turn it is included."""


async def _wait(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(min(seconds, LONGEST_DELAY_SECONDS))
