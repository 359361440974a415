"""Own messages: what does a tenant want for itself, at a gateway's port?"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from cloudgate.protocol.base import OLDEST_PROTOCOL, PROTOCOL, Document
from cloudgate.protocol.bounds import (
    LONGEST_SECRET,
    Pem,
    SeenAddress,
    Small,
    Word,
)

Secret = Annotated[str, Field(max_length=LONGEST_SECRET)]


class OwnRequest(Document):
    """What a tenant, or its user, has asked of the manager at a gateway's own port.

    It has proved to the gateway who it is, and proves it to the manager, too: by its password of
    now, or by what the key of its certificate has signed. Of a host nothing is believed by that.
    """

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    machine: Word = ""
    """As in `HostFacts`."""
    tenant_id: UUID
    user_id: UUID | None = None
    address: SeenAddress
    """Where it comes from."""
    password: Secret = ""
    """Of now; empty where it came by a certificate."""
    new_password: Secret | None = None
    """That it wants to have."""
    old_password_seconds: Small | None = None
    """How long the password of now is to be good beside it."""
    certificate_request: Pem | None = None
    """Of a certificate that it wants to have."""
    certificate_id: UUID | None = None
    """Of the one that it came by, which the new one is the successor of."""

    def __repr__(self) -> str:
        return f"OwnRequest({self.tenant_id}, {self.user_id}, ...)"

    def __str__(self) -> str:
        return repr(self)


class OwnAnswer(Document):
    """What became of an `OwnRequest`."""

    status: Small
    """Of HTTP: 200, or why not."""
    message: str = ""
    """Why not, in words for the tenant."""
    certificate_pem: str = ""
