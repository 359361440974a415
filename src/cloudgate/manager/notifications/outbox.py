"""Outbox: what is still to be told to whom? In the database, so that nothing of it is lost."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from sqlalchemy import ColumnElement, Select, and_, delete, func, not_, or_, select, update
from sqlalchemy.orm import lazyload

from cloudgate.manager.core.unit_of_work import SETTLED, UnitOfWork
from cloudgate.manager.notifications import rules
from cloudgate.manager.notifications.rules import RULES, Audience, Condition, Kind
from cloudgate.manager.storage.tables import (
    NotificationCondition,
    NotificationDelivery,
    NotificationReceiver,
)
from cloudgate.values.timestamps import time_text

NEWS = UUID("5d7d2c3c-9a0e-4f0e-8c25-1f3f1a8f2b11")
"""Whoever sends waits for it."""
MOST_AT_ONCE = 100
"""Events in one mail or call."""
KEPT = timedelta(days=30)
"""How long it is known what was told."""


@dataclass(frozen=True)
class Batch:
    """What one receiver is to be told now."""

    receiver_id: UUID
    name: str
    """Of the receiver."""
    tenant_id: UUID | None
    """Whose it is; None of the provider's own."""
    numbers: tuple[int, ...]
    events: tuple[dict[str, Any], ...]


def receivers(work: UnitOfWork) -> Sequence[NotificationReceiver]:
    """All that are told anything, by name."""
    # Alone: each tenant may have one, and comes with its quotas and pools.
    query = select(NotificationReceiver).options(lazyload("*")).order_by(NotificationReceiver.name)
    return work.session.scalars(query.where(NotificationReceiver.enabled.is_(True))).all()


def has_receivers(work: UnitOfWork) -> bool:
    """Whether anybody is told anything."""
    query = select(NotificationReceiver.id).where(NotificationReceiver.enabled.is_(True))
    return work.session.scalar(query.limit(1)) is not None


def receiver_ids(work: UnitOfWork) -> set[UUID]:
    """All that are told anything."""
    query = select(NotificationReceiver.id).where(NotificationReceiver.enabled.is_(True))
    return set(work.session.scalars(query))


def audience_of(receiver: NotificationReceiver) -> Audience:
    """Of which events a receiver hears."""
    return Audience(
        role=receiver.role,
        site_id=receiver.backup_server_id,
        tenant_id=receiver.tenant_id,
        events=None if receiver.events is None else frozenset(receiver.events),
    )


def told_so_far(work: UnitOfWork) -> dict[str, int]:
    """What is so as receivers know it: by key, how bad."""
    rows = work.session.execute(select(NotificationCondition.key, NotificationCondition.level))
    return {row.key: row.level for row in rows}


def still_told(work: UnitOfWork, kinds: Collection[Kind], keys: Collection[str]) -> list[Condition]:
    """What is so as receivers know it, of some kinds and by some keys, of which nobody sees it."""
    if not kinds and not told_so_far(work).keys() & keys:
        return []
    known = work.session.scalars(select(NotificationCondition)).all()
    return [
        replace(rules.from_document(each.document), level=each.level)
        for each in known
        if each.document["kind"] in kinds or each.key in keys
    ]


def enqueue(work: UnitOfWork, found: Iterable[Condition]) -> None:
    """Have receivers told of what is so now and was not, and of what is over. Each once."""
    known = {each.key: each for each in work.session.scalars(select(NotificationCondition))}
    audience = [(each, audience_of(each)) for each in receivers(work)]
    for condition in {each.key: each for each in found}.values():
        before = known.pop(condition.key, None)
        if before is None:
            before = NotificationCondition(key=condition.key, since=work.now, level=-1, document={})
            work.session.add(before)
        is_news = condition.level > before.level
        before.level = condition.level
        if is_news:
            before.document = condition.document()
            _queue_for(work, audience, condition)
    for over in known.values():
        condition = rules.from_document(over.document)
        work.session.delete(over)
        if condition.cleared:
            _queue_for(work, audience, condition, is_over=True)


def _queue_for(
    work: UnitOfWork,
    audience: Iterable[tuple[NotificationReceiver, Audience]],
    condition: Condition,
    *,
    is_over: bool = False,
) -> None:
    event = event_of(condition, work.now, is_over=is_over)
    severity = RULES[condition.kind].severity
    for receiver, wants in audience:
        if wants.hears_of(condition):
            quiet = (receiver.quiet_from, receiver.quiet_until)
            due = rules.due_at(work.now, severity, quiet, receiver.digest_minutes)
            work.session.add(
                NotificationDelivery(receiver_id=receiver.id, event=event, at=work.now, due_at=due)
            )
            work.news_for.add(NEWS)


def event_of(condition: Condition, now: datetime, *, is_over: bool = False) -> dict[str, Any]:
    """An event as programs are told it."""
    return {
        "Id": str(uuid4()),
        "Event": condition.kind.value,
        "Severity": RULES[condition.kind].severity.value,
        "Cleared": is_over,
        "Time": time_text(now.replace(microsecond=0)),
        "ObjectType": condition.object_type,
        "ObjectName": condition.name,
        "BackupServer": condition.site or None,
        "Message": condition.cleared if is_over else condition.text,
    }


def identifier_of(events: Sequence[Mapping[str, Any]]) -> str:
    """What these events, told together, are called: the same when they are told again."""
    return str(uuid5(NAMESPACE_OID, " ".join(str(each["Id"]) for each in events)))


def due(work: UnitOfWork) -> list[Batch]:
    """What is to be told now, receiver by receiver; who could not be told waits with all of it."""
    ids = work.session.scalars(
        select(NotificationDelivery.receiver_id)
        .where(_waits(), _is_due(work.now), NotificationDelivery.receiver_id.not_in(_pausing(work)))
        .distinct()
    ).all()
    return [_batch(work, each) for each in ids]


def _waits() -> ColumnElement[bool]:
    """Of what is to be told: it was neither told nor given up, and who is told is enabled."""
    told = select(NotificationReceiver.id).where(NotificationReceiver.enabled.is_(True))
    return and_(
        NotificationDelivery.finished_at.is_(None), NotificationDelivery.receiver_id.in_(told)
    )


def _pausing(work: UnitOfWork) -> Select[UUID]:
    """Receivers that could not be told, and are not tried again yet."""
    return select(NotificationDelivery.receiver_id).where(
        NotificationDelivery.finished_at.is_(None),
        NotificationDelivery.attempts > 0,
        not_(_is_due(work.now)),
    )


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Of what is to be told: what is yet to come waits for no clock that was ahead, and put back.

    Such a clock wrote it down, or put it off for longer than it ever is after an attempt.
    """
    was_tried, due_at = NotificationDelivery.attempts > 0, NotificationDelivery.due_at
    return or_(
        due_at <= now,
        and_(not_(was_tried), NotificationDelivery.at > now + timedelta(minutes=1)),
        and_(was_tried, due_at > now + rules.LONGEST_PAUSE),
    )


def _batch(work: UnitOfWork, receiver_id: UUID) -> Batch:
    rows = work.session.scalars(
        select(NotificationDelivery)
        .where(
            NotificationDelivery.receiver_id == receiver_id,
            NotificationDelivery.finished_at.is_(None),
            _is_due(work.now),
        )
        .order_by(NotificationDelivery.number)
        .limit(MOST_AT_ONCE)
    ).all()
    receiver = work.session.get_one(NotificationReceiver, receiver_id)
    numbers = tuple(each.number for each in rows)
    events = tuple(each.event for each in rows)
    return Batch(receiver_id, receiver.name, receiver.tenant_id, numbers, events)


def untold(work: UnitOfWork) -> set[UUID]:
    """The receivers that could not be told something that they are still to be told."""
    tried = select(NotificationDelivery.receiver_id).where(
        _waits(), NotificationDelivery.attempts > 0
    )
    return set(work.session.scalars(tried.distinct()))


def next_due(work: UnitOfWork) -> datetime | None:
    """When somebody is to be told something next, of what is not due yet.

    Of a receiver that pauses only the end of the pause counts: all else of it waits for that.
    """
    may_be_told = or_(
        NotificationDelivery.attempts > 0,
        NotificationDelivery.receiver_id.not_in(_pausing(work)),
    )
    return work.session.scalar(
        select(func.min(NotificationDelivery.due_at)).where(
            _waits(), not_(_is_due(work.now)), may_be_told
        )
    )


def give_up(work: UnitOfWork, receiver: NotificationReceiver, problem: str) -> None:
    """Tell a receiver nothing of what waits to be told, and note why."""
    waiting = update(NotificationDelivery).where(
        NotificationDelivery.receiver_id == receiver.id,
        NotificationDelivery.finished_at.is_(None),
    )
    work.session.execute(waiting.values(finished_at=work.now, success=False, problem=problem))


def finish(work: UnitOfWork, batch: Batch, problem: str) -> None:
    """Note that a receiver was told, or why not: it is tried again, for a day.

    So long it is tried to tell it all that is due, however many calls or mails that would be: what
    waits for its turn cannot be told for as long as what is tried.
    """
    rows = work.session.scalars(
        select(NotificationDelivery).where(NotificationDelivery.number.in_(batch.numbers))
    )
    for each in rows:
        each.attempts += 1
        each.problem = problem
        if problem:
            each.due_at = work.now + rules.delivery_pause(each.attempts)
        else:
            each.tried_at = each.tried_at or work.now
            each.finished_at, each.success = work.now, True
    work.session.flush()
    if problem:
        _note_untold(work, batch, problem)
    work.session.execute(
        delete(NotificationDelivery).where(NotificationDelivery.finished_at < work.settled - KEPT)
    )


def _note_untold(work: UnitOfWork, batch: Batch, problem: str) -> None:
    """Note since when a receiver cannot be told what is due, and give up what is so for a day."""
    waits = and_(
        NotificationDelivery.receiver_id == batch.receiver_id,
        NotificationDelivery.finished_at.is_(None),
    )
    tried_at = NotificationDelivery.tried_at
    is_tried = or_(NotificationDelivery.number.in_(batch.numbers), _is_due(work.now))
    # Later than now: noted by a clock that was ahead, and put back since.
    is_new = or_(tried_at.is_(None), tried_at > work.now)
    work.session.execute(
        update(NotificationDelivery).where(waits, is_tried, is_new).values(tried_at=work.now)
    )
    # By a clock that is settled: one that is ahead for a moment gives nothing up.
    is_over = tried_at <= work.settled + SETTLED - rules.GIVEN_UP_AFTER
    given_up = {"finished_at": work.now, "success": False, "problem": problem}
    work.session.execute(update(NotificationDelivery).where(waits, is_over).values(given_up))


def note_test(work: UnitOfWork, receiver: NotificationReceiver, event: Mapping[str, Any]) -> int:
    """Write down that somebody is told something right now, besides the outbox; its number."""
    tried = NotificationDelivery(
        receiver_id=receiver.id,
        event=dict(event),
        at=work.now,
        due_at=work.now,
        attempts=1,
        finished_at=work.now,
        success=False,
    )
    work.session.add(tried)
    work.session.flush()
    return tried.number


def test_event(name: str, now: datetime) -> dict[str, Any]:
    """An event that says nothing but that it arrives."""
    condition = Condition(
        kind=Kind.TEST,
        subject=name,
        name=name,
        object_type="NotificationReceiver",
        text=f"This is a test: {name} is told of what happens.",
    )
    return event_of(condition, now)


def list_deliveries(work: UnitOfWork, most: int) -> Sequence[NotificationDelivery]:
    """What was told, or is to be, the newest first."""
    query = select(NotificationDelivery).order_by(NotificationDelivery.number.desc()).limit(most)
    return work.session.scalars(query).all()
