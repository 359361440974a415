"""ACME orders: when are ACME servers asked? For a new order, and before a certificate ends."""

import threading
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog

from cloudgate.background import Job
from cloudgate.errors import CloudgateError
from cloudgate.manager.certificates import orders
from cloudgate.manager.certificates.orders import Order
from cloudgate.manager.certificates.rules import BroughtCertificate
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.scheduler import RENEWAL_INTERVAL
from cloudgate.manager.jobs.threads import run_in_daemon_thread, run_in_thread

CLEANING_UP = "Taking records of ACME out of DNS"

log = structlog.get_logger(__name__)


class AcmeWorker:
    """Asks ACME servers for certificates that are due, one after the other."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._ended = threading.Event()
        self._got: dict[UUID, tuple[Order, BroughtCertificate]] = {}
        """What came for an order, until it is written down: it is not asked for again."""

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Looking after certificates from ACME servers",
            attempt=self._attempt,
            interval_seconds=RENEWAL_INTERVAL.total_seconds(),
            news=partial(self._manager.wakeups.subscribe, [orders.NEWS]),
        )

    def stop(self) -> None:
        """Keep nothing any more: what is being asked now is asked again at the next start."""
        self._ended.set()

    async def _attempt(self) -> float:
        while (identifier := await run_in_thread(self._next)) is not None:
            await run_in_daemon_thread("ACME", partial(self._carry_out, identifier))
        return (await run_in_thread(self._pause)).total_seconds()

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
        try:
            with self._manager.reading() as work:
                order = orders.open_order(work, identifier)
            if order is None:
                return
            known = self._got.get(identifier)
            if known is None or known[0] != order:
                known = self._got[identifier] = order, self._ask(order)
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
            orders.succeed(work, identifier, known[1])
        del self._got[identifier]

    def _ask(self, order: Order) -> BroughtCertificate:
        from cloudgate.manager.certificates import acme_server  # noqa: PLC0415  rarely needed

        try:
            return acme_server.ask(order, self._manager.challenges)
        finally:
            self._manager.warn(CLEANING_UP, self._manager.challenges.left_behind)
