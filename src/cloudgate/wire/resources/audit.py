"""What is said of the audit log? Extension: the original keeps it elsewhere."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import Described, element, listed
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


@dataclass(frozen=True, kw_only=True)
class AuditEvents(Described):
    """A page of the audit log."""

    audit_events: tuple[AuditEvent, ...] | None = listed("AuditEvent", name="AuditEvents")
    paging_info: PagingInfo | None = element()
