"""Authorizer: who may come in, and where to? The policy with clock, logins and name lookup."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self
from uuid import UUID

from cloudgate.background import Job
from cloudgate.errors import AccessDeniedError, UnavailableError
from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata, revocation_epoch_of
from cloudgate.host.authorization.address_reputation import AddressReputation
from cloudgate.host.authorization.admissions import Admissions, Occupancy
from cloudgate.host.authorization.authenticator import AuthenticationResult, Authenticator
from cloudgate.host.authorization.meter import AuthorizationMeter
from cloudgate.host.authorization.own.broker import LEAST_SECONDS, OwnRequestBroker, OwnResult
from cloudgate.host.authorization.own.requests import OwnChange
from cloudgate.host.authorization.peer_health import PeerHealthChecker
from cloudgate.host.authorization.policy import (
    BAD_REQUEST,
    CLOSED,
    NOBODY_KNOWN,
    NOT_AUTHENTICATED,
    NOT_CERTAIN,
    NOT_IN_TIME,
    RETRY_SECONDS,
    REVOKED,
    TOO_FAST,
    TOO_MANY,
    TOO_MANY_PASSWORDS,
    Denial,
    RequestContext,
    denial_reason,
    depends_on_failover,
    evaluate,
)
from cloudgate.host.authorization.priority_queue import TooManyPendingError
from cloudgate.host.authorization.refusal_log import RefusalLog
from cloudgate.host.authorization.rejected_logins import RejectedLogins
from cloudgate.host.authorization.resolver import Resolver
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.start_rates import UNLIMITED_CLUSTER, to_several
from cloudgate.host.envoy.xds_listener import AUTHORIZER_SECONDS
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.principal import Principal
from cloudgate.host.state.site import SiteStore, discovery_document
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.full_targets import egress_reason, full_reason
from cloudgate.host.tunnels.restore_only import REFUSED_SECONDS
from cloudgate.host.tunnels.slot_tokens import SlotTokens
from cloudgate.network import address_ranges, hostport
from cloudgate.protocol import Refusal, Tenant
from cloudgate.values import ip_addresses

DEADLINE_SECONDS = AUTHORIZER_SECONDS - 1.0
"""Who hears by then why it may not come in, hears it from here: Envoy waits a second longer."""
SLOT_WAIT_SECONDS = 10.0
LONGEST_SLOT_WAIT_SECONDS = DEADLINE_SECONDS - 2.0
"""What is looked at besides has the rest."""
AT_WORK_RETRY_SECONDS = 300
"""What Retry-After says in maintenance."""


@dataclass(frozen=True, slots=True)
class AuthorizationResult:
    """The answer to one request, with what the logs say of it."""

    name: str
    target: str
    address: str = ""
    """IP and port to connect to; empty when refused."""
    cluster: str = UNLIMITED_CLUSTER
    """Which of Envoy's clusters makes the connection."""
    others: tuple[str, ...] = ()
    """IPs and ports to connect to in turn where that fails."""
    metadata: TunnelMetadata | None = None
    """What the tunnel is known by; None when refused."""
    denial: Denial | None = None
    tenant_id: UUID | None = None
    """Whose request it is, as far as that was proved, when refused."""


@dataclass(frozen=True)
class DiscoveryResult:
    """The answer to a request for the document of the tenant's gateways."""

    name: str
    document: str = ""
    """JSON; empty when refused."""
    denial: Denial | None = None


class Authorizer:
    """Judges requests by what is on this host's disk; nobody else is asked."""

    def __init__(
        self,
        directory: TenantDirectory,
        site: SiteStore,
        gateway_status: GatewayStatus,
        admissions: Admissions,
        occupancy: Occupancy,
        *,
        wait_seconds: float = SLOT_WAIT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        reputation: AddressReputation | None = None,
    ) -> None:
        """Judge by what these say.

        Args:
            directory: the tenants.
            site: the site.
            gateway_status: what this gateway is.
            admissions: of the tunnels that were let in.
            occupancy: how much is taken of this gateway.
            wait_seconds: how long a tunnel waits for a tenant's other tunnels to end.
            now: what time it is.
            reputation: who was right before, and from where; nobody when left out.
        """
        self._slots, self._starts = admissions.slots, admissions.starts
        self._senders = admissions.senders
        self._occupancy = occupancy
        self.tokens = SlotTokens(self._slots, directory, site)
        """How many tunnels of a tenant's number may be here."""
        self._wait_seconds = min(wait_seconds, LONGEST_SLOT_WAIT_SECONDS)
        self._directory = directory
        self._site = site
        self._gateway_status = gateway_status
        self._now = now
        self.reputation = reputation or AddressReputation()
        """Who was right before, and from where."""
        self._authenticator = Authenticator(directory, now, self.reputation, gateway_status)
        self.guesses = self._authenticator.guesses
        """Wrong passwords that were tried."""
        self.old_passwords = self._authenticator.old_passwords
        """Those that have been replaced, and are good yet."""
        self.outsiders = RejectedLogins(now)
        """Right ones, from where those whose they are may not come from."""
        self.meter = AuthorizationMeter()
        """What was answered, in figures."""
        self.refusals = RefusalLog()
        """What was refused, for the log."""
        self.own = OwnRequestBroker(directory)
        """Who hands on what tenants want for themselves."""
        self._resolver = Resolver()
        self._peers = PeerHealthChecker()

    def jobs(self, admin: AdminClient) -> tuple[Job, ...]:
        """What goes on beside the answers. `admin`: who knows what Envoy refused by itself."""
        return (
            Job(
                name="Summing up refusals",
                attempt=partial(self.refusals.run, admin),
                interval_seconds=1.0,
                lasts=True,
            ),
            Job(
                name="Remembering who was right before",
                attempt=partial(self.reputation.run, self._directory.knows),
                interval_seconds=1.0,
                lasts=True,
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._authenticator.close()
        self._resolver.close()
        self._peers.close()

    async def authorize(
        self,
        authority: str,
        authorization: str | None,
        address: str,
        port: int = 0,
        connection: str = "",
        *,
        certificate: str = "",
    ) -> AuthorizationResult:
        """Whether a CONNECT to `authority` with this Proxy-Authorization may go on.

        `address`, `port`: where it comes from. `connection`: address and port that its connection
        comes from, where that may be a load balancer's. `certificate`: that it shows, as Envoy says
        it.
        """
        target = hostport.authority(authority)
        origin = _Origin(address, port, connection)
        shut = self._admission_denial() or self._proxy_denial(origin)
        if shut is not None:
            return AuthorizationResult("", target or "", denial=shut)
        if (authorization or certificate) and not self._directory.revision:
            return AuthorizationResult("", target or "", denial=NOBODY_KNOWN)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                who = await self._authenticator.authenticate(authorization, address, certificate)
                return await self._authorize(target, who, origin)
        except TimeoutError:
            return AuthorizationResult("", target or "", denial=NOT_IN_TIME)
        except TooManyPendingError:
            return AuthorizationResult("", target or "", denial=TOO_MANY_PASSWORDS)

    async def _authorize(
        self, target: str | None, who: AuthenticationResult, origin: "_Origin"
    ) -> AuthorizationResult:
        said = target or ""
        tenant_id = who.principal.tenant.tenant_id if who.principal and who.proven else None
        admission = await self._admit(target, who, origin)
        if isinstance(admission, Denial):
            return AuthorizationResult(who.name, said, denial=admission, tenant_id=tenant_id)
        slot = await self._take_slot(admission.principal.tenant, origin.connection)
        if isinstance(slot, Denial):
            return AuthorizationResult(who.name, said, denial=slot, tenant_id=tenant_id)
        metadata = self._metadata(admission, slot.slot_id, origin, who.certificate_id)
        self._slots.note_let_in(origin.connection, metadata, said)
        address, *others = admission.addresses
        cluster = to_several(slot.cluster) if others else slot.cluster
        return AuthorizationResult(who.name, said, address, cluster, tuple(others), metadata)

    async def _admit(
        self, target: str | None, who: AuthenticationResult, origin: "_Origin"
    ) -> "_Admission | Denial":
        """Where somebody may go, whether or not its tenant has a free slot."""
        principal = who.principal
        if principal is None:
            return who.denial or NOT_AUTHENTICATED
        context = await self._request_context(principal if who.proven else None, origin.address)
        decision = who.denial or evaluate(principal, target, is_proven=who.proven, context=context)
        if not isinstance(decision, Denial):
            decision = (
                self._maintenance_denial()
                or self._connection_limit_denial(origin.address)
                or decision
            )
        if isinstance(decision, Denial):
            self._note_outsider(decision, who.name, origin.address)
            return decision
        over_quota = full_reason(decision, context.now)
        over_egress = egress_reason(principal.tenant, context.now)
        full = self._quota_denial(principal, target or "", over_quota or over_egress)
        if full is not None:
            return full
        try:
            addresses = await self._resolver.resolve(decision.address)
        except AccessDeniedError as error:
            return Denial(403, error.message, kind=Refusal.ADDRESS)
        except UnavailableError as error:
            return Denial(503, error.message, RETRY_SECONDS, kind=Refusal.LOOKUP)
        return _Admission(principal, tuple(addresses), bool(over_quota), bool(over_egress))

    def _metadata(
        self,
        admission: "_Admission",
        slot_id: str,
        origin: "_Origin",
        certificate_id: UUID | None,
    ) -> TunnelMetadata:
        principal = admission.principal
        return TunnelMetadata(
            slot_id=slot_id,
            tenant_id=principal.tenant.tenant_id,
            user_id=principal.user.user_id if principal.user else None,
            revocation_epoch=revocation_epoch_of(principal.tunnels_ended_at),
            restoring=self._site.maintenance is not None,
            over_quota=admission.over_quota,
            over_egress=admission.over_egress,
            came_from=origin.client if origin.is_said else "",
            certificate_id=certificate_id,
        )

    def take_back(self, result: AuthorizationResult, address: str, port: int) -> None:
        """Who was let in has given up before the tunnel began: no line of the log will say so."""
        if result.metadata is None:
            return
        slot_id = result.metadata.slot_id
        self._slots.note_logged(hostport.join(ip_addresses.unmapped(address), port), slot_id)
        self._starts.hand_over([slot_id])
        self._slots.release(slot_id)

    async def _take_slot(self, tenant: Tenant, client: str) -> "_TakenSlot | Denial":
        """A slot for one more tunnel, and the cluster that makes it as fast as it may begin."""
        limit = self.tokens.limit(tenant)
        slot_id = await self._slots.acquire(tenant.tenant_id, limit, self._wait_seconds)
        if slot_id is None:
            where = "here and at other gateways" if self.tokens.are_divided(tenant) else "here"
            reason = (
                f"The tenant has {tenant.concurrent_tunnels} tunnels {where}, which is all that it"
                f" may have; none has ended within {self._wait_seconds:g} seconds."
            )
            return Denial(503, reason, RETRY_SECONDS, kind=Refusal.TUNNELS)
        try:
            cluster = await self._starts.begin(
                slot_id, tenant.tenant_id, client, self._wait_seconds
            )
        except BaseException:  # given up, or whatever failed: nobody else would give it back
            self._slots.release(slot_id)
            raise
        if cluster is None:
            self._slots.release(slot_id)
            return TOO_FAST
        return _TakenSlot(slot_id, cluster)

    def _admission_denial(self) -> Denial | None:
        """Why nobody at all is let in; None when some may be."""
        if self._gateway_status.is_revoked:
            return REVOKED
        if not self._gateway_status.is_accepting:
            return CLOSED
        return None if self._directory.is_certain and self._site.is_certain else NOT_CERTAIN

    def proxy_denial(self, address: str, port: int, connection: str) -> Denial | None:
        """Why nobody who uses this connection is let in: it says to be for somebody else's address.

        Load balancers may, in the networks that the operator trusts.
        """
        return self._proxy_denial(_Origin(address, port, connection))

    def _proxy_denial(self, origin: "_Origin") -> Denial | None:
        if not origin.is_said:
            return None
        host = hostport.split(origin.connection)[0]
        if address_ranges.contains(self._gateway_status.proxy_networks, host):
            return None
        reason = f"{host} may not say to this gateway by PROXY protocol for whom it asks."
        return Denial(403, reason, kind=Refusal.PROXY)

    def _maintenance_denial(self) -> Denial | None:
        maintenance = self._site.maintenance
        if maintenance is None or maintenance.restores:
            return None
        return Denial(503, maintenance.message, AT_WORK_RETRY_SECONDS, kind=Refusal.MAINTENANCE)

    def _quota_denial(self, principal: Principal, target: str, full: str) -> Denial | None:
        """Why somebody may not come in who has just done what its quotas do not let it do.

        Who has not, may do the rest.
        """
        user_id = principal.user.user_id if principal.user else None
        if not full or not self._senders.has_sent(principal.tenant.tenant_id, user_id, target):
            return None
        return Denial(403, full, round(REFUSED_SECONDS), kind=Refusal.QUOTA)

    def _connection_limit_denial(self, address: str) -> Denial | None:
        return TOO_MANY if self._occupancy.is_full(address) else None

    async def describe_gateways(
        self, authorization: str | None, address: str, certificate: str = ""
    ) -> DiscoveryResult:
        """By which gateways somebody who comes from an IP address may come in, and where to."""
        who, denial = await self._identify(
            authorization, address, certificate, seconds=DEADLINE_SECONDS
        )
        principal = who.principal
        if principal is None or denial is not None:
            return DiscoveryResult(who.name, denial=denial or BAD_REQUEST)
        ways = self._site.gateways_for(principal.tenant)
        return DiscoveryResult(
            who.name,
            json.dumps(
                discovery_document(
                    principal, ways, self._occupancy.live_tunnels, self._site.maintenance
                )
            ),
        )

    async def ask_manager(
        self,
        change: OwnChange | Denial,
        authorization: str | None,
        address: str,
        certificate: str = "",
    ) -> OwnResult:
        """Hand on what somebody who comes from an IP address wants for itself.

        `change` may be what is wrong with it, which is told to nobody who has not proved who it is.
        """
        deadline_seconds = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        who, denial = await self._identify(
            authorization, address, certificate, seconds=DEADLINE_SECONDS - LEAST_SECONDS
        )
        if denial is None and self._gateway_status.is_revoked:
            denial = REVOKED
        return await self.own.hand_on(
            who, authorization, address, denial or change, deadline_seconds
        )

    async def _identify(
        self, authorization: str | None, address: str, certificate: str, *, seconds: float
    ) -> tuple[AuthenticationResult, Denial | None]:
        """Who asks for something that is no tunnel, and why it may not."""
        nobody = AuthenticationResult("")
        if (authorization or certificate) and not self._directory.revision:
            return nobody, NOBODY_KNOWN
        try:
            async with asyncio.timeout(seconds):
                who = await self._authenticator.authenticate(authorization, address, certificate)
        except TimeoutError:
            return nobody, NOT_IN_TIME
        except TooManyPendingError:
            return nobody, TOO_MANY_PASSWORDS
        principal = who.principal
        if principal is None or not who.proven:
            return who, _as_origin(who.denial) or BAD_REQUEST
        # Whoever may not use this gateway may still learn which ones it may use.
        anywhere = RequestContext(
            self._now(), pool_id=_any_of(principal.tenant), pools_are_down=True, address=address
        )
        denial = denial_reason(principal, anywhere)
        if denial is not None:
            self._note_outsider(denial, who.name, address)
        return who, denial

    def _note_outsider(self, denial: Denial, name: str, address: str) -> None:
        if denial.kind is Refusal.NETWORK:
            self.outsiders.record(name, address)

    async def _request_context(self, principal: Principal | None, address: str) -> RequestContext:
        pool_id = self._gateway_status.pool_id
        down = False
        if principal is not None and depends_on_failover(principal.tenant, pool_id):
            down = await self._peers.all_down(self._site.in_pools_of(principal.tenant))
        return RequestContext(self._now(), pool_id, pools_are_down=down, address=address)


@dataclass(frozen=True, slots=True)
class _Admission:
    """That somebody may have a tunnel, once its tenant has a free slot."""

    principal: Principal
    addresses: tuple[str, ...]
    """IPs and ports of its target, the best first; one at least."""
    over_quota: bool
    """A quota is exceeded: it may only bring data back."""
    over_egress: bool
    """What may be brought back in a month is used up: it may only send."""


@dataclass(frozen=True, slots=True)
class _TakenSlot:
    slot_id: str
    cluster: str
    """Which of Envoy's clusters makes the tunnel in it."""


class _Origin:
    """Where a request comes from, and by whose connection."""

    def __init__(self, address: str, port: int, connection: str = "") -> None:
        self.address = address
        self.client = hostport.join(ip_addresses.unmapped(address), port)
        """Address and port that it is for."""
        self.connection = self.client
        """Address and port of its connection."""
        if connection:
            host, own_port = hostport.split(connection)
            self.connection = hostport.join(ip_addresses.unmapped(host), own_port)

    @property
    def is_said(self) -> bool:
        """Whether it is for others than who made the connection, as that says."""
        return self.client != self.connection


def _as_origin(denial: Denial | None) -> Denial | None:
    """The same of a document, for which the gateway is no proxy."""
    if denial is None or denial.status != NOT_AUTHENTICATED.status:
        return denial
    return replace(denial, status=BAD_REQUEST.status)


def _any_of(tenant: Tenant) -> UUID | None:
    return tenant.pool_ids[0] if tenant.pool_ids else None
