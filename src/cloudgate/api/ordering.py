"""When are ACME servers asked? At a new order, and when a certificate is soon to end."""

import asyncio
import threading
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from cloudgate.api.threads import first_of, in_a_thread
from cloudgate.api.ticking import RENEWAL_INTERVAL
from cloudgate.errors import CloudgateError
from cloudgate.manager.certificates import orders
from cloudgate.manager.work import Manager

log = structlog.get_logger(__name__)

_AFTER_A_FAILURE = timedelta(seconds=5)


class Ordering:
    """Has certificates asked for one after the other, while all else goes on."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._changed = asyncio.Event()
        self._ended = threading.Event()

    def wake(self) -> None:
        """Look again: time may have passed."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled. What is being asked then is asked again at the next start."""
        try:
            await self._run()
        finally:
            self._ended.set()

    async def _run(self) -> None:
        while True:
            with self._manager.bell.listening([orders.NEWS]) as rung:
                self._changed.clear()
                pause = _AFTER_A_FAILURE
                try:
                    identifier = await run_in_threadpool(self._next)
                    if identifier is not None:
                        await in_a_thread("ACME", partial(self._carry_out, identifier))
                        continue
                    pause = await run_in_threadpool(self._pause)
                except (SQLAlchemyError, CloudgateError) as problem:
                    log.warning("cannot look after certificates from ACME", reason=str(problem))
                await first_of(rung, self._changed, pause)

    def _next(self) -> UUID | None:
        with self._manager.reading() as work:
            return orders.next_due(work)

    def _pause(self) -> timedelta:
        """Until there is something to do; the clock may be put forward meanwhile."""
        with self._manager.reading() as work:
            moment = orders.next_moment(work)
            if moment is None:
                return RENEWAL_INTERVAL
            return min(moment - work.now, RENEWAL_INTERVAL)

    def _carry_out(self, identifier: UUID) -> None:
        from cloudgate.manager.certificates import acme_server  # noqa: PLC0415  rarely needed

        try:
            with self._manager.reading() as work:
                order = orders.open_order(work, identifier)
            if order is None:
                return
            pair = acme_server.ask(order, self._manager.challenges)
        except CloudgateError as problem:
            if self._ended.is_set():
                return
            log.warning("no certificate from ACME", order=str(identifier), reason=problem.message)
            with self._manager.changing() as work:
                orders.fail(work, identifier, problem.message)
            return
        if self._ended.is_set():
            return
        with self._manager.changing() as work:
            orders.succeed(work, identifier, pair)
