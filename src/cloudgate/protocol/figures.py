"""Figures: what has a host counted?"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from cloudgate.protocol.base import Document
from cloudgate.protocol.bounds import (
    Kinds,
    Many,
    Small,
    Word,
)


class Refusal(StrEnum):
    """What a refused request is counted as."""

    CHALLENGE = "challenge"
    """No name and password came along: many programs send them when they are asked for."""
    CREDENTIALS = "credentials"
    """Name or password are wrong."""
    CERTIFICATE = "certificate"
    """A tenant's certificate has ended, is good no more, or is of another than the name."""
    PASSWORDS = "passwords"
    """Too many passwords from one address wait to be looked at."""
    DISABLED = "disabled"
    EXPIRED = "expired"
    """The tenant's lease is over."""
    POOL = "pool"
    """The gateway is set apart for others."""
    NETWORK = "network"
    """The tenant comes from an address from which it may not come."""
    TARGET = "target"
    """The tenant has no right to it, or none is named."""
    ADDRESS = "address"
    """The target's address is one that nobody may reach."""
    LOOKUP = "lookup"
    """The target's name cannot be looked up."""
    TUNNELS = "tunnels"
    """The tenant has as many tunnels as it may have."""
    SPEED = "speed"
    """The tenant opens tunnels faster than its speed limit allows."""
    CONNECTIONS = "connections"
    """Too many connections come from one address."""
    MAINTENANCE = "maintenance"
    PROXY = "proxy"
    """Somebody who may not said with PROXY protocol to be another one."""
    QUOTA = "quota"
    """The tenant's quota is exceeded, and it has just sent data."""
    CLOSED = "closed"
    """The gateway is drained or disabled."""
    REVOKED = "revoked"
    """The manager has shut the host out."""
    UNCERTAIN = "uncertain"
    """Who may come in is not known, or not certain."""
    TIMEOUT = "timeout"
    """It could not be decided in time."""
    OTHER = "other"


class Restraint(StrEnum):
    """What holds tunnels back."""

    LIMIT = "limit"
    """The speed that their tenant was sold."""
    SHARE = "share"
    """Their part of a gateway that is full."""


SETUP_BUCKETS_SECONDS = (0.025, 0.1, 0.5, 2.5, 10.0)
"""Upper bounds of what is counted together in a `Distribution`; the last count is of all above."""

MOST_TENANTS_COUNTED = 2000
"""In one report; who is not in it is in the next."""

MOST_COUNTED = 2**62
Counted = Annotated[int, Field(strict=True, ge=0, le=MOST_COUNTED)]

MOST_AMOUNT = 1e15
"""Less than some file systems say that they have: what is more is told as so much."""
Amount = Annotated[float, Field(ge=0, le=MOST_AMOUNT, allow_inf_nan=False)]

FURTHEST_CLOCK_SECONDS = 1e10


class Distribution(Document):
    """How long something took: how many times up to each of `SETUP_BUCKETS_SECONDS`, and longer."""

    counts: Annotated[Many[Counted], Field(max_length=len(SETUP_BUCKETS_SECONDS) + 1)]
    sum_seconds: Amount


class TenantFigures(Document):
    """What a host has counted of a tenant since its service began."""

    tenant_id: UUID
    tunnels: Small
    """That are live."""
    refused: Counted
    held_back_seconds: Amount
    held_back_by_share_seconds: Amount = 0
    """How much of that by `Restraint.SHARE`, as far as the host says so."""


class Figures(Document):
    """What a host has counted since its service began, and what is so now. None is unknown.

    The manager keeps it in memory alone, but for when tenants were held back.
    """

    run: Word
    """Names the run of the host service, with which all counts begin at 0."""
    uptime_seconds: Amount
    tunnels_live: Small = 0
    tunnels_opened: Counted = 0
    bytes_up: Counted = 0
    bytes_down: Counted = 0
    refused: Kinds[Counted] = Field(default_factory=dict)
    """By `Refusal`."""
    setup: Distribution | None = None
    """From a request's arrival to the beginning of its tunnel."""
    authorization: Distribution | None = None
    authorizing: Small = 0
    """Requests that wait for an answer now."""
    held_back_seconds: Kinds[Amount] = Field(default_factory=dict)
    """By `Restraint`: of each tenant that it holds back."""
    handshakes: Counted | None = None
    tls_failures: Counted | None = None
    connections: Small | None = None
    connections_rejected: Counted | None = None
    target_failures: Counted | None = None
    """Connections to targets that could not be made."""
    full: Kinds[Amount] = Field(default_factory=dict)
    """What part of each resource is used, 1 for all of it."""
    cpu_seconds: Kinds[Amount] = Field(default_factory=dict)
    memory_bytes: Kinds[Amount] = Field(default_factory=dict)
    """By process: ``envoy`` or ``host``."""
    disk_free_bytes: Amount | None = None
    clock_ahead_seconds: Annotated[
        float | None,
        Field(ge=-FURTHEST_CLOCK_SECONDS, le=FURTHEST_CLOCK_SECONDS, allow_inf_nan=False),
    ] = None
    """Of the manager's clock."""
    certificate_expires_at: Amount | None = None
    """Of the certificate that new tunnels are shown; seconds since 1970."""
    tenants: Annotated[Many[TenantFigures], Field(max_length=MOST_TENANTS_COUNTED)] = ()
    """Those of which something is otherwise than in the last report that was heard."""
