"""Authenticator: who asks, and is the password right? Who guesses waits longer each time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from cloudgate.host.authorization.address_reputation import AddressReputation
from cloudgate.host.authorization.certificates.presented import (
    ANOTHER,
    PresentedCertificate,
    PresentedCertificates,
)
from cloudgate.host.authorization.old_password_uses import OldPasswordUses
from cloudgate.host.authorization.password_verifier import PasswordVerifier
from cloudgate.host.authorization.policy import Denial, parse_credentials
from cloudgate.host.authorization.priority_queue import Requester, TooManyPendingError
from cloudgate.host.authorization.rejected_logins import RejectedLogins
from cloudgate.host.authorization.singleflight import SingleFlight
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.principal import Principal, tenant_key
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.trust.login_throttle import LoginThrottle, client_network
from cloudgate.values import login_names

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


@dataclass(frozen=True, slots=True)
class AuthenticationResult:
    """Who somebody says to be, and whether the password has shown it."""

    name: str
    """For the logs; empty when nothing was said."""
    principal: Principal | None = None
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
    principal: Principal | None
    password: str = field(repr=False)
    address: str
    hashes: tuple[str, ...] = field(default=(), repr=False)
    """Of which one the password has to be; none when nobody has that name."""

    @property
    def who(self) -> UUID | None:
        """The tenant that it would be; None when nobody has that name."""
        return self.principal.tenant.tenant_id if self.principal else None


class Authenticator:
    """Looks at names and passwords, and remembers who was right and who guesses."""

    def __init__(
        self,
        directory: TenantDirectory,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        reputation: AddressReputation | None = None,
        gateway_status: GatewayStatus | None = None,
    ) -> None:
        self._directory = directory
        self._now = now
        self._certificates = PresentedCertificates(directory, gateway_status or GatewayStatus())
        self._passwords = PasswordVerifier()
        self._failures = LoginThrottle(time.monotonic)
        self.reputation = reputation or AddressReputation()
        """Who was right before, and from where."""
        self.guesses = RejectedLogins(now)
        """Wrong passwords that were tried."""
        self.old_passwords = OldPasswordUses(now)
        """Those that have been replaced, and are good yet."""
        self._queues: dict[str, _Queue] = {}
        """By the network that they come from."""
        self._in_flight: SingleFlight[_Key, str] = SingleFlight(goes_on=False)
        self._checks: set[asyncio.Task[_PasswordCheck]] = set()
        """At passwords whose turn has come; they go on when nobody waits for them any more."""

    def close(self) -> None:
        """Look at no password any more."""
        self._in_flight.close()
        for each in self._checks:
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
            TooManyPendingError: too many other passwords wait.
        """
        credentials = parse_credentials(authorization)
        principal = self._directory.find(credentials.name) if credentials else None
        shown = self._certificates.find(certificate, self._now()) if certificate else None
        if shown is not None and (credentials is None or shown.denial is None):
            return self._by_certificate(
                shown, address, None if credentials is None else (principal,)
            )
        if credentials is None:
            return AuthenticationResult("")
        name = principal.name if principal else credentials.name[:LONGEST_LOGGED]
        now = self._now()
        hashes = principal.hashes(now) if principal else ()
        found = self._passwords.cached(hashes, credentials.password) if principal else ""
        if principal and found:
            self.reputation.record_success(principal.tenant.tenant_id, address)
        else:
            attempt = _Attempt(name, principal, credentials.password, address, hashes)
            found = await self._verify_once(attempt, credentials.name)
            # What was changed meanwhile holds at once.
            principal, now = self._directory.find(credentials.name), self._now()
        proven = bool(found) and principal is not None and found in principal.hashes(now)
        is_old = proven and principal is not None and found != principal.password_hash
        if is_old and principal is not None:
            self.old_passwords.record(principal)
        return AuthenticationResult(name, principal, proven=proven, is_old=is_old)

    def _by_certificate(
        self, shown: PresentedCertificate, address: str, named: tuple[Principal | None] | None
    ) -> AuthenticationResult:
        """Who shows a certificate; `named`: who has the name that comes along, if one does."""
        principal = shown.principal
        name = principal.name if principal else ""
        if principal is None or shown.denial is not None:
            return AuthenticationResult(name, principal, denial=shown.denial)
        if named is not None and not principal.is_same(named[0]):
            return AuthenticationResult(name, principal, denial=ANOTHER)
        self.reputation.record_success(principal.tenant.tenant_id, address)
        return AuthenticationResult(
            name, principal, proven=True, certificate_id=shown.holder.certificate_id
        )

    async def _verify_once(self, attempt: _Attempt, name: str) -> str:
        """The hash of which the password is; empty when of none."""
        network = client_network(attempt.address)
        cache_key = self._passwords.cache_key(attempt.hashes, attempt.password)
        try:
            return await self._in_flight.do(
                (network, name, cache_key),
                lambda: self._verify_after_delays(attempt, self._enqueue(network)),
                lambda: self._dequeue(network),
            )
        except TooManyPendingError:
            await asyncio.sleep(TURNED_AWAY_SECONDS)
            raise

    def _enqueue(self, network: str) -> asyncio.Lock:
        """Join the queue of a network; the lock that the one has whose turn it is."""
        queue = self._queues.setdefault(network, _Queue())
        if queue.length > MAX_PENDING:
            raise TooManyPendingError
        queue.length += 1
        return queue.turn

    def _dequeue(self, network: str) -> None:
        queue = self._queues[network]
        queue.length -= 1
        if not queue.length:
            del self._queues[network]

    async def _verify_after_delays(self, attempt: _Attempt, turn: asyncio.Lock) -> str:
        if self.reputation.standing_of(attempt.who, attempt.address).familiar:
            check = await self._verify_in_turn(attempt)
        else:
            async with turn:  # what is asked at once is looked at one after the other
                await _wait(self._failures.delay_for(attempt.address))
                check = await self._verify_in_turn(attempt)
        await _wait(check.delay_seconds)
        return check.found

    async def _verify_in_turn(self, attempt: _Attempt) -> "_PasswordCheck":
        tenant = tenant_key(login_names.read(attempt.name).tenant)
        requester = Requester(tenant, self.reputation.standing_of(attempt.who, attempt.address))
        self.reputation.record_attempt(attempt.address)
        await self._passwords.turns.acquire(requester)
        check = asyncio.create_task(self._verify(attempt, requester))
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)
        return await asyncio.shield(check)

    async def _verify(self, attempt: _Attempt, requester: Requester) -> "_PasswordCheck":
        try:
            found = await self._passwords.verify(attempt.hashes, attempt.password)
        finally:
            self._passwords.turns.release(requester)
        if found and attempt.who is not None:
            self._failures.succeeded(attempt.name, attempt.address)
            self.reputation.record_success(attempt.who, attempt.address)
            return _PasswordCheck(found)
        self.guesses.record(attempt.name, attempt.address)
        self.reputation.record_failure(attempt.who, attempt.address)
        return _PasswordCheck(delay_seconds=self._failures.failed(attempt.name, attempt.address))


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
