"""Audit sums: how often were strangers refused, besides what the audit log says already?"""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.audit.events import Change, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import (
    BY_OPERATION,
    GUESS,
    OBJECT_TYPES,
    OUTSIDER,
    REFUSED_SERVER,
)
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.registries.audit_throttle import SuppressedRefusals
from cloudgate.manager.registries.refused_callers import APART
from cloudgate.manager.storage.tables import AuditEvent, ManagedServer


def write_sums(manager: Manager, *, all_of_them: bool = False) -> None:
    """Put into the audit log how often strangers were refused besides what it says already.

    Raises:
        SQLAlchemyError: it cannot be written; it is tried again later.
        UnavailableError: another manager leads.
    """
    due = manager.strangers.due(manager.clock(), all_of_them=all_of_them)
    if not due:
        return
    try:
        with manager.changing() as work:
            for more in due:
                _write(work, more)
    except BaseException:
        manager.strangers.give_back(due)
        raise


def _write(work: UnitOfWork, more: SuppressedRefusals) -> None:
    name, address, _ = (*more.sender.split(APART), "", "")[:3]
    event = BY_OPERATION[more.call]
    server = _server(work, name) if event is REFUSED_SERVER else None
    object_id = server.id if server else _object_of_first(work, event, name)
    name = server.name if server else name
    document = {
        "Count": more.count,
        "FirstTime": more.first_at.isoformat(),
        "LastTime": more.last_at.isoformat(),
    }
    change = Change(
        event,
        OBJECT_TYPES[event],
        object_id=object_id,
        object_name=name or address,
        after=document,
    )
    whose = "" if more.sender else " by others"
    message = (
        f"{more.count} more times{whose} between {more.first_at:%H:%M:%S} and"
        f" {more.last_at:%H:%M:%S} UTC."
    )
    record(replace(work, author=name, address=address), change, success=False, message=message)


def _object_of_first(work: UnitOfWork, event: Event, name: str) -> UUID | None:
    """Whom the entry is about that is there before a sum: who looks for one finds the other.

    Sums of guesses are by gateway, and about nobody.
    """
    if not name or event in (GUESS, OUTSIDER):
        return None
    return work.session.scalar(
        select(AuditEvent.object_id)
        .where(AuditEvent.account == name, AuditEvent.operation == event.operation)
        .order_by(AuditEvent.number.desc())
        .limit(1)
    )


def _server(work: UnitOfWork, identifier: str) -> ManagedServer | None:
    return work.session.get(ManagedServer, UUID(identifier)) if identifier else None
