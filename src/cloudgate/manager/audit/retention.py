"""Audit retention: how long are entries kept? As long as the operator says."""

from datetime import timedelta

from sqlalchemy import func, select

from cloudgate.manager.audit.chain import forget
from cloudgate.manager.audit.events import WARNING, Change, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.outlets import delivered_until
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import AuditEvent

_REMOVED = Event("RemoveOldAuditEvents", "Old entries of the audit log have been removed")
_SEALED = Event("SealAuditLog", "The audit log's chain has been sealed for the first time", WARNING)


def remove_old_entries(work: UnitOfWork, kept: timedelta, *, has_outlet: bool) -> int:
    """Remove the entries that are older than that, by a clock that is settled. How many that were.

    Only the oldest in a row are removed, and none that an outlet has not had yet; that it was done
    is an entry itself.
    """
    oldest = work.settled - kept
    # One that is yet to come was written by a clock that was ahead: it says nothing.
    first_kept = work.session.scalar(
        select(func.min(AuditEvent.number)).where(AuditEvent.at.between(oldest, work.now))
    )
    last_old = select(func.max(AuditEvent.number)).where(AuditEvent.at < oldest)
    until = (work.session.scalar(last_old) or 0) if first_kept is None else first_kept - 1
    if has_outlet:
        until = min(until, delivered_until(work))
    old = select(func.count(), func.max(AuditEvent.number)).where(AuditEvent.number <= until)
    count, last = work.session.execute(old).one()
    if not count:
        return 0
    forget(work, last)
    document = {"Entries": count, "LastNumber": last, "KeptDays": kept.days}
    change = Change(_REMOVED, "AuditEvent", before=document)
    record(work, change)
    return int(count)


def seal_chain(work: UnitOfWork) -> None:
    """Seal the chain's end where that was never done: after an upgrade. That is an entry, too."""
    record(work, Change(_SEALED, "AuditEvent"))
