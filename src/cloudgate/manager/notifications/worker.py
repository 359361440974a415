"""Notification worker: when is it seen what is so, and when is who told?

Looking writes into the outbox what is news; sending takes it from there, each receiver in a thread
of its own, so that a server that hangs holds up nobody else.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from starlette.concurrency import run_in_threadpool

from cloudgate.background import Job
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.threads import run_in_daemon_thread
from cloudgate.manager.notifications import operations, outbox
from cloudgate.manager.notifications.conditions import all_conditions
from cloudgate.manager.notifications.outbox import Batch
from cloudgate.manager.notifications.rules import RULES, Condition
from cloudgate.manager.storage.tables import NotificationReceiver

LOOKING = "Seeing what somebody should be told of"
TOLD = "cloudgate_notifications_total"
SENDING = "Telling those who are to be told"
LOOK_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 15.0
MOST_AT_ONCE = 8
"""Receivers that are told at a time."""

log = structlog.get_logger(__name__)


class NotificationWorker:
    """Sees what is so, and tells whoever is to be told."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        for each in ("delivered", "failed"):
            manager.recorder.add(TOLD, 0, each)
        self._since: dict[str, datetime] = {}
        """Since when what is so has been so, by key."""
        self._sending: dict[UUID, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def jobs(self) -> tuple[Job, ...]:
        """What is to be run."""
        return (
            Job(
                name=LOOKING,
                attempt=lambda: run_in_threadpool(self.look),
                interval_seconds=LOOK_SECONDS,
                largest_part=0.05,
            ),
            Job(
                name=SENDING,
                attempt=self._send,
                interval_seconds=LONGEST_PAUSE_SECONDS,
                news=self._news,
            ),
        )

    def look(self) -> None:
        """See what is so, and have receivers told of what is news."""
        manager = self._manager
        with manager.reading() as work:
            if not outbox.receivers(work):
                return
            found = self._lasting(list(all_conditions(manager, work)), work.now)
            if {each.key: each.level for each in found} == outbox.told_so_far(work):
                return
        with manager.changing(shown=False) as work:
            outbox.enqueue(work, found)

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
        with self._manager.notifier.subscribe([outbox.NEWS], event):
            yield

    async def _send(self) -> float:
        """Begin to tell who is to be told; how many seconds until there may be more."""
        # Who is being told while this is read may be done by its end, and would be told again.
        busy = set(self._sending)
        batches, pause = await run_in_threadpool(self._due)
        for each in batches:
            if each.receiver_id in busy or len(self._sending) >= MOST_AT_ONCE:
                continue
            carry_out = partial(self._carry_out, each)
            sending = asyncio.create_task(run_in_daemon_thread("notification", carry_out))
            self._sending[each.receiver_id] = sending
            sending.add_done_callback(partial(self._done, each.receiver_id))
        return pause

    def _due(self) -> tuple[list[Batch], float]:
        with self._manager.reading() as work:
            batches, then = outbox.due(work), outbox.next_due(work)
            if then is None or batches:
                return batches, LONGEST_PAUSE_SECONDS
            left = (then - work.now).total_seconds()
        return batches, min(max(left, 0.5), LONGEST_PAUSE_SECONDS)

    def _carry_out(self, batch: Batch) -> None:
        problem = operations.tell(self._manager, batch.receiver_id, batch.events)
        with self._manager.changing(shown=False) as work:
            receiver = work.session.get(NotificationReceiver, batch.receiver_id)
            if receiver is None:
                return
            outbox.finish(work, batch, problem)
            name = receiver.name
        outcome = "failed" if problem else "delivered"
        self._manager.recorder.add(TOLD, len(batch.numbers), outcome)
        if problem:
            log.warning("somebody could not be told", receiver=name, reason=problem)
        warning = f"{name} cannot be told of what happens: {problem}" if problem else ""
        self._manager.warn(operations.warning_kind(batch.receiver_id), warning)

    def _done(self, receiver_id: UUID, sending: "asyncio.Task[None]") -> None:
        self._sending.pop(receiver_id, None)
        if not sending.cancelled() and (problem := sending.exception()) is not None:
            log.error("what was told could not be written down", reason=str(problem))
        self._changed.set()
