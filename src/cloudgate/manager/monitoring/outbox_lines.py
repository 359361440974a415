"""Outbox lines: how much do the metrics show of what receivers are to be told yet?"""

from sqlalchemy import func, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import NotificationDelivery
from cloudgate.monitoring.exposition import Lines


def write(lines: Lines, work: UnitOfWork) -> None:
    """Show how many events wait, and how many of them could not be told so far."""
    waits = NotificationDelivery.finished_at.is_(None)
    failed = NotificationDelivery.attempts > 0
    for which, wanted in (("all", waits), ("failing", waits & failed)):
        count = work.session.scalar(select(func.count()).where(wanted)) or 0
        lines.put("cloudgate_notifications_waiting", count, which)
