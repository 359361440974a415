"""Enrolment messages: how does a host join?"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from cloudgate.protocol.base import OLDEST_PROTOCOL, PROTOCOL, Document
from cloudgate.protocol.bounds import (
    MOST_ADDRESSES,
    Address,
    HostName,
    Many,
    Pem,
    Remark,
    Small,
    Token,
    Word,
)


class HostFacts(Document):
    """What a host says of itself."""

    host_name: HostName
    addresses: Annotated[Many[Address], Field(max_length=MOST_ADDRESSES)]
    """The host's IP addresses; the one that outbound traffic uses comes first, loopback last."""
    platform: Word
    """``Linux`` or ``Windows``."""
    version: Word
    """Of the host service."""
    envoy_version: Word
    public_key_pem: Pem
    """Of the key pair that the gateway's certificate is made for. The private half stays here."""
    machine: Word = ""
    """The same for as long as this machine runs, and another on any other machine."""
    trouble: Remark = ""
    """For the operator: what keeps it from doing all that it should."""
    advice: Remark = ""
    """For the operator: what it could do better, and what to type for that."""


class JoinRequest(Document):
    """A machine asks to become a managed server."""

    protocol: Small = PROTOCOL
    oldest_protocol: Small = OLDEST_PROTOCOL
    token: Token
    facts: HostFacts


class JoinAnswer(Document):
    """The machine is managed server `server_id` now and speaks with `credential` from here on."""

    server_id: UUID
    credential: str
