"""What is to be told when, and to whom, as long as not everybody can be told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import ColumnElement, Engine, event, func, insert, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.notifications import outbox
from cloudgate.manager.notifications.rules import GIVEN_UP_AFTER, Audience, Condition, Kind
from cloudgate.manager.storage.tables import (
    BackupServer,
    CloudTenant,
    NotificationDelivery,
    NotificationReceiver,
)
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


def tenants_of(work: UnitOfWork, count: int) -> list[UUID]:
    """So many new tenants."""
    site = work.session.scalars(select(BackupServer.id)).first()
    ids = sorted(uuid4() for _ in range(count))
    rows: list[dict[str, Any]] = [
        {"id": each, "name": str(each), "login": str(each)} for each in ids
    ]
    alike: dict[str, Any] = {"backup_server_id": site, "directory_revision": 1, "target_ends": {}}
    work.session.execute(insert(CloudTenant), [each | alike for each in rows])
    return ids


def down(tenant_id: UUID | None = None) -> Condition:
    """Something that operators hear of, and a tenant, if it is about one."""
    return Condition(
        kind=Kind.QUOTA_LEVEL,
        subject=str(tenant_id),
        name="acme",
        object_type="CloudTenant",
        text="It is full.",
        tenant_id=tenant_id,
    )


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements of this thread."""
    seen: list[str] = []
    own = threading.get_ident()

    def note(*arguments: Any) -> None:
        if threading.get_ident() == own:
            seen.append(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def batches(work: UnitOfWork) -> list[outbox.Batch]:
    """What is to be told now."""
    return [outbox.batch_of(work, each) for each in outbox.due(work)]


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
        assert [each.name for each in batches(work)] == ["alive"]
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


def test_of_many_who_are_due_nothing_but_whose_they_are_is_read_and_the_own_are_first(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        tenants = tenants_of(work, 3)
        named = [*(str(each) for each in tenants), "own"]
        ids = {name: add(work, name, work.now - MINUTE).id for name in named}
        for tenant_id in tenants:
            work.session.get_one(NotificationReceiver, ids[str(tenant_id)]).tenant_id = tenant_id
        work.session.flush()
        work.session.expunge_all()
        with statements() as seen:
            due = outbox.due(work)
        assert [each.tenant_id for each in due] == [None, *tenants]
        assert [each.receiver_id for each in due] == [ids["own"], *(ids[n] for n in named[:-1])]
    assert len(seen) == 1, "however many they are"
    assert "event" not in seen[0]


def test_who_was_removed_or_disabled_while_others_changed_something_is_told_nothing(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        removed, disabled, there = (add(work, name) for name in ("removed", "disabled", "there"))
        for each in (removed, disabled, there):
            each.role = "PortalAdministrator"
        work.session.flush()
        told = outbox.receivers(work)
        disabled.enabled = False
        work.session.delete(removed)
        work.session.flush()
        outbox.enqueue(work, [down()], told)
        assert work.session.scalars(select(NotificationDelivery.receiver_id)).all() == [there.id]


def test_of_news_about_a_tenant_no_other_tenant_is_asked() -> None:
    asked: list[UUID | None] = []

    class Asked(Audience):
        def hears_of(self, condition: Condition) -> bool:
            asked.append(self.tenant_id)
            return super().hears_of(condition)

    tenants = [uuid4() for _ in range(9)]
    told = outbox.Receivers(
        outbox.Receiver(uuid4(), Asked(role="", tenant_id=each), ("", ""), 0)
        for each in (None, None, *tenants)
    )
    news = [down(), *(down(each) for each in tenants)]
    heard = [[each.wants.tenant_id for each in told.that_hear_of(one)] for one in news]
    assert heard == [[None, None], *([None, None, each] for each in tenants)]
    assert len(asked) == 2 * len(news) + len(tenants)


def test_all_that_waits_for_who_is_away_is_given_up_after_a_day_and_nothing_before(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        began = work.now
        add(work, "away", *[began] * (2 * outbox.MOST_AT_ONCE + 50))
        later = add(work, "away too", began)
        while work.now - began < GIVEN_UP_AFTER + timedelta(hours=2) and count(work, WAITS) > 1:
            for each in batches(work):
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
        (batch,) = batches(work)
        outbox.finish(work, batch, "It is away.")
        work.now = began + GIVEN_UP_AFTER
        news = outbox.test_event("news", work.now)
        work.session.add(
            NotificationDelivery(receiver_id=away.id, event=news, at=work.now, due_at=work.now)
        )
        (batch,) = batches(work)
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
        for each in batches(work):
            outbox.finish(work, each, "It is away." if each.name == "away" else "")
        listening.beat(began)
        running.clock.stepped += timedelta(days=3650)
        work.now = began + timedelta(days=3650)
        listening.beat(work.now)
        (batch,) = batches(work)
        outbox.finish(work, batch, "It is away.")
        assert count(work) == 3
        assert count(work, WAITS) == 2
        work.now = began + timedelta(hours=1)
        (batch,) = batches(work)
        outbox.finish(work, batch, "It is away.")
        assert count(work, NotificationDelivery.tried_at > work.now) == 0


def test_what_was_told_is_known_for_thirty_days(running: RunningManager) -> None:
    with running.rolled_back() as work:
        began = work.now
        there = add(work, "there", began)
        for _ in range(2):
            (batch,) = batches(work)
            outbox.finish(work, batch, "")
            work.now += outbox.KEPT + timedelta(hours=2)
            news = outbox.test_event("news", work.now)
            work.session.add(
                NotificationDelivery(receiver_id=there.id, event=news, at=began, due_at=began)
            )
            work.session.flush()
        assert count(work) == 2, "the first has gone"
