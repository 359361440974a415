"""Authenticator: who asks, and is the password right? Who guesses waits longer each time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from cloudgate.host.authorization.address_reputation import Reputation
from cloudgate.host.authorization.failed_logins import Guesses
from cloudgate.host.authorization.password_verifier import PasswordCheck
from cloudgate.host.authorization.policy import parse_credentials
from cloudgate.host.authorization.priority_queue import Asker, TooManyError
from cloudgate.host.authorization.singleflight import Together
from cloudgate.host.state.principal import Login, tenant_key
from cloudgate.host.state.tenant_directory import Directory
from cloudgate.trust.login_throttle import Failures, origin

LONGEST_LOGGED = 128
"""Characters of a name that somebody unknown sent."""
MOST_WAITING = 64
"""Passwords of one address that wait to be looked at. They are, one after the other: so many at
once would all count as the first."""
LONGEST_DELAY_SECONDS = 5.0
"""How long a guess is made to wait at most, before it is looked at and again before its answer."""

TURNED_AWAY_SECONDS = 1.0
"""How long somebody waits for the answer that too many wait: to ask again is no faster."""

_Key = tuple[str, str, bytes]
"""From where, for which name, and the mark of the password."""


@dataclass(frozen=True)
class Identity:
    """Who somebody says to be."""

    name: str
    """For the logs; empty when nothing was said."""
    login: Login | None = None
    """None when nobody has that name."""
    proven: bool = False
    """Whether the password was the right one."""


@dataclass(frozen=True)
class _Question:
    """A password that has to be looked at."""

    name: str
    login: Login | None
    password: str = field(repr=False)
    address: str

    @property
    def who(self) -> UUID | None:
        """The tenant that it would be; None when nobody has that name."""
        return self.login.tenant.tenant_id if self.login else None

    @property
    def password_hash(self) -> str:
        """What the password has to be right for; empty when there is none."""
        return self.login.password_hash if self.login else ""


class Logins:
    """Looks at names and passwords, and remembers who was right and who guesses."""

    def __init__(
        self,
        directory: Directory,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        reputation: Reputation | None = None,
    ) -> None:
        self._directory = directory
        self._passwords = PasswordCheck()
        self._failures = Failures(time.monotonic)
        self.reputation = reputation or Reputation()
        """Who was right before, and from where."""
        self.guesses = Guesses(now)
        """Wrong passwords that were tried."""
        self._lines: dict[str, _Line] = {}
        """By where they come from."""
        self._asked: Together[_Key, bool] = Together(goes_on=False)
        self._looks: set[asyncio.Task[float | None]] = set()
        """At passwords whose turn has come; they go on when nobody waits for them any more."""

    def close(self) -> None:
        """Look at no password any more."""
        self._asked.close()
        for each in self._looks:
            each.cancel()
        self._passwords.close()
        self.reputation.keep()

    async def identify(self, authorization: str | None, address: str) -> Identity:
        """Who sends these credentials (RFC 7617) from an IP address.

        Who guesses is made to wait; who was right before is not. The same password that is said
        many times at once is looked at once, as of a program that opens many tunnels. What nobody
        waits for any more is not looked at.

        Raises:
            TooManyError: too many other passwords wait.
        """
        said = parse_credentials(authorization)
        if said is None:
            return Identity("")
        login = self._directory.find(said.name)
        name = login.name if login else said.name[:LONGEST_LOGGED]
        question = _Question(name, login, said.password, address)
        if login and self._passwords.is_remembered(question.password_hash, said.password):
            self.reputation.right(login.tenant.tenant_id, address)
            return Identity(name, login, proven=True)
        proven = await self._ask(question, said.name)
        # What was changed meanwhile holds at once.
        login = self._directory.find(said.name)
        is_the_same = login is not None and login.password_hash == question.password_hash
        return Identity(name, login, proven=proven and is_the_same)

    async def _ask(self, question: _Question, said_name: str) -> bool:
        whose = origin(question.address)
        mark = self._passwords.mark(question.password_hash, question.password)
        try:
            return await self._asked.share(
                (whose, said_name, mark),
                lambda: self._answer(question, self._stand_in(whose)),
                lambda: self._leave(whose),
            )
        except TooManyError:
            await asyncio.sleep(TURNED_AWAY_SECONDS)
            raise

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

    async def _answer(self, question: _Question, turn: asyncio.Lock) -> bool:
        if self.reputation.of(question.who, question.address).familiar:
            delay_seconds = await self._look_in_turn(question)
        else:
            async with turn:  # what is asked at once is looked at one after the other
                await _wait(self._failures.delay_before(question.address))
                delay_seconds = await self._look_in_turn(question)
        if delay_seconds is None:
            return True
        await _wait(delay_seconds)
        return False

    async def _look_in_turn(self, question: _Question) -> float | None:
        tenant = tenant_key(question.name.replace("/", "\\").partition("\\")[0])
        asker = Asker(tenant, self.reputation.of(question.who, question.address))
        self.reputation.asked(question.address)
        await self._passwords.turns.take(asker)
        look = asyncio.create_task(self._look(question, asker))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        return await asyncio.shield(look)

    async def _look(self, question: _Question, asker: Asker) -> float | None:
        """None when the password is right, else how long the answer has to wait."""
        try:
            right = await self._passwords.is_right(question.password_hash, question.password)
        finally:
            self._passwords.turns.give_back(asker)
        if right and question.who is not None:
            self._failures.succeeded(question.name, question.address)
            self.reputation.right(question.who, question.address)
            return None
        self.guesses.note(question.name, question.address)
        self.reputation.wrong(question.who, question.address)
        return self._failures.failed(question.name, question.address)


@dataclass
class _Line:
    """The passwords of one address, which are looked at one after the other."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0
    """How many are in it, the one whose turn it is included."""


async def _wait(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(min(seconds, LONGEST_DELAY_SECONDS))
