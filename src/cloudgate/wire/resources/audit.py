"""Audit resources: what is said of the audit log? Extension: the original keeps it elsewhere."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, element, listed
from cloudgate.wire.resources.base import Resource
from cloudgate.wire.resources.queries import PagingInfo


@dataclass(frozen=True, kw_only=True)
class AuditEvent(Resource):
    """A change that was made, or refused."""

    number: int | None = element()
    time: datetime | None = element()
    account: str | None = element()
    address: str | None = element()
    code: int | None = element()
    severity: str | None = element()
    operation: str | None = element()
    text: str | None = element()
    object_type: str | None = element()
    object_id: str | None = element()
    object_name: str | None = element()
    before: str | None = element()
    """What differed, as JSON."""
    after: str | None = element()
    """The same afterwards."""
    success: bool | None = element()
    message: str | None = element()
    hash: str | None = element()
    """SHA-256 of this and of the entry before."""


@dataclass(frozen=True, kw_only=True)
class AuditEvents(ResourceType):
    """A page of the audit log."""

    audit_events: tuple[AuditEvent, ...] | None = listed("AuditEvent", name="AuditEvents")
    paging_info: PagingInfo | None = element()


@dataclass(frozen=True, kw_only=True)
class AuditVerification(Resource):
    """Whether each entry of the audit log is there and as it was."""

    intact: bool | None = element()
    entries: int | None = element()
    """That follow each other from the beginning."""
    first_number: int | None = element()
    last_number: int | None = element()
    last_hash: str | None = element()
    wrong_number: int | None = element()
    """Of the first entry that is missing or not as it was."""
    message: str | None = element()
