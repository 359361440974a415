"""Demand messages: how is a limit divided between gateways?"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from cloudgate.protocol.base import OLDEST_PROTOCOL, PROTOCOL, Document
from cloudgate.protocol.bounds import (
    MOST_DEMANDS,
    Bytes,
    Many,
    Revision,
    Small,
    Word,
)


class Demand(Document):
    """What a tenant with a limit sends through one gateway, and how many tunnels it has there."""

    tenant_id: UUID
    sent_bytes: Bytes
    """Each second, in both directions together."""
    tunnels_live: Small = 0
    tunnels_wanted: Small = 0
    """Those that wait to be let in."""
    tunnels_held: Small | None = None
    """The most that the gateway takes for its own right now; never less than `tunnels_live`. None
    where they are not divided between gateways."""


class DemandReport(Document):
    """What a host's tenants with a limit send right now, and how many tunnels they have."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    demands: Annotated[Many[Demand], Field(max_length=MOST_DEMANDS)]
    run: Word = ""
    """As in `Report`, and so is `number`."""
    number: Revision = 0


class Allowance(Document):
    """The part of a tenant's limits that one gateway may use."""

    tenant_id: UUID
    limit_bytes: int | None = None
    """Each second; None where the whole limit holds."""
    tunnels: int | None = None
    """How many it may have there at a time. Live ones go on though they be more. None where the
    gateway keeps what it holds."""


class Allowances(Document):
    """The parts of a host, for the next seconds. Who is not named has its whole limit."""

    allowances: tuple[Allowance, ...] = ()
    tunnels_are_divided: bool = False
    """Whether the manager divides them: one of a release before leaves each gateway the limit."""
