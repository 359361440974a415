"""Authorizer: who may come in, and where to? The policy with clock, logins and name lookup."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from cloudgate.errors import AccessDeniedError, UnavailableError
from cloudgate.host.access_log.tunnel_metadata import Pass, era
from cloudgate.host.authorization.address_reputation import Reputation
from cloudgate.host.authorization.authenticator import Logins
from cloudgate.host.authorization.peer_health import Peers
from cloudgate.host.authorization.policy import (
    NOT_AUTHENTICATED,
    Circumstances,
    Refusal,
    barrier,
    decide,
    needs_failover,
)
from cloudgate.host.authorization.priority_queue import TooManyError
from cloudgate.host.authorization.refusal_log import Refusals
from cloudgate.host.authorization.resolver import Resolver
from cloudgate.host.envoy.start_rates import UNLIMITED_CLUSTER, to_several
from cloudgate.host.shaping.first_rates import Starts
from cloudgate.host.state.gateway_status import Role
from cloudgate.host.state.principal import Login
from cloudgate.host.state.site import SiteKnown, told
from cloudgate.host.state.tenant_directory import Directory
from cloudgate.host.tunnels.slot_tokens import Tokens
from cloudgate.host.tunnels.slots import Places
from cloudgate.network import hostport
from cloudgate.protocol import Tenant

WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 12.0
LONGEST_JUDGING_SECONDS = 14.0
"""Envoy waits no longer for an answer (`cloudgate.host.envoy.xds_listener.AUTHORIZER_SECONDS`)."""
RETRY_SECONDS = 5
"""What Retry-After says where a place, a name server or this gateway may soon be free."""
AT_WORK_RETRY_SECONDS = 300
"""What Retry-After says in maintenance."""
TOO_MANY = Refusal(
    503,
    "Too many connections come from this address; try again when some have ended.",
    RETRY_SECONDS,
)
TOO_MANY_PASSWORDS = Refusal(
    503, "Too many passwords from this address wait to be looked at; try again.", RETRY_SECONDS
)
TOO_FAST = Refusal(
    503,
    "The tenant opens tunnels faster than its speed limit allows; try again.",
    RETRY_SECONDS,
)
CLOSED = Refusal(503, "This gateway takes no new tunnels; use another one.", 5)
NOT_CERTAIN = Refusal(
    503,
    "The gateway's disk takes nothing, or has lost what it held, and its manager does not answer:"
    " who may come in is not certain. Try again.",
    5,
)
REVOKED = Refusal(503, "The provider has shut this gateway out; use another one.", 5)
NOT_IN_TIME = Refusal(503, "The gateway could not decide in time; try again.", RETRY_SECONDS)
NOBODY_KNOWN = Refusal(
    503, "The gateway does not know its tenants yet; try again or use another one.", RETRY_SECONDS
)
"""Before it was told, or after the disk has lost it: nobody's password is wrong by that."""
NOT_ASKED_RIGHT = Refusal(401, NOT_AUTHENTICATED.reason)
"""The same for a document, for which the gateway is no proxy."""


@dataclass(frozen=True)
class Verdict:
    """The answer to one request, with what the logs say of it."""

    name: str
    target: str
    address: str = ""
    """IP and port to connect to; empty when refused."""
    cluster: str = UNLIMITED_CLUSTER
    """Which of Envoy's clusters makes the connection."""
    others: tuple[str, ...] = ()
    """IPs and ports to connect to in turn where that fails."""
    holder: Pass | None = None
    """What the tunnel is known by; None when refused."""
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Told:
    """The answer to a request for the document of the tenant's gateways."""

    name: str
    document: str = ""
    """JSON; empty when refused."""
    refusal: Refusal | None = None


class Gatekeeper:
    """Judges requests by what is on this host's disk; nobody else is asked."""

    def __init__(
        self,
        directory: Directory,
        site: SiteKnown,
        role: Role,
        places: Places,
        *,
        wait_seconds: float = WAIT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        reputation: Reputation | None = None,
    ) -> None:
        """Judge by what these say.

        Args:
            directory: the tenants.
            site: the site.
            role: what this gateway is.
            places: of the tunnels that were let in.
            wait_seconds: how long a tunnel waits for a tenant's other tunnels to end.
            now: what time it is.
            reputation: who was right before, and from where; nobody when left out.
        """
        self.places = places
        """Of the tunnels that were let in."""
        self.tokens = Tokens(places, directory, site)
        """How many tunnels of a tenant's number may be here."""
        self.starts = Starts()
        """With how much tunnels begin."""
        self._wait_seconds = min(wait_seconds, LONGEST_WAIT_SECONDS)
        self._directory = directory
        self._site = site
        self._role = role
        self._now = now
        self.reputation = reputation or Reputation()
        """Who was right before, and from where."""
        self._logins = Logins(directory, now, self.reputation)
        self.guesses = self._logins.guesses
        """Wrong passwords that were tried."""
        self.refusals = Refusals()
        """What was refused, for the log."""
        self._resolver = Resolver()
        self._peers = Peers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._logins.close()
        self._resolver.close()
        self._peers.close()

    async def judge(
        self, authority: str, authorization: str | None, address: str, port: int = 0
    ) -> Verdict:
        """Whether a CONNECT to `authority` with this Proxy-Authorization may go on.

        `address`, `port`: where it comes from.
        """
        target = hostport.authority(authority)
        shut = self._shut()
        if shut is not None:
            return Verdict("", target or "", refusal=shut)
        if authorization and not self._directory.revision:
            return Verdict("", target or "", refusal=NOBODY_KNOWN)
        try:
            async with asyncio.timeout(LONGEST_JUDGING_SECONDS):
                return await self._judge(target, authorization, address, port)
        except TimeoutError:
            return Verdict("", target or "", refusal=NOT_IN_TIME)
        except TooManyError:
            return Verdict("", target or "", refusal=TOO_MANY_PASSWORDS)

    async def _judge(
        self, target: str | None, authorization: str | None, address: str, port: int
    ) -> Verdict:
        who = await self._logins.identify(authorization, address)
        name, login = who.name, who.login
        decision = decide(
            login,
            target,
            password_is_right=who.proven,
            circumstances=await self._circumstances(login if who.proven else None),
        )
        if not isinstance(decision, Refusal):
            decision = self._at_work() or self._crowded(address) or decision
        if isinstance(decision, Refusal):
            return Verdict(name, target or "", refusal=decision)
        try:
            found, *others = await self._resolver.resolve(decision.address)
        except AccessDeniedError as error:
            return Verdict(name, target or "", refusal=Refusal(403, error.message))
        except UnavailableError as error:
            return Verdict(name, target or "", refusal=Refusal(503, error.message, RETRY_SECONDS))
        if login is None:
            return Verdict(name, target or "", refusal=NOT_AUTHENTICATED)
        let_in = await self._let_in(login.tenant, address, port)
        if isinstance(let_in, Refusal):
            return Verdict(name, target or "", refusal=let_in)
        place, cluster = let_in
        holder = Pass(
            place=place,
            tenant_id=login.tenant.tenant_id,
            user_id=login.user.user_id if login.user else None,
            era=era(login.tenant.tunnels_end_before),
            restoring=self._site.maintenance is not None,
        )
        self.places.note_let_in(hostport.join(address.removeprefix("::ffff:"), port), holder)
        if others:
            cluster = to_several(cluster)
        return Verdict(name, target or "", found, cluster, tuple(others), holder)

    async def _let_in(self, tenant: Tenant, address: str, port: int) -> tuple[str, str] | Refusal:
        """A place for one more tunnel, and the cluster that makes it as fast as it may begin."""
        limit = self.tokens.limit(tenant)
        place = await self.places.take(tenant.tenant_id, limit, self._wait_seconds)
        if place is None:
            where = "here and at other gateways" if self.tokens.are_divided(tenant) else "here"
            reason = (
                f"The tenant has {tenant.concurrent_tunnels} tunnels {where}, which is all that it"
                f" may have; none has ended within {self._wait_seconds:g} seconds."
            )
            return Refusal(503, reason, RETRY_SECONDS)
        client = hostport.join(address.removeprefix("::ffff:"), port)
        try:
            cluster = await self.starts.begin(place, tenant.tenant_id, client, self._wait_seconds)
        except asyncio.CancelledError:
            self.places.ended(place)
            raise
        if cluster is None:
            self.places.ended(place)
            return TOO_FAST
        return place, cluster

    def _shut(self) -> Refusal | None:
        """Why nobody at all is let in; None when some may be."""
        if self._role.is_revoked:
            return REVOKED
        if not self._role.is_accepting:
            return CLOSED
        return None if self._directory.is_certain and self._site.is_certain else NOT_CERTAIN

    def _at_work(self) -> Refusal | None:
        maintenance = self._site.maintenance
        if maintenance is None or maintenance.restores:
            return None
        return Refusal(503, maintenance.message, AT_WORK_RETRY_SECONDS)

    def _crowded(self, address: str) -> Refusal | None:
        return TOO_MANY if address in self._role.crowded else None

    async def tell(self, authorization: str | None, address: str) -> Told:
        """By which gateways somebody who comes from an IP address may come in, and where to."""
        if authorization and not self._directory.revision:
            return Told("", refusal=NOBODY_KNOWN)
        try:
            who = await self._logins.identify(authorization, address)
        except TooManyError:
            return Told("", refusal=TOO_MANY_PASSWORDS)
        name, login = who.name, who.login
        if login is None or not who.proven:
            return Told(name, refusal=NOT_ASKED_RIGHT)
        # Whoever may not use this gateway may still learn which ones it may use.
        anywhere = Circumstances(self._now(), pool_id=_any_of(login.tenant), pools_are_down=True)
        barred = barrier(login, anywhere)
        if barred is not None:
            return Told(name, refusal=barred)
        ways = self._site.ways(login.tenant)
        return Told(
            name, json.dumps(told(login, ways, self._role.live_tunnels, self._site.maintenance))
        )

    async def _circumstances(self, login: Login | None) -> Circumstances:
        pool_id = self._role.pool_id
        down = False
        if login is not None and needs_failover(login.tenant, pool_id):
            down = await self._peers.all_down(self._site.in_pools_of(login.tenant))
        return Circumstances(self._now(), pool_id, pools_are_down=down)


def _any_of(tenant: Tenant) -> UUID | None:
    return tenant.pool_ids[0] if tenant.pool_ids else None
