"""Notification worker: when is it seen what is so, and when is who told?

Looking writes into the outbox what is news; sending takes it from there, each receiver in a thread
of its own, so that a server that hangs holds up nobody else.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog

from cloudgate.background import Job
from cloudgate.errors import CloudgateError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.threads import run_in_daemon_thread, run_in_thread
from cloudgate.manager.notifications import operations, outbox
from cloudgate.manager.notifications.conditions import Seen, see_all
from cloudgate.manager.notifications.outbox import Batch, Due
from cloudgate.manager.notifications.rules import (
    LONGEST_PAUSE,
    RULES,
    Condition,
    Kind,
    delivery_pause,
)
from cloudgate.manager.storage.tables import NotificationReceiver
from cloudgate.values import timestamps
from cloudgate.values.enumeration import few

LOOKING = "Seeing what somebody should be told of"
TOLD = "cloudgate_notifications_total"
SENDING = "Telling those who are to be told"
LOOK_SECONDS = 15.0
LARGEST_PART = 0.25
"""Of a processor, for looking: one that takes so much of `LOOK_SECONDS` makes looks no rarer."""
LONGEST_PAUSE_SECONDS = 15.0
SENDING_REST_SECONDS = 0.05
"""Of all who were told within it, the places are given away together."""
MOST_AT_ONCE = 8
"""Receivers that are told at a time."""
MOST_OF_TENANTS = 4
"""Of them, those of tenants, each of which has one: the provider's own programs are never kept
waiting by what tenants have named."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _DeliveryOutcome:
    """What a receiver was told, or why it could not be, until that is written down."""

    batch: Batch
    problem: str


@dataclass(frozen=True)
class _Deferral:
    """A receiver of whom nothing could be read or written down."""

    until: datetime
    failures: int
    """In a row."""


@dataclass(frozen=True)
class _ToBeTold:
    """Who is to be told something, and what those that have a place."""

    due: Sequence[Due]
    batches: Sequence[Batch]
    pause_seconds: float
    """Until there may be more."""


def has_place(wanted: Due, told_now: Collection[Due]) -> bool:
    """Whether one more may be told beside those that are being told. Pure."""
    if len(told_now) >= MOST_AT_ONCE:
        return False
    tenants = [each.tenant_id for each in told_now if each.tenant_id is not None]
    return wanted.tenant_id is None or (
        len(tenants) < MOST_OF_TENANTS and wanted.tenant_id not in tenants
    )


class ConditionsUnseenError(CloudgateError):
    """Of some kinds of events nobody is told, as it cannot be seen what is so."""

    def __init__(self, unseen: Mapping[Kind, str]) -> None:
        faults = " and ".join(sorted(set(unseen.values())))
        super().__init__(
            f"Nobody is told of {few(sorted(unseen))}, as it cannot be seen what is so: the"
            f" manager's log says why under {faults}."
        )


class NotificationWorker:
    """Sees what is so, and tells whoever is to be told."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        for each in ("delivered", "failed"):
            manager.recorder.add(TOLD, 0, each)
        self._since: dict[str, datetime] = {}
        """Since when what is so has been so, by key."""
        self._unseen: dict[Kind, str] = {}
        """Of which kinds it could not be seen at the last look what is so, and the fault."""
        self._sending: dict[UUID, tuple[Batch, asyncio.Task[None]]] = {}
        self._told: dict[UUID, _DeliveryOutcome] = {}
        """By receiver: it is not told that again, it is only written down."""
        self._put_off: dict[UUID, _Deferral] = {}
        self._changed = asyncio.Event()

    def jobs(self) -> tuple[Job, ...]:
        """What is to be run."""
        return (
            Job(
                name=LOOKING,
                attempt=lambda: run_in_thread(self.enqueue_news),
                interval_seconds=LOOK_SECONDS,
                largest_part=LARGEST_PART,
            ),
            Job(
                name=SENDING,
                attempt=self._send,
                interval_seconds=LONGEST_PAUSE_SECONDS,
                rest_seconds=SENDING_REST_SECONDS,
                news=self._news,
            ),
        )

    def enqueue_news(self) -> None:
        """See what is so, and have receivers told of what is news.

        Raises:
            ConditionsUnseenError: it cannot be seen of some kinds; of all others they are told.
        """
        manager = self._manager
        with manager.reading() as work:
            if not outbox.has_receivers(work):
                return
            seen = see_all(manager, work)
            # By keys: what is seen to be so comes after what is only told to be.
            found = outbox.still_told(work, seen.unseen, seen.awaited)
            found += self._lasting(list(seen.conditions), work.now)
            is_news = {each.key: each.level for each in found} != outbox.told_so_far(work)
            receivers = outbox.receivers(work) if is_news else None
        if receivers is not None:
            with manager.changing(shown=False) as work:
                outbox.enqueue(work, found, receivers)
        self._check_all_seen(seen)

    def _check_all_seen(self, seen: Seen) -> None:
        # The first of its faults names it for as long as it lasts: each look has another one.
        self._unseen = {kind: self._unseen.get(kind, name) for kind, name in seen.unseen.items()}
        if self._unseen:
            raise ConditionsUnseenError(self._unseen)

    def _lasting(self, found: list[Condition], now: datetime) -> list[Condition]:
        """What has been so for as long as it has to be."""
        # What is yet to come is of before the clock was put back.
        since = {each.key: min(self._since.get(each.key, now), now) for each in found}
        self._since = since
        with self._manager.reading() as work:
            known = outbox.told_so_far(work)
        return [
            each
            for each in found
            if each.key in known or now - since[each.key] >= RULES[each.kind].after
        ]

    @contextmanager
    def _news(self, event: asyncio.Event) -> Iterator[None]:
        self._changed = event
        with self._manager.wakeups.subscribe([outbox.NEWS], event):
            yield

    async def _send(self) -> float:
        """Begin to tell who is to be told; how many seconds until there may be more."""
        # Who is being told while this is read may be done by its end, and would be told again.
        told_now = [each for each, _ in self._sending.values()]
        put_off = {each for each in self._put_off if self._is_put_off(each)}
        found = await run_in_thread(partial(self._due, told_now, put_off))
        self._forget_all_but({each.receiver_id for each in (*told_now, *found.due)})
        for each in found.batches:
            carry_out = partial(self._carry_out, each)
            sending = asyncio.create_task(run_in_daemon_thread("notification", carry_out))
            self._sending[each.receiver_id] = each, sending
            sending.add_done_callback(partial(self._done, each))
        return found.pause_seconds

    def _forget_all_but(self, known: set[UUID]) -> None:
        """Whoever is not to be told anything more, as who was removed, waits for nothing."""
        for each in set(self._put_off) - known:
            del self._put_off[each]
            self._told.pop(each, None)
            self._manager.warn(operations.warning_kind(each), "")

    def _is_put_off(self, receiver_id: UUID) -> bool:
        found = self._put_off.get(receiver_id)
        return found is not None and not timestamps.has_come(
            found.until, self._manager.clock(), LONGEST_PAUSE
        )

    def _due(self, told_now: Collection[Due], put_off: Collection[UUID]) -> _ToBeTold:
        """Only of those that have a place it is read what they are to be told: many may wait."""
        busy = {each.receiver_id for each in told_now}
        with self._manager.reading() as work:
            told = outbox.receiver_ids(work)
            due, then = outbox.due(work), outbox.next_due(work)
            operations.end_warnings_but(self._manager, told.union(busy))
            begun: list[Batch] = []
            for each in due:
                waits = each.receiver_id in busy or each.receiver_id in put_off
                if not waits and has_place(each, [*told_now, *begun]):
                    begun.append(outbox.batch_of(work, each))
            if then is None or due:
                return _ToBeTold(due, begun, LONGEST_PAUSE_SECONDS)
            left = (then - work.now).total_seconds()
        return _ToBeTold(due, begun, min(max(left, 0.5), LONGEST_PAUSE_SECONDS))

    def _carry_out(self, batch: Batch) -> None:
        told = self._told.get(batch.receiver_id)
        if told is None:
            problem = operations.deliver(self._manager, batch.receiver_id, batch.events)
            told = self._told[batch.receiver_id] = _DeliveryOutcome(batch, problem)
        with self._manager.changing(shown=False) as work:
            is_there = work.session.get(NotificationReceiver, batch.receiver_id) is not None
            if is_there:
                outbox.finish(work, told.batch, told.problem)
        del self._told[batch.receiver_id]
        if not is_there:
            return
        outcome = "failed" if told.problem else "delivered"
        self._manager.recorder.add(TOLD, len(told.batch.numbers), outcome)
        if told.problem:
            log.warning("somebody could not be told", receiver=batch.name, reason=told.problem)
        self._warn(batch, f"cannot be told of what happens: {told.problem}" if told.problem else "")

    def _warn(self, batch: Batch, text: str) -> None:
        warning = f"{batch.name} {text}" if text else ""
        self._manager.warn(operations.warning_kind(batch.receiver_id), warning)

    def _done(self, batch: Batch, sending: "asyncio.Task[None]") -> None:
        self._sending.pop(batch.receiver_id, None)
        fault = None if sending.cancelled() else sending.exception()
        if fault is None:
            self._put_off.pop(batch.receiver_id, None)
        else:
            self._wait_after(batch, fault)
        self._changed.set()

    def _wait_after(self, batch: Batch, fault: BaseException) -> None:
        """Nothing of it is in the database, which may be what fails: the pause is kept here."""
        before = self._put_off.get(batch.receiver_id)
        failures = before.failures + 1 if before else 1
        until = self._manager.clock() + delivery_pause(failures)
        self._put_off[batch.receiver_id] = _Deferral(until, failures)
        reason = operations.words_for(fault)
        if batch.receiver_id in self._told:
            text = f"was told of what happens, and that cannot be written down: {reason}"
        else:
            text = f"cannot be told of what happens: {reason}"
        log.error("a notification is put off", receiver=batch.name, reason=reason)
        self._warn(batch, text)
