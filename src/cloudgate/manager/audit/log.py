"""Audit record: how does a change get into the log? In the transaction that makes it.

A change that takes time is noted in its task, and logged with the task's end.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.audit.chain import append
from cloudgate.manager.audit.events import Change, differences
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import AuditEvent, Task

BY_ITSELF = "Cloudgate"
"""Who makes the changes that nobody asked for."""


def record(work: UnitOfWork, change: Change, *, success: bool = True, message: str = "") -> None:
    """Log a change that was made, or failed, just now."""
    _add(work, _change_columns(work, change), success=success, message=message)


def record_at_end(work: UnitOfWork, task: Task, change: Change) -> None:
    """Have a change logged when its task ends."""
    task.audit = _change_columns(work, change)


def record_end(work: UnitOfWork, task: Task) -> None:
    """Log the change that a task was about."""
    if task.audit is not None:
        _add(work, task.audit, success=bool(task.success), message=task.message)


def last_change(work: UnitOfWork, object_id: UUID) -> AuditEvent | None:
    """The newest entry of a change that was made to something; None where none is known."""
    return work.session.scalar(
        select(AuditEvent)
        .where(AuditEvent.object_id == object_id, AuditEvent.success)
        .order_by(AuditEvent.number.desc())
        .limit(1)
    )


def _change_columns(work: UnitOfWork, change: Change) -> dict[str, Any]:
    before, after = differences(change)
    return {
        "account": work.author or BY_ITSELF,
        "address": work.address,
        "code": change.event.code,
        "severity": change.event.severity,
        "operation": change.event.operation,
        "text": change.text,
        "object_type": change.object_type,
        "object_id": str(change.object_id) if change.object_id else None,
        "object_name": change.object_name,
        "before": before,
        "after": after,
    }


def _add(work: UnitOfWork, noted: dict[str, Any], *, success: bool, message: str) -> None:
    identifier = noted["object_id"]
    values = {**noted, "object_id": UUID(identifier) if identifier else None}
    append(work, {"at": work.now, "success": success, "message": message, **values})
