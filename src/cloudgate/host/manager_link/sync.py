"""Manager sync: what do host and manager keep telling each other? Loops, one for each thing.

They wait longer the longer the manager is away. The gateway does not notice.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import structlog

from cloudgate.background import Job
from cloudgate.errors import CloudgateError, InvalidRequestError
from cloudgate.host.host_state import HostState
from cloudgate.host.manager_link import own_requests
from cloudgate.host.manager_link.client import ManagerClient, UnknownCallError
from cloudgate.host.manager_link.manager_connection import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Backoff,
    ManagerConnection,
)
from cloudgate.host.manager_link.membership_status import MembershipStatus
from cloudgate.host.manager_link.query_handler import QueryHandler
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.manager_link.updates import Updates
from cloudgate.host.platform.machine import machine_mark
from cloudgate.host.reconciler import Reconciler
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.tunnels.slot_tokens import SlotTokens
from cloudgate.host.tunnels.usage_outbox import MAX_USAGE_BATCH, UsageOutbox
from cloudgate.protocol import (
    Allowances,
    Answer,
    DemandReport,
    OwnAnswer,
    OwnRequest,
    PollRequest,
    UsageBatch,
)

SEEN_SECONDS = 4.0
"""How often is looked whether the manager answers, where there is another one to go to."""
AWAITED_SECONDS = 5.0
"""How long a manager waits for an answer that is there at once."""
USAGE_SECONDS = 5.0
"""How often the manager hears what tenants used."""

_log = structlog.get_logger(__name__)


class ManagerSync:
    """Keeps host and manager in step: polls for news, sends reports, usage and demands."""

    def __init__(
        self,
        paths: StatePaths,
        known: HostState,
        reconciler: Reconciler,
        outbox: Reporter,
        *,
        usage: UsageOutbox,
        queries: QueryHandler,
        tokens: SlotTokens,
    ) -> None:
        self._known = known
        self._reconciler = reconciler
        self._outbox = outbox
        self._usage = usage
        self._queries = queries
        self._tokens = tokens
        self._sharing = asyncio.Lock()
        self._run, self._numbers = uuid4().hex, count(1)
        self._unsent: Answer | None = None
        """What the manager was answered and has not heard."""
        self._awaited_until_seconds = 0.0
        self._updates = Updates(paths, known, reconciler, outbox.mark_dirty)
        self._standing = MembershipStatus(paths, known)
        self._line = ManagerConnection(paths, self._standing, self._sync_clock)

    async def hand_on(self, request: OwnRequest) -> OwnAnswer:
        """Ask the manager what a tenant wants for itself; raises as `own_requests.hand_on`."""
        return await own_requests.hand_on(self._line, request)

    def jobs(self) -> tuple[Job, ...]:
        """What is to be run."""
        repeat = self._line.repeat
        loops = {
            "Hearing what the manager wants": partial(repeat, self._poll, tries_credentials=True),
            "Reporting to the manager": partial(repeat, self._report),
            "Telling the manager what tenants use": partial(repeat, self._send_usage),
            "Measuring folders": partial(repeat, self._measure),
            "Seeing that the manager answers": partial(repeat, self._see),
            "Sharing tenants' tunnels with other gateways": partial(
                repeat, self._sync_allocations_at_once
            ),
        }
        return (
            self._updates.job(),
            *(
                Job(
                    name=name,
                    attempt=loop,
                    interval_seconds=FIRST_PAUSE_SECONDS,
                    longest_pause_seconds=LONGEST_PAUSE_SECONDS,
                    lasts=True,
                )
                for name, loop in loops.items()
            ),
        )

    def _next_in_order(self) -> dict[str, Any]:
        """Members of the next message of which an older one may arrive late."""
        return {"run": self._run, "number": next(self._numbers)}

    def _sync_clock(self, now: datetime) -> None:
        before = self._known.conditions.text
        self._known.clock.sync(now)
        self._known.conditions.set("clock", self._known.clock.trouble)
        if self._known.conditions.text != before:
            self._outbox.mark_dirty()

    async def _poll(self, client: ManagerClient, backoff: Backoff) -> None:
        request = PollRequest(
            assignment_revision=self._reconciler.revision,
            directory_revision=self._known.directory.revision,
            site_revision=self._known.site.revision,
            machine=machine_mark(),
        )
        try:
            await self._send_unsent(client)
            update = await client.poll(request)
        except (CloudgateError, asyncio.CancelledError):
            # Who was away may have lost what it heard; the report is tried until it is back.
            self._outbox.resync()
            raise
        self._standing.accepted()
        backoff.success()
        if update.managers is not None:
            self._standing.note_managers(update.managers)
            self._line.learn(update.managers)
        if update.demand:
            self._tokens.news.set()
        self._outbox.figures_seconds = update.figures_seconds
        try:
            self._updates.apply(update)
        finally:  # it is asked only once, also where something else cannot be kept
            if update.question is not None:
                self._unsent = self._queries.answer(update.question)
                self._awaited_until_seconds = time.monotonic() + AWAITED_SECONDS
        await self._send_unsent(client)

    async def _send_unsent(self, client: ManagerClient) -> None:
        """Send the answer that is there; it stays where the host goes to another manager.

        What nobody awaits any more keeps no poll waiting.
        """
        if time.monotonic() > self._awaited_until_seconds:
            self._unsent = None
        if self._unsent is not None:
            with _until_it_is_heard(self._forget_unsent):
                await client.send_query_result(self._unsent)

    def _forget_unsent(self) -> None:
        self._unsent = None

    async def _report(self, client: ManagerClient, backoff: Backoff) -> None:
        report = await self._outbox.next_report()
        try:
            await client.report(report.model_copy(update=self._next_in_order()))
        except (CloudgateError, asyncio.CancelledError):  # the latter for another manager's sake
            self._outbox.mark_dirty()
            raise
        self._standing.record_answer()
        if backoff.success():
            _log.info("the manager is back")
        self._outbox.acknowledge(report)

    async def _see(self, client: ManagerClient, backoff: Backoff) -> None:
        """While a poll is held, nothing else says that a manager stands still."""
        await asyncio.sleep(SEEN_SECONDS)
        if self._line.addresses.are_several:
            await client.see()
        backoff.success()

    async def _measure(self, client: ManagerClient, backoff: Backoff) -> None:
        answer = await self._queries.measuring.due()
        with _until_it_is_heard(self._queries.measuring.delivered):
            await client.send_query_result(answer)
        backoff.success()

    async def _send_usage(self, client: ManagerClient, backoff: Backoff) -> None:
        await asyncio.sleep(USAGE_SECONDS)
        is_more = True
        while is_more:
            batch, usage = self._usage.next_batch()
            if usage:
                await client.send_usage(
                    UsageBatch(machine=machine_mark(), batch=batch, usage=usage)
                )
                self._usage.acknowledge()
            is_more = len(usage) >= MAX_USAGE_BATCH
        await self._sync_allocations(client)
        backoff.success()

    async def _sync_allocations_at_once(self, client: ManagerClient, backoff: Backoff) -> None:
        await self._tokens.due()
        try:
            await self._sync_allocations(client)
        except (CloudgateError, asyncio.CancelledError):  # the latter for another manager's sake
            self._tokens.news.set()
            raise
        backoff.success()

    async def _sync_allocations(self, client: ManagerClient) -> None:
        # What one message says of tokens is answered before the next one is made.
        async with self._sharing:
            demands = self._tokens.demands(self._known.allowances.demands)
            if not demands:
                return
            try:
                told = await client.send_demand(
                    DemandReport(machine=machine_mark(), demands=demands, **self._next_in_order())
                )
            except UnknownCallError as error:
                # A manager of the version before does not know the question: whole limits hold.
                _log.debug("limits are not shared between gateways", reason=error.message)
                self._tokens.update(Allowances())
            except CloudgateError:
                self._tokens.note_away()
                raise
            else:
                self._known.allowances.update(told.allowances)
                self._tokens.update(told)


@contextmanager
def _until_it_is_heard(done: Callable[[], None]) -> Iterator[None]:
    """Call `done` once an answer was taken, or refused: that manager will not take it later."""
    try:
        yield
    except InvalidRequestError:
        done()
        raise
    done()
