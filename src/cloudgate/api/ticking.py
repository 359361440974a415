"""When does the manager act by itself? At deadlines, and whenever something has changed."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from cloudgate.errors import UnavailableError
from cloudgate.manager import clockwork
from cloudgate.manager.audit.outlets import Outlet, deliver
from cloudgate.manager.audit.sums import write_sums
from cloudgate.manager.usage.operations import compact_usage
from cloudgate.manager.work import Manager

log = structlog.get_logger(__name__)

RENEWAL_INTERVAL = timedelta(hours=6)
PRESENCE_INTERVAL = timedelta(seconds=5)
"""How often is looked whether a host has gone."""
_AFTER_A_FAILURE = timedelta(seconds=5)


class Ticking:
    """Runs `cloudgate.manager.clockwork` when it is time."""

    def __init__(
        self, manager: Manager, audit_outlet: Outlet | None, renew_port: Callable[[], None]
    ) -> None:
        """`renew_port` gives the manager's port a new certificate when it is time."""
        self._renew_port = renew_port
        self._manager = manager
        self._audit_outlet = audit_outlet
        self._changed = asyncio.Event()
        self._presence_noted = manager.clock()

    def wake(self) -> None:
        """Something has changed: look again."""
        self._changed.set()

    def finish(self) -> None:
        """Write down what would be lost with this process."""
        try:
            write_sums(self._manager, all_of_them=True)
        except SQLAlchemyError:
            log.exception("how often strangers were refused in the last minute is not written down")

    async def run(self) -> None:
        """Until cancelled."""
        renewal = self._manager.clock()
        is_first = True
        deadline: datetime | None = None
        while True:
            self._changed.clear()
            try:
                if is_first:
                    await run_in_threadpool(self._give_hosts_time)
                    is_first = False
                if (now := self._manager.clock()) >= renewal:
                    await run_in_threadpool(self._renew)
                    self._renew_port()
                    # By the time before: where the clock was set meanwhile, more may be due.
                    renewal = now + RENEWAL_INTERVAL
                await run_in_threadpool(self._note_presence)
                await run_in_threadpool(write_sums, self._manager)
                deadline = await run_in_threadpool(self._settle)
                await run_in_threadpool(self._deliver_audit_log)
            except SQLAlchemyError:
                log.exception("could not look after the tasks; trying again soon")
                deadline = self._manager.clock() + _AFTER_A_FAILURE
            except UnavailableError as problem:
                log.warning("the audit log is not delivered", reason=problem.message)
                soon = self._manager.clock() + _AFTER_A_FAILURE
                deadline = min(deadline or soon, soon)
            soon = self._manager.clock() + PRESENCE_INTERVAL
            await self._wait_until(min(deadline or renewal, renewal, soon))

    def _give_hosts_time(self) -> None:
        with self._manager.changing() as work:
            clockwork.give_hosts_time(work)

    def _settle(self) -> datetime | None:
        with self._manager.reading() as work:
            if not clockwork.has_open_tasks(work):
                return None
        with self._manager.changing() as work:
            clockwork.settle_tasks(work)
            work.session.flush()
            return clockwork.next_deadline(work)

    def _note_presence(self) -> None:
        with self._manager.reading() as work:
            if not clockwork.presence_has_news(work, self._presence_noted):
                return
        with self._manager.changing() as work:
            clockwork.note_presence(work)
            self._presence_noted = work.now

    def _deliver_audit_log(self) -> None:
        if self._audit_outlet is not None:
            deliver(self._manager, self._audit_outlet)

    def _renew(self) -> None:
        with self._manager.changing() as work:
            clockwork.renew_certificates(work)
        more = True
        while more:
            with self._manager.changing() as work:
                more = compact_usage(work)

    async def _wait_until(self, moment: datetime) -> None:
        seconds = (moment - self._manager.clock()).total_seconds()
        try:
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0.05))
        except TimeoutError:
            return
