"""What is to be told when, and to whom, as long as not everybody can be told."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import ColumnElement, func, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.notifications import outbox
from cloudgate.manager.notifications.rules import GIVEN_UP_AFTER
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


def count(work: UnitOfWork, *which: ColumnElement[bool]) -> int:
    return work.session.scalar(select(func.count(NotificationDelivery.number)).where(*which)) or 0


WAITS = NotificationDelivery.finished_at.is_(None)


def test_all_that_waits_for_who_is_away_is_given_up_after_a_day_and_nothing_before(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        began = work.now
        add(work, "away", *[began] * (2 * outbox.MOST_AT_ONCE + 50))
        later = add(work, "away too", began)
        while work.now - began < GIVEN_UP_AFTER + timedelta(hours=2) and count(work, WAITS) > 1:
            for each in outbox.due(work):
                outbox.finish(work, each, "It is away." if each.name == "away" else "")
            if work.now - began < GIVEN_UP_AFTER - timedelta(hours=1):
                assert count(work, WAITS) == 2 * outbox.MOST_AT_ONCE + 50
            work.now = max(outbox.next_due(work) or work.now, work.now + timedelta(seconds=1))
        assert count(work, WAITS) == 0
        told = NotificationDelivery.receiver_id == later.id
        assert count(work, told, NotificationDelivery.success.is_(True)) == 1


def test_what_comes_while_a_receiver_is_away_is_tried_for_a_day_of_its_own(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        began = work.now
        away = add(work, "away", began)
        (batch,) = outbox.due(work)
        outbox.finish(work, batch, "It is away.")
        work.now = began + GIVEN_UP_AFTER
        news = outbox.test_event("news", work.now)
        work.session.add(
            NotificationDelivery(receiver_id=away.id, event=news, at=work.now, due_at=work.now)
        )
        (batch,) = outbox.due(work)
        outbox.finish(work, batch, "It is away.")
        assert count(work, WAITS) == 1
        assert count(work, WAITS, NotificationDelivery.attempts == 1) == 1


def test_a_clock_that_is_ahead_for_a_moment_gives_nothing_up_and_removes_nothing(
    running: RunningManager,
) -> None:
    listening = running.manager.hosts.listening
    with running.rolled_back() as work:
        began = work.now
        add(work, "away", began, began + MINUTE)
        add(work, "there", began)
        for each in outbox.due(work):
            outbox.finish(work, each, "It is away." if each.name == "away" else "")
        listening.beat(began)
        running.clock.stepped += timedelta(days=3650)
        work.now = began + timedelta(days=3650)
        listening.beat(work.now)
        (batch,) = outbox.due(work)
        outbox.finish(work, batch, "It is away.")
        assert count(work) == 3
        assert count(work, WAITS) == 2
        work.now = began + timedelta(hours=1)
        (batch,) = outbox.due(work)
        outbox.finish(work, batch, "It is away.")
        assert count(work, NotificationDelivery.tried_at > work.now) == 0


def test_what_was_told_is_known_for_thirty_days(running: RunningManager) -> None:
    with running.rolled_back() as work:
        began = work.now
        there = add(work, "there", began)
        for _ in range(2):
            (batch,) = outbox.due(work)
            outbox.finish(work, batch, "")
            work.now += outbox.KEPT + timedelta(hours=2)
            event = outbox.test_event("news", work.now)
            work.session.add(
                NotificationDelivery(receiver_id=there.id, event=event, at=began, due_at=began)
            )
            work.session.flush()
        assert count(work) == 2, "the first has gone"
