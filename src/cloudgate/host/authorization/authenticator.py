"""Authenticator: who asks, and is the password right? Who guesses waits longer each time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from cloudgate.host.authorization.address_reputation import AddressReputation
from cloudgate.host.authorization.certificates.shown import (
    ANOTHER,
    ShownCertificate,
    ShownCertificates,
)
from cloudgate.host.authorization.failed_logins import FailedLogins
from cloudgate.host.authorization.old_password_uses import OldPasswordUses
from cloudgate.host.authorization.password_verifier import PasswordVerifier
from cloudgate.host.authorization.policy import Denial, parse_credentials
from cloudgate.host.authorization.priority_queue import Requester, TooManyPendingError
from cloudgate.host.authorization.singleflight import SingleFlight
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.principal import Principal, tenant_key
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.trust.login_throttle import LoginThrottle, client_network

LONGEST_LOGGED = 128
"""Characters of a name that somebody unknown sent."""
MAX_PENDING = 64
"""Passwords of one address that wait to be looked at. They are, one after the other: so many at
once would all count as the first."""
LONGEST_DELAY_SECONDS = 5.0
"""How long a guess is made to wait at most, before it is looked at and again before its answer."""

TURNED_AWAY_SECONDS = 1.0
"""How long somebody waits for the answer that too many wait: to ask again is no faster."""

_Key = tuple[str, str, bytes]
"""From where, for which name, and the mark of the password."""


@dataclass(frozen=True)
class AuthenticationResult:
    """Who somebody says to be, and whether the password has shown it."""

    name: str
    """For the logs; empty when nothing was said."""
    login: Principal | None = None
    """None when nobody has that name."""
    proven: bool = False
    """Whether the password was the right one, or the certificate is good."""
    certificate_id: UUID | None = None
    """Of the certificate that has shown it; None where the password has."""
    is_old: bool = False
    """Whether it was by a password that has been replaced, and is good yet."""
    denial: Denial | None = None
    """Why it has not shown it, where that may be told."""


@dataclass(frozen=True)
class _Attempt:
    """A password that has to be looked at."""

    name: str
    login: Principal | None
    password: str = field(repr=False)
    address: str
    hashes: tuple[str, ...] = field(default=(), repr=False)
    """Of which one the password has to be; none when nobody has that name."""

    @property
    def who(self) -> UUID | None:
        """The tenant that it would be; None when nobody has that name."""
        return self.login.tenant.tenant_id if self.login else None


class Authenticator:
    """Looks at names and passwords, and remembers who was right and who guesses."""

    def __init__(
        self,
        directory: TenantDirectory,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        reputation: AddressReputation | None = None,
        role: GatewayStatus | None = None,
    ) -> None:
        self._directory = directory
        self._now = now
        self._certificates = ShownCertificates(directory, role or GatewayStatus())
        self._passwords = PasswordVerifier()
        self._failures = LoginThrottle(time.monotonic)
        self.reputation = reputation or AddressReputation()
        """Who was right before, and from where."""
        self.guesses = FailedLogins(now)
        """Wrong passwords that were tried."""
        self.old_passwords = OldPasswordUses(now)
        """Those that have been replaced, and are good yet."""
        self._lines: dict[str, _Queue] = {}
        """By where they come from."""
        self._asked: SingleFlight[_Key, str] = SingleFlight(goes_on=False)
        self._looks: set[asyncio.Task[_PasswordCheck]] = set()
        """At passwords whose turn has come; they go on when nobody waits for them any more."""

    def close(self) -> None:
        """Look at no password any more."""
        self._asked.close()
        for each in self._looks:
            each.cancel()
        self._passwords.close()
        self.reputation.keep()

    async def authenticate(
        self, authorization: str | None, address: str, certificate: str = ""
    ) -> AuthenticationResult:
        """Who sends these credentials (RFC 7617), or shows this certificate, from an IP address.

        Who does both has to be the same; then the password is not looked at. A certificate that is
        good no more is as none where a password comes along.

        Who guesses is made to wait; who was right before is not. The same password that is said
        many times at once is looked at once, as of a program that opens many tunnels. What nobody
        waits for any more is not looked at.

        Raises:
            TooManyError: too many other passwords wait.
        """
        said = parse_credentials(authorization)
        login = self._directory.find(said.name) if said else None
        shown = self._certificates.look(certificate, self._now()) if certificate else None
        if shown is not None and (said is None or shown.denial is None):
            return self._by_certificate(shown, address, None if said is None else (login,))
        if said is None:
            return AuthenticationResult("")
        name = login.name if login else said.name[:LONGEST_LOGGED]
        hashes = login.hashes(self._now()) if login else ()
        question = _Attempt(name, login, said.password, address, hashes)
        found = self._passwords.cached(hashes, said.password) if login else ""
        if login and found:
            self.reputation.record_success(login.tenant.tenant_id, address)
        else:
            found = await self._ask(question, said.name)
            # What was changed meanwhile holds at once.
            login = self._directory.find(said.name)
        proven = bool(found) and login is not None and found in login.hashes(self._now())
        is_old = proven and login is not None and found != login.password_hash
        if is_old and login is not None:
            self.old_passwords.record(login)
        return AuthenticationResult(name, login, proven=proven, is_old=is_old)

    def _by_certificate(
        self, shown: ShownCertificate, address: str, named: tuple[Principal | None] | None
    ) -> AuthenticationResult:
        """Who shows a certificate; `named`: who has the name that comes along, if one does."""
        login = shown.login
        name = login.name if login else ""
        if login is None or shown.denial is not None:
            return AuthenticationResult(name, login, denial=shown.denial)
        if named is not None and not login.is_same(named[0]):
            return AuthenticationResult(name, login, denial=ANOTHER)
        self.reputation.record_success(login.tenant.tenant_id, address)
        return AuthenticationResult(
            name, login, proven=True, certificate_id=shown.holder.certificate_id
        )

    async def _ask(self, question: _Attempt, said_name: str) -> str:
        """The hash of which the password is; empty when of none."""
        whose = client_network(question.address)
        mark = self._passwords.cache_key(question.hashes, question.password)
        try:
            return await self._asked.do(
                (whose, said_name, mark),
                lambda: self._answer(question, self._enqueue(whose)),
                lambda: self._dequeue(whose),
            )
        except TooManyPendingError:
            await asyncio.sleep(TURNED_AWAY_SECONDS)
            raise

    def _enqueue(self, whose: str) -> asyncio.Lock:
        """Take a place in a line; the turn of the first in it."""
        line = self._lines.setdefault(whose, _Queue())
        if line.length > MAX_PENDING:
            raise TooManyPendingError
        line.length += 1
        return line.turn

    def _dequeue(self, whose: str) -> None:
        line = self._lines[whose]
        line.length -= 1
        if not line.length:
            del self._lines[whose]

    async def _answer(self, question: _Attempt, turn: asyncio.Lock) -> str:
        if self.reputation.standing_of(question.who, question.address).familiar:
            look = await self._verify_in_turn(question)
        else:
            async with turn:  # what is asked at once is looked at one after the other
                await _wait(self._failures.delay_for(question.address))
                look = await self._verify_in_turn(question)
        await _wait(look.delay_seconds)
        return look.found

    async def _verify_in_turn(self, question: _Attempt) -> "_PasswordCheck":
        tenant = tenant_key(question.name.replace("/", "\\").partition("\\")[0])
        asker = Requester(tenant, self.reputation.standing_of(question.who, question.address))
        self.reputation.record_attempt(question.address)
        await self._passwords.turns.acquire(asker)
        look = asyncio.create_task(self._verify(question, asker))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        return await asyncio.shield(look)

    async def _verify(self, question: _Attempt, asker: Requester) -> "_PasswordCheck":
        try:
            found = await self._passwords.verify(question.hashes, question.password)
        finally:
            self._passwords.turns.release(asker)
        if found and question.who is not None:
            self._failures.succeeded(question.name, question.address)
            self.reputation.record_success(question.who, question.address)
            return _PasswordCheck(found)
        self.guesses.record(question.name, question.address)
        self.reputation.record_failure(question.who, question.address)
        return _PasswordCheck(delay_seconds=self._failures.failed(question.name, question.address))


@dataclass(frozen=True)
class _PasswordCheck:
    """What came of looking at a password."""

    found: str = field(default="", repr=False)
    """The hash of which it is; empty when of none."""
    delay_seconds: float = 0.0
    """How long the answer has to wait."""


@dataclass
class _Queue:
    """The passwords of one address, which are looked at one after the other."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0
    """How many are in it, the one whose turn it is included."""


async def _wait(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(min(seconds, LONGEST_DELAY_SECONDS))
