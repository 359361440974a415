"""Report messages: how far has a host come, and what did it see?"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from cloudgate.protocol.base import OLDEST_PROTOCOL, PROTOCOL, Document
from cloudgate.protocol.bounds import (
    Many,
    Moment,
    Remark,
    Revision,
    Seconds,
    SeenAddress,
    Small,
    Word,
)
from cloudgate.protocol.enrolment import HostFacts
from cloudgate.protocol.figures import Figures


class GatewayState(StrEnum):
    """What was read back from the machine."""

    ABSENT = "absent"
    """There is no gateway on this machine, and none is wanted."""
    LISTENING = "listening"
    """Envoy accepts tenants at the wanted addresses."""
    DRAINING = "draining"
    """The port is closed; `Report.live_tunnels` are still going on, or the end of one is taken."""
    CLOSED = "closed"
    """The gateway is there, does not accept tenants, and has no live tunnels."""
    FAILED = "failed"
    """The machine cannot be brought to the assignment; `Report.reason` says why."""


class EvictionProgress(Document):
    """The tunnels of those who may not use a gateway any more, since there were any."""

    tunnels: Small
    """That are left."""
    finished: Small
    """That have ended by themselves, as far as there were some left all the time."""
    closed: Small
    """That were ended by this host at the deadline."""
    directory_revision: Revision
    """Of the tenants when the newest of them lost its place."""


MOST_GUESSES = 100
"""In one report."""

LONGEST_GUESSED_NAME = 128
"""Characters; what is longer is cut to as many."""


class Guess(Document):
    """Wrong passwords that somebody has tried at a gateway."""

    name: Annotated[str, Field(max_length=LONGEST_GUESSED_NAME)]
    """Of the tenant, or tenant and user, as it was claimed: nobody need have it."""
    address: SeenAddress
    """Where they came from."""
    count: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """So many, with this name and from this address."""
    first_at: Moment
    last_at: Moment


class OldPasswordUse(Document):
    """Somebody was let in by a password that has been replaced."""

    tenant_id: UUID
    user_id: UUID | None = None
    last_at: Moment


class ApplyDuration(Document):
    """How long it took until the machine was as its assignment says, by the host's own clock."""

    applied_seconds: Seconds
    """From hearing of it until all was written and Envoy ran."""
    read_back_seconds: Seconds
    """From then until Envoy said that it listens as wanted."""


TOLD_ONCE = ("guesses", "outsiders", "old_passwords")
"""Members of `Report` that are told until they were heard, and then no more."""


class Report(Document):
    """How far a host has come."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    assignment_revision: Revision
    """The assignment that this report is about."""
    directory_revision: Revision
    """The tenant directory in force."""
    state: GatewayState
    gateway_id: UUID | None = None
    reason: Remark = ""
    """For the operator: what is in the way, and what to do. Set when FAILED."""
    live_tunnels: Small = 0
    finished_tunnels: Small = 0
    """Of those that were live when the gateway was closed: ended by themselves so far."""
    closed_tunnels: Small = 0
    """Of those that were live when the gateway was closed: ended by this host at the deadline."""
    misplaced: EvictionProgress | None = None
    took: ApplyDuration | None = None
    """For the assignment that this report is about; None until it listens, and once it did so
    before this run of the host service."""
    guesses: Annotated[Many[Guess], Field(max_length=MOST_GUESSES)] = ()
    """Since those of the last report that was answered. Sent again as they were until they are
    heard, so that each is logged once."""
    outsiders: Annotated[Many[Guess], Field(max_length=MOST_GUESSES)] = ()
    """The same of those whose password was right, and who came from where they may not come
    from."""
    old_passwords: Annotated[Many[OldPasswordUse], Field(max_length=MOST_GUESSES)] = ()
    """Since those of the last report that was answered; sent again as they were."""
    facts: HostFacts | None = None
    """Sent when the host service starts and when something in it changed."""
    figures: Figures | None = None
    """Sent as often as `Update.figures_seconds` says; none where it says nothing."""
    run: Word = ""
    """Names the run of the host service that says it; empty in a release before."""
    number: Revision = 0
    """Grows with each message of that run: one with a smaller number is older."""
