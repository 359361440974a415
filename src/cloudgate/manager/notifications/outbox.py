"""Outbox: what is still to be told to whom? In the database, so that nothing of it is lost."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, not_, or_, select, update

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
class Due:
    """A receiver that is to be told something now."""

    receiver_id: UUID
    tenant_id: UUID | None
    """Whose it is; None of the provider's own."""


@dataclass(frozen=True)
class Batch(Due):
    """What one receiver is to be told now."""

    name: str
    """Of the receiver."""
    numbers: tuple[int, ...]
    events: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Receiver:
    """Somebody who is told, of what, and when."""

    id: UUID
    wants: Audience
    quiet: tuple[str, str]
    digest_minutes: int

    def due_at(self, now: datetime, condition: Condition) -> datetime:
        """When it is to be told of what is so, or over, from now on."""
        severity = RULES[condition.kind].severity
        return rules.due_at(now, severity, self.quiet, self.digest_minutes)


class Receivers:
    """All that are told anything. Each tenant may have some, which hear of nothing but it."""

    def __init__(self, found: Iterable[Receiver]) -> None:
        self._of_tenants: dict[UUID | None, list[Receiver]] = defaultdict(list)
        """By tenant; the operators' by None."""
        for each in found:
            self._of_tenants[each.wants.tenant_id].append(each)

    def that_hear_of(self, condition: Condition) -> Iterator[Receiver]:
        """Those that are told of something. No other tenant's is looked at."""
        for whose in dict.fromkeys((None, condition.tenant_id)):
            for each in self._of_tenants.get(whose, ()):
                if each.wants.hears_of(condition):
                    yield each


def receivers(work: UnitOfWork) -> Receivers:
    """All that are told anything."""
    row = NotificationReceiver
    # Without their tenants, which would come with their quotas and pools.
    wanted = (row.id, row.role, row.backup_server_id, row.tenant_id, row.events)
    columns = (*wanted, row.quiet_from, row.quiet_until, row.digest_minutes)
    found = work.session.execute(select(*columns).where(row.enabled.is_(True)).order_by(row.name))
    return Receivers(
        Receiver(
            id=each.id,
            wants=Audience(
                role=each.role,
                site_id=each.backup_server_id,
                tenant_id=each.tenant_id,
                events=None if each.events is None else frozenset(each.events),
            ),
            quiet=(each.quiet_from, each.quiet_until),
            digest_minutes=each.digest_minutes,
        )
        for each in found
    )


def has_receivers(work: UnitOfWork) -> bool:
    """Whether anybody is told anything."""
    query = select(NotificationReceiver.id).where(NotificationReceiver.enabled.is_(True))
    return work.session.scalar(query.limit(1)) is not None


def receiver_ids(work: UnitOfWork) -> set[UUID]:
    """All that are told anything."""
    query = select(NotificationReceiver.id).where(NotificationReceiver.enabled.is_(True))
    return set(work.session.scalars(query))


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


def enqueue(work: UnitOfWork, found: Iterable[Condition], told: Receivers) -> None:
    """Have receivers told of what is so now and was not, and of what is over. Each once.

    `told` may have been read before: who was removed or disabled since is told nothing.
    """
    known = {each.key: each for each in work.session.scalars(select(NotificationCondition))}
    news: list[dict[str, Any]] = []
    for condition in {each.key: each for each in found}.values():
        before = known.pop(condition.key, None)
        if before is None:
            before = NotificationCondition(key=condition.key, since=work.now, level=-1, document={})
            work.session.add(before)
        is_news = condition.level > before.level
        before.level = condition.level
        if is_news:
            before.document = condition.document()
            news += _deliveries(work.now, told, condition)
    for over in known.values():
        condition = rules.from_document(over.document)
        work.session.delete(over)
        if condition.cleared:
            news += _deliveries(work.now, told, condition, is_over=True)
    _queue(work, news)


def _deliveries(
    now: datetime, told: Receivers, condition: Condition, *, is_over: bool = False
) -> list[dict[str, Any]]:
    event = event_of(condition, now, is_over=is_over)
    return [
        {"receiver_id": each.id, "event": event, "at": now, "due_at": each.due_at(now, condition)}
        for each in told.that_hear_of(condition)
    ]


def _queue(work: UnitOfWork, news: Sequence[Mapping[str, Any]]) -> None:
    """Write it down for those that are there still: nobody can be removed from here on."""
    if not news:
        return
    there = receiver_ids(work)
    rows = [dict(each) for each in news if each["receiver_id"] in there]
    if rows:
        work.session.execute(insert(NotificationDelivery), rows)
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


def due(work: UnitOfWork) -> list[Due]:
    """Who is to be told something now; who could not be told waits with all of it.

    The provider's own first, then who waits longest.
    """
    whose = NotificationReceiver.tenant_id
    found = work.session.execute(
        select(NotificationDelivery.receiver_id, whose)
        .join(NotificationReceiver, NotificationReceiver.id == NotificationDelivery.receiver_id)
        .where(_waits(), _is_due(work.now), NotificationDelivery.receiver_id.not_in(_pausing(work)))
        .group_by(NotificationDelivery.receiver_id, whose)
        .order_by(whose.is_not(None), func.min(NotificationDelivery.number))
    )
    return [Due(receiver_id, tenant_id) for receiver_id, tenant_id in found]


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


def batch_of(work: UnitOfWork, who: Due) -> Batch:
    """What is to be told to one of those that are due."""
    rows = work.session.scalars(
        select(NotificationDelivery)
        .where(
            NotificationDelivery.receiver_id == who.receiver_id,
            NotificationDelivery.finished_at.is_(None),
            _is_due(work.now),
        )
        .order_by(NotificationDelivery.number)
        .limit(MOST_AT_ONCE)
    ).all()
    # Alone: it would come with its tenant, and that with its quotas and pools.
    name = select(NotificationReceiver.name).where(NotificationReceiver.id == who.receiver_id)
    numbers = tuple(each.number for each in rows)
    events = tuple(each.event for each in rows)
    found = work.session.scalars(name).one()
    return Batch(who.receiver_id, who.tenant_id, found, numbers, events)


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
