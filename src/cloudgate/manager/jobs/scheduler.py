"""Scheduler: when does the manager act by itself? At deadlines, and when something changes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.manager.audit.chain import has_seal
from cloudgate.manager.audit.outlets import BATCH, Outlet, deliver
from cloudgate.manager.audit.retention import remove_old_entries, seal_chain
from cloudgate.manager.audit.sums import write_sums
from cloudgate.manager.core.unit_of_work import SETTLED, Manager
from cloudgate.manager.host_protocol import gateway_certificates
from cloudgate.manager.jobs import presence_persistence, timeouts
from cloudgate.manager.jobs.threads import TimeLimitedTask, run_in_thread
from cloudgate.manager.registries.hosts.listening_time import BEAT_SECONDS
from cloudgate.manager.sessions.operations import write_pending_sessions
from cloudgate.manager.storage.tables import Task
from cloudgate.manager.tasks import retention
from cloudgate.manager.tenants import passwords
from cloudgate.manager.usage import compaction
from cloudgate.manager.usage.held_back import write_held_back
from cloudgate.values import timestamps

log = structlog.get_logger(__name__)

RENEWAL_INTERVAL = timedelta(hours=6)
PRESENCE_INTERVAL = timedelta(seconds=5)
"""How often is looked whether a host has gone, and at the latest whether a task is to end."""
SETTLING = "Ending tasks"
_TASKS = (Task.__tablename__,)
SETTLING_REST_SECONDS = 0.05
"""With many changes, those of so long are looked at together."""
RENEWING = "Renewing certificates of gateways"
RENEWING_REST_SECONDS = 0.1
"""Between the certificates of some gateways and those of the next."""
RENEWING_PORT = "Renewing the manager's own certificate"
COMPACTING = "Adding up old usage"
COMPACTING_REST_SECONDS = 0.1
"""Between some rows that are added up and the next."""
REMOVING_TASKS = "Removing old tasks"
REMOVING_REST_SECONDS = 0.1
"""Between some tasks that are removed and the next."""
HOLDING_BACK = "Writing down when tenants were held back"
LISTENING = "Noting that hosts are heard"
PRESENCE = "Noting which hosts are there"
FORGETTING = "Forgetting passwords that are good no more"
SEALING = "Sealing the audit log"
AUDITING = "Removing old entries of the audit log"
SUMMING_UP = "Summing up what strangers did"
WRITING_SESSIONS = "Writing down logon sessions"
DELIVERING = "Delivering the audit log"
DELIVERY_SECONDS = 30.0
"""How long some entries of the audit log may take to be taken, before that is told of."""


class Scheduler:
    """What the manager does by itself: for tasks, sums, lapsed sessions and certificates."""

    def __init__(
        self,
        manager: Manager,
        audit_outlet: Outlet | None,
        renew_port: Callable[[], None],
        audit_kept: timedelta | None = None,
    ) -> None:
        """How a manager looks after itself.

        Args:
            manager: the manager.
            audit_outlet: where the audit log goes besides the database.
            renew_port: gives the manager's port a new certificate when it is time.
            audit_kept: how long entries of the audit log are kept; for ever when None.
        """
        self._audit_kept = audit_kept
        self._manager = manager
        self._audit_outlet = audit_outlet
        self._renew_port = renew_port
        self._presence_noted = manager.clock()
        self._hosts_have_time = False
        self._delivering = TimeLimitedTask(
            "audit log",
            DELIVERY_SECONDS,
            f"none of it was taken within {DELIVERY_SECONDS:g} seconds. See that what takes it, as"
            " --audit-log says, answers: syslog, or a disk of another machine.",
        )
        self._has_more = False
        """Of the audit log, to be delivered."""
        self._alike_are_merged = False
        """Of usage, what releases before this one left in more rows than it takes."""
        self._no_task_as_of = -1
        """As of which change none was open; -1 while one may be."""

    @property
    def after_change(self) -> tuple[str, ...]:
        """What may be due at once when something was changed; all else waits for its time."""
        return (SETTLING,) if self._audit_outlet is None else (SETTLING, DELIVERING)

    def jobs(self) -> tuple[Job, ...]:
        """What is to be run."""
        seconds = PRESENCE_INTERVAL.total_seconds()
        each_tick = partial(Job, interval_seconds=seconds, longest_pause_seconds=seconds)
        # A machine may begin with a clock that is ahead, which is set right within minutes.
        once_settled = partial(each_tick, first_after_seconds=SETTLED.total_seconds())
        found = (
            each_tick(
                name=SETTLING,
                attempt=self._settle_if_any,
                rest_seconds=SETTLING_REST_SECONDS,
                needed=True,
            ),
            # On the event loop, as hosts are heard there.
            Job(
                name=LISTENING,
                attempt=self._beat,
                interval_seconds=BEAT_SECONDS,
                longest_pause_seconds=BEAT_SECONDS,
            ),
            each_tick(
                name=PRESENCE,
                attempt=lambda: run_in_thread(self._note_presence),
                needed=True,
            ),
            each_tick(name=SUMMING_UP, attempt=lambda: run_in_thread(write_sums, self._manager)),
            each_tick(
                name=WRITING_SESSIONS,
                attempt=lambda: run_in_thread(write_pending_sessions, self._manager),
            ),
            each_tick(
                name=HOLDING_BACK,
                attempt=lambda: run_in_thread(write_held_back, self._manager),
            ),
            once_settled(name=FORGETTING, attempt=lambda: run_in_thread(self._forget_passwords)),
            each_tick(name=RENEWING, attempt=self._every_six_hours(self._renew)),
            each_tick(name=SEALING, attempt=self._every_six_hours(self._seal_audit_log)),
            once_settled(name=COMPACTING, attempt=self._every_six_hours(self._compact)),
            once_settled(name=REMOVING_TASKS, attempt=self._every_six_hours(self._remove_tasks)),
            once_settled(name=AUDITING, attempt=self._every_six_hours(self._keep_audit_log)),
            each_tick(name=RENEWING_PORT, attempt=self._every_six_hours(self._renew_own)),
        )
        if self._audit_outlet is None:
            return found
        return (
            *found,
            each_tick(name=DELIVERING, attempt=self._deliver),
        )

    def finish(self) -> None:
        """Write down what would be lost with this process; what cannot be keeps nothing else."""
        kept_here: tuple[tuple[str, Callable[[], None]], ...] = (
            (SUMMING_UP, lambda: write_sums(self._manager, all_of_them=True)),
            (HOLDING_BACK, lambda: write_held_back(self._manager, all_of_it=True)),
            (WRITING_SESSIONS, lambda: write_pending_sessions(self._manager)),
        )
        for name, write in kept_here:
            try:
                write()
            except (SQLAlchemyError, UnavailableError):  # the latter where another manager leads
                log.exception("not written down at the end", job=name)

    def _every_six_hours(
        self, work: Callable[[], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Also where the manager's clock is set meanwhile: it is looked at every few seconds."""
        done_at: datetime | None = None

        async def attempt() -> None:
            nonlocal done_at
            # What counts is the time before the work: where the clock was set, more may be due.
            now = self._manager.clock()
            if done_at is None or timestamps.has_come(
                done_at + RENEWAL_INTERVAL, now, RENEWAL_INTERVAL
            ):
                await work()
                done_at = now

        return attempt

    def _beat(self) -> None:
        self._manager.hosts.listening.beat(self._manager.clock())

    async def _settle_if_any(self) -> float | None:
        """Most changes are done at once: for those, no thread is asked."""
        if self._no_task_as_of >= self._manager.changes.newest_of(_TASKS):
            return None
        return await run_in_thread(self._settle)

    def _settle(self) -> float | None:
        if not self._hosts_have_time:
            with self._manager.changing() as work:
                timeouts.extend_deadlines(work)
            self._hosts_have_time = True
        changes = self._manager.changes.count
        with self._manager.reading() as work:
            if not timeouts.has_open_tasks(work):
                self._no_task_as_of = changes
                return None
        with self._manager.changing() as work:
            timeouts.finish_due_tasks(work)
            work.session.flush()
            deadline, now = timeouts.next_deadline(work), work.now
        if deadline is None:
            return None
        return min(max((deadline - now).total_seconds(), 0.05), PRESENCE_INTERVAL.total_seconds())

    def _note_presence(self) -> None:
        with self._manager.reading() as work:
            if not presence_persistence.presence_changed(work, self._presence_noted):
                return
        with self._manager.changing() as work:
            presence_persistence.persist_presence(work)
            self._presence_noted = work.now

    def _forget_passwords(self) -> None:
        with self._manager.reading() as work:
            if not passwords.has_expired(work):
                return
        with self._manager.changing() as work:
            passwords.forget_expired(work)

    async def _deliver(self) -> float | None:
        """Some at a time: what is seen to go on is not said to hang."""
        await self._delivering.run(self._deliver_some)
        return 0.0 if self._has_more else None

    def _deliver_some(self) -> None:
        if self._audit_outlet is not None:
            count = deliver(self._manager, self._audit_outlet, lambda: self._delivering.is_over)
            self._has_more = count == BATCH

    async def _renew(self) -> None:
        after = await run_in_thread(self._renew_some, None)
        while after is not None:
            # A thousand at a stretch would keep half a core from others for as long as they take.
            await asyncio.sleep(RENEWING_REST_SECONDS)
            after = await run_in_thread(self._renew_some, after)

    def _renew_some(self, after: UUID | None) -> UUID | None:
        with self._manager.changing() as work:
            return gateway_certificates.renew_certificates(work, after)

    async def _compact(self) -> None:
        has_more = await run_in_thread(self._compact_some)
        while has_more:
            await asyncio.sleep(COMPACTING_REST_SECONDS)
            has_more = await run_in_thread(self._compact_some)
        if not self._alike_are_merged:
            for kind in compaction.ALL:
                await self._merge_alike(kind)
            self._alike_are_merged = True

    def _compact_some(self) -> bool:
        with self._manager.changing() as work:
            return compaction.compact_usage(work)

    async def _merge_alike(self, kind: compaction.Stretches) -> None:
        after = await run_in_thread(self._merge_some, kind, compaction.START)
        while after is not None:
            await asyncio.sleep(COMPACTING_REST_SECONDS)
            after = await run_in_thread(self._merge_some, kind, after)

    def _merge_some(
        self, kind: compaction.Stretches, after: compaction.Place
    ) -> compaction.Place | None:
        with self._manager.reading() as work:
            alike, place = compaction.find_alike(work, kind, after)
        if alike:
            with self._manager.changing() as work:
                compaction.merge_alike(work, kind, alike)
        return place

    async def _remove_tasks(self) -> None:
        has_more = await run_in_thread(self._remove_some_tasks)
        while has_more:
            await asyncio.sleep(REMOVING_REST_SECONDS)
            has_more = await run_in_thread(self._remove_some_tasks)

    def _remove_some_tasks(self) -> bool:
        """Whether there may be more."""
        with self._manager.reading() as work:
            old = retention.old_tasks(work)
        if old:
            with self._manager.changing() as work:
                retention.remove_tasks(work, old)
        return len(old) == retention.MOST_AT_ONCE

    async def _seal_audit_log(self) -> None:
        await run_in_thread(self._seal_chain)

    def _seal_chain(self) -> None:
        with self._manager.reading() as work:
            if has_seal(work):
                return
        with self._manager.changing() as work:
            seal_chain(work)

    async def _keep_audit_log(self) -> None:
        if self._audit_kept is not None:
            await run_in_thread(self._remove_old_entries, self._audit_kept)

    def _remove_old_entries(self, kept: timedelta) -> None:
        with self._manager.changing() as work:
            remove_old_entries(work, kept, has_outlet=self._audit_outlet is not None)

    async def _renew_own(self) -> None:
        # On the event loop: connections are accepted there with what is changed here.
        self._renew_port()
