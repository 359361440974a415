"""Authorization policy: by which rules may a request become a tunnel, and where to? Pure."""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from cloudgate.host.state.principal import Principal
from cloudgate.network import address_ranges, hostport
from cloudgate.protocol import Refusal, Target, Tenant
from cloudgate.values import ip_addresses

CHALLENGE = 'Basic realm="Cloudgate", charset="UTF-8"'
"""What a 407 asks for."""

# Endpoints are asked for again and again; what a client says is not kept.
_known_as = lru_cache(4096)(hostport.authority)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client says of itself. Never log one: `password` is plain."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(name={self.name!r}, password=...)"


@dataclass(frozen=True)
class Denial:
    """Why there is no tunnel: the HTTP status and the reason, for the client and the log."""

    status: int
    reason: str
    retry_after_seconds: int | None = None
    """When it is worth another try; None when nothing is known about that."""
    kind: Refusal = field(default=Refusal.OTHER, compare=False)
    """What it is counted as."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What a decision depends on besides who is asking for what."""

    now: datetime
    pool_id: UUID | None = None
    """The pool that this gateway is in."""
    pools_are_down: bool = False
    """None of the gateways in the tenant's pools answers."""
    address: str = ""
    """IP address that it comes from."""


NOT_AUTHENTICATED = Denial(407, "Name or password are missing or wrong.", kind=Refusal.CREDENTIALS)
"""The one answer to all that keeps a client from proving who it is, so that none tells more."""
RETRY_SECONDS = 5
"""What Retry-After says where a slot, a name server or this gateway may soon be free."""
TOO_MANY = Denial(
    503,
    "Too many connections come from this address; try again when some have ended.",
    RETRY_SECONDS,
    kind=Refusal.CONNECTIONS,
)
TOO_MANY_PASSWORDS = Denial(
    503,
    "Too many passwords from this address wait to be looked at; try again.",
    RETRY_SECONDS,
    kind=Refusal.PASSWORDS,
)
TOO_FAST = Denial(
    503,
    "The tenant opens tunnels faster than its speed limit allows; try again.",
    RETRY_SECONDS,
    kind=Refusal.SPEED,
)
CLOSED = Denial(503, "This gateway takes no new tunnels; use another one.", 5, kind=Refusal.CLOSED)
NOT_CERTAIN = Denial(
    503,
    "The gateway's disk takes nothing, or has lost what it held, and its manager does not answer:"
    " who may come in is not certain. Try again.",
    5,
    kind=Refusal.UNCERTAIN,
)
REVOKED = Denial(
    503, "The provider has shut this gateway out; use another one.", 5, kind=Refusal.REVOKED
)
NOT_IN_TIME = Denial(
    503, "The gateway could not decide in time; try again.", RETRY_SECONDS, kind=Refusal.TIMEOUT
)
NOBODY_KNOWN = Denial(
    503,
    "The gateway does not know its tenants yet; try again or use another one.",
    RETRY_SECONDS,
    kind=Refusal.UNCERTAIN,
)
"""Before it was told, or after the disk has lost it: nobody's password is wrong by that."""
BAD_REQUEST = Denial(401, NOT_AUTHENTICATED.reason, kind=Refusal.CREDENTIALS)
"""The same for a document, for which the gateway is no proxy."""


def parse_credentials(header: str | None) -> Credentials | None:
    """The credentials in a Proxy-Authorization of the Basic scheme, None when there are none.

    Clients do not say how they encode: what is valid UTF-8 is read as that, the rest as Latin-1.
    """
    scheme, _, encoded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")
    name, colon, password = text.partition(":")
    return Credentials(name, password) if colon and name else None


def evaluate(
    principal: Principal | None,
    target: str | None,
    *,
    is_proven: bool,
    context: RequestContext,
) -> Denial | Target:
    """What to do with a CONNECT to `target` from somebody who says to be `principal`."""
    if principal is None or not principal.password_hash or not is_proven:
        return NOT_AUTHENTICATED
    denial = denial_reason(principal, context)
    if denial is not None:
        return denial
    if target is None:
        return Denial(403, "CONNECT must name a target as host:port.", kind=Refusal.TARGET)
    for each in principal.targets:
        if _known_as(each.endpoint) == target:
            return each
    return Denial(403, f"The tenant has no right to {target}.", kind=Refusal.TARGET)


def denial_reason(principal: Principal, context: RequestContext) -> Denial | None:
    """Why somebody may not come in by this gateway, whatever the target; None when they may."""
    tenant = principal.tenant
    if not tenant.enabled:
        return Denial(403, "The tenant is disabled.", kind=Refusal.DISABLED)
    if principal.user is not None and not principal.user.enabled:
        return Denial(403, "This user of the tenant is disabled.", kind=Refusal.DISABLED)
    if tenant.expires_at is not None and tenant.expires_at <= context.now:
        return Denial(403, "The tenant's lease has expired.", kind=Refusal.EXPIRED)
    outside = _outside_denial(principal, context.address)
    if outside is None and not _pool_allows(tenant, context):
        return Denial(
            403, "This gateway is set apart for others; use another one.", kind=Refusal.POOL
        )
    return outside


def _outside_denial(principal: Principal, address: str) -> Denial | None:
    """Why somebody may not come from an IP address: a user has to be in its tenant's, too."""
    if not address_ranges.contains(principal.tenant.networks, address):
        who = "The tenant"
    elif principal.user is not None and not address_ranges.contains(
        principal.user.networks, address
    ):
        who = "This user of the tenant"
    else:
        return None
    shown = ip_addresses.unmapped(address)
    reason = f"{who} may not come from {shown}: that address is in none of its networks."
    return Denial(403, reason, kind=Refusal.NETWORK)


def depends_on_failover(tenant: Tenant, pool_id: UUID | None) -> bool:
    """Whether it matters here that the gateways of the tenant's pools are down."""
    return pool_id is None and bool(tenant.pool_ids) and tenant.failover_to_others


def _pool_allows(tenant: Tenant, context: RequestContext) -> bool:
    """Whether the pool of a gateway, or that it has none, lets a tenant in."""
    pool_id = context.pool_id
    if pool_id is not None:
        return pool_id in tenant.pool_ids
    if not tenant.pool_ids:
        return True
    return tenant.failover_to_others and context.pools_are_down
