"""Poll messages: what is new for a host, and what is it asked?"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from cloudgate.protocol.assignment import Assignment, Site
from cloudgate.protocol.base import OLDEST_PROTOCOL, PROTOCOL, Document
from cloudgate.protocol.bounds import (
    MOST_TUNNELS,
    Bytes,
    Many,
    Moment,
    Remark,
    Revision,
    Service,
    Small,
    Word,
)
from cloudgate.protocol.directory import DirectoryChange


class PollRequest(Document):
    """What the host has; the answer comes when the manager has something else."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    assignment_revision: Revision | None = None
    """Of the assignment on the host's disk; None when there is none."""
    directory_revision: Revision = 0
    site_revision: Revision = 0
    machine: Word = ""
    """As in `HostFacts`: tells a copy of this host's disk from this host."""


class DirectoryProbe(Document):
    """A directory of the host's disk that is to be measured."""

    base: str
    """Absolute."""
    parts: tuple[str, ...]
    """Names below it, each within the one before; symbolic links are not followed here."""
    limit_seconds: float
    """How long measuring it may take."""


class Question(Document):
    """Which tunnels are live right now? Or, with `measure`, how much is in that directory?"""

    question: str
    """Names the question."""
    end_tunnels: tuple[str, ...] = ()
    """These are to end at once."""
    measure: DirectoryProbe | None = None
    """Takes its time: polls go on meanwhile."""


class LiveTunnel(Document):
    """A tunnel that is going on."""

    tunnel: Word
    """Names the tunnel."""
    tenant_id: UUID
    user_id: UUID | None = None
    target: Service
    client: Service
    """Address and port that it comes from."""
    started_at: Moment
    bytes_up: Bytes
    bytes_down: Bytes


class DirectorySize(Document):
    """How much is in a directory."""

    used_bytes: Bytes | None = None
    """What is allocated for it: hard links count once. None when it is not there, or `reason`."""
    capacity_bytes: Bytes | None = None
    """Of the file system that its base is on; None when that cannot be said."""
    free_bytes: Bytes | None = None
    """There, for those who are not root."""
    reason: Remark = ""
    """For the operator: why it could not be measured, and what to do."""


class Answer(Document):
    """The live tunnels of a host, or how much is in a directory."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    question: Word
    tunnels: Annotated[Many[LiveTunnel], Field(max_length=MOST_TUNNELS)] = ()
    """As they were before any was ended."""
    ended: Annotated[Many[Word], Field(max_length=MOST_TUNNELS)] = ()
    """Those of `Question.end_tunnels` that were there, and were ended."""
    reason: Remark = ""
    """Why they were not."""
    measured: DirectorySize | None = None
    """Set when `Question.measure` was."""


class Update(Document):
    """News for a host. A part without news is None."""

    protocol: int = PROTOCOL
    assignment: Assignment | None = None
    directory: DirectoryChange | None = None
    site: Site | None = None
    question: Question | None = None
    """To be answered at once, or as soon as it was measured."""
    demand: bool = False
    """The host is to say at once what it holds of tenants' tunnels."""
    credential: str | None = None
    """From now on; the one in use is good until this one has been used."""
    assignment_trace: str = ""
    """Of the request that the assignment is for, as W3C Trace Context has it; empty for none."""
    directory_trace: str = ""
    figures_seconds: float | None = None
    """How often the manager wants to hear `Report.figures`; a release before does not."""
    managers: tuple[str, ...] | None = None
    """Addresses of all managers, if there may be several; any of them may be asked."""

    def __repr__(self) -> str:
        return f"Update(assignment={self.assignment!r})"

    def __str__(self) -> str:
        return repr(self)
