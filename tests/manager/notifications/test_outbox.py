"""What is to be told when, and to whom, as long as not everybody can be told."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.notifications import outbox
from cloudgate.manager.storage.tables import NotificationDelivery, NotificationReceiver
from tests.support.running.manager import RunningManager

pytestmark = pytest.mark.both_databases

MINUTE = timedelta(minutes=1)


def add(
    work: UnitOfWork, name: str, *due_at: datetime, attempts: int = 0, enabled: bool = True
) -> NotificationReceiver:
    """A receiver with what it is to be told; the first of it was tried so often."""
    receiver = NotificationReceiver(
        id=uuid4(), name=name, kind="Webhook", address="https://hook.example/", enabled=enabled
    )
    work.session.add(receiver)
    work.session.flush()
    for number, moment in enumerate(due_at):
        delivery = NotificationDelivery(
            receiver_id=receiver.id,
            event=outbox.test_event(name, work.now),
            at=work.now,
            due_at=moment,
            attempts=0 if number else attempts,
        )
        work.session.add(delivery)
    work.session.flush()
    return receiver


def test_of_who_pauses_nothing_is_due_before_the_end_of_the_pause(running: RunningManager) -> None:
    with running.manager.changing() as work:
        now = work.now
        add(work, "dead", now + 10 * MINUTE, now - MINUTE, now + MINUTE, attempts=3)
        assert outbox.due(work) == []
        assert outbox.next_due(work) == now + 10 * MINUTE
        add(work, "digest", now + 5 * MINUTE)
        assert outbox.next_due(work) == now + 5 * MINUTE
        # What is not due by now is told of: all else is told, or waits for nothing but its turn.
        add(work, "alive", now - MINUTE)
        assert [each.name for each in outbox.due(work)] == ["alive"]
        assert outbox.next_due(work) == now + 5 * MINUTE
        work.session.rollback()


def test_who_is_disabled_is_told_nothing_of_what_waits(running: RunningManager) -> None:
    with running.manager.changing() as work:
        add(work, "off", work.now - MINUTE, work.now + MINUTE, enabled=False)
        assert outbox.due(work) == []
        assert outbox.next_due(work) is None
        assert outbox.receiver_ids(work) == set()
        work.session.rollback()
