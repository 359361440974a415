"""Usage messages: what has ended, and what did it carry?"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from cloudgate.protocol.base import OLDEST_PROTOCOL, PROTOCOL, Document
from cloudgate.protocol.bounds import (
    MOST_LINES,
    BatchName,
    Bytes,
    Many,
    Moment,
    Service,
    Small,
    Word,
)


class Usage(Document):
    """What somebody used of a gateway within a minute, by one target."""

    minute: Moment
    """Its beginning."""
    tenant_id: UUID
    user_id: UUID | None = None
    target: Service
    tunnels: Small
    """That began."""
    bytes_up: Bytes
    """From the tenant to the target."""
    bytes_down: Bytes


class UsageBatch(Document):
    """What was used since the batch before. The same batch is sent until it was answered."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    batch: BatchName
    """Names the batch, so that it is counted once however often it is heard."""
    usage: Annotated[Many[Usage], Field(max_length=MOST_LINES)]
