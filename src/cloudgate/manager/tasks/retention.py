"""Task retention: how long is it known how a task ended?"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, func, or_, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import Task

KEPT = timedelta(days=90)
"""From the end of a task."""
HIDDEN_KEPT = timedelta(days=1)
"""The same, of one whose record was removed: notifications tell of its failure for so long."""
MOST_AT_ONCE = 2000
"""So many take a fraction of a second, in which nobody else can change anything."""


def old_tasks(work: UnitOfWork) -> Sequence[int]:
    """The numbers of tasks that go because they ended long ago, or of the first of them.

    By a clock that is settled. One that goes on is never among them; nor is the newest of all,
    after which the next is numbered where the database is copied.
    """
    newest = select(func.max(Task.number)).scalar_subquery()
    old = (
        select(Task.number)
        .where(
            Task.finished_at < work.settled - HIDDEN_KEPT,
            or_(Task.hidden.is_(True), Task.finished_at < work.settled - KEPT),
            Task.number != newest,
        )
        .order_by(Task.finished_at)
        .limit(MOST_AT_ONCE)
    )
    return work.session.scalars(old).all()


def remove_tasks(work: UnitOfWork, numbers: Sequence[int]) -> None:
    """Remove tasks that have ended: nothing but their records."""
    for some in id_batches(numbers):
        work.session.execute(delete(Task).where(Task.number.in_(some)))
