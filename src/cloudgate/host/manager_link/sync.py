"""Manager sync: how do news and reports pass between manager and host, whatever breaks?

Loops that wait longer the longer the manager is away. The gateway does not notice.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial

import structlog

from cloudgate.background import Background, Job
from cloudgate.errors import (
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    RevokedError,
    UnavailableError,
)
from cloudgate.host.manager_link.client import ManagerClient
from cloudgate.host.manager_link.disk_usage import DiskUsageWorker
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.platform.machine import machine_mark
from cloudgate.host.reconciler import Reconciler
from cloudgate.host.shaping.rate_allocations import RateAllocations
from cloudgate.host.state.conditions import Conditions
from cloudgate.host.state.enrolment import (
    Enrolment,
    keep_role,
    load_enrolment,
)
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.host_credentials import HostCredentials, keep_credential
from cloudgate.host.state.manager_clock import ManagerClock
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.state.withdrawal_journal import TooLongError, WithdrawalJournal
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.slot_tokens import SlotTokens
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.host.tunnels.usage_outbox import MAX_USAGE_BATCH
from cloudgate.protocol import (
    Allowances as TheirAllowances,
)
from cloudgate.protocol import (
    Answer,
    DemandReport,
    LiveTunnel,
    PollRequest,
    Question,
    Update,
    UsageBatch,
)
from cloudgate.protocol.bounds import readable

LONGEST_PAUSE_SECONDS = 5.0
"""Between two attempts to reach a manager that is away."""
REVOKED_PAUSE_SECONDS = 30.0
"""Between two attempts with a credential that the manager did not accept."""

REVOKED_ENTRY = "revoked"
"""Of the journal."""
KEEP_SECONDS = 5.0
"""How often it is tried to write down what a full disk did not take."""
USAGE_SECONDS = 5.0
"""How often the manager hears what tenants used."""
_FIRST_PAUSE_SECONDS = 0.2

_log = structlog.get_logger(__name__)


class Backoff:
    """Pauses that grow, of random length, so that hosts do not return all at once."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failures = 0

    @property
    def is_new(self) -> bool:
        """Whether the last failure was the first of its series; the others need no words."""
        return self._failures == 1

    def success(self) -> bool:
        """Start anew. Whether there were failures before."""
        failed, self._failures = self._failures > 0, 0
        return failed

    def pause_seconds(self, error: CloudgateError) -> float:
        """How long to wait after one more failure."""
        self._failures = min(self._failures + 1, 16)
        if isinstance(error, NotAuthenticatedError):
            return REVOKED_PAUSE_SECONDS
        longest = min(LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**self._failures)
        return float(longest * self._chance())


@dataclass(frozen=True)
class HostState:
    """What the manager has told this host besides its assignment; most of it is kept on disk."""

    directory: TenantDirectory
    site: SiteStore
    role: GatewayStatus
    journal: WithdrawalJournal | None = None
    """Takes what the disk does not."""
    allowances: RateAllocations = field(default_factory=RateAllocations)
    clock: ManagerClock = field(default_factory=ManagerClock)
    troubles: Conditions = field(default_factory=Conditions)


class ManagerSync:
    """Keeps host and manager in step: polls for news, sends reports, usage and demands."""

    def __init__(
        self,
        layout: StatePaths,
        known: HostState,
        reconciler: Reconciler,
        outbox: Reporter,
        watch: TunnelTracker,
        *,
        closer: TunnelCloser,
        tokens: SlotTokens,
    ) -> None:
        self._tokens = tokens
        self._sharing = asyncio.Lock()
        self._watch = watch
        self._closer = closer
        self._layout = layout
        self._known = known
        self._reconciler = reconciler
        self._outbox = outbox
        self._measuring = DiskUsageWorker()
        self._credentials = HostCredentials(layout)
        if known.journal is not None:
            known.role.is_revoked = bool(known.journal.get(REVOKED_ENTRY))

    def jobs(self) -> tuple[Job, ...]:
        """What is to be run."""
        steps = {
            "Hearing what the manager wants": self._poll,
            "Reporting to the manager": self._report,
            "Telling the manager what tenants use": self._send_usage,
            "Measuring folders": self._measure,
            "Sharing tenants' tunnels with other gateways": self._sync_allocations_at_once,
        }
        return (
            Job(
                name="Writing down what the manager said",
                attempt=self.keep,
                interval_seconds=KEEP_SECONDS,
                longest_pause_seconds=KEEP_SECONDS,
            ),
            *(
                Job(
                    name=name,
                    attempt=partial(self._with_backoff, step),
                    interval_seconds=_FIRST_PAUSE_SECONDS,
                    longest_pause_seconds=LONGEST_PAUSE_SECONDS,
                    lasts=True,
                )
                for name, step in steps.items()
            ),
        )

    async def run(self) -> None:
        """Poll and report for ever."""
        await Background(self.jobs()).run()

    async def _with_backoff(self, step: "Step") -> None:
        backoff = Backoff()
        while True:
            try:
                await self._repeat(step, backoff)
            except CloudgateError as error:
                if isinstance(error, RevokedError):
                    self._note_revoked(revoked=True)
                pause_seconds = backoff.pause_seconds(error)
                if step == self._poll and isinstance(error, NotAuthenticatedError):
                    pause_seconds = self._credentials.refused() or pause_seconds
                if backoff.is_new or isinstance(error, NotAuthenticatedError):
                    _log_failure(error)
                await asyncio.sleep(pause_seconds)

    async def _repeat(self, step: "Step", backoff: Backoff) -> None:
        # Read anew after each failure: the host may have joined again.
        known = load_enrolment(self._layout)
        async with ManagerClient(
            known.url,
            known.ca_pem,
            self._credential,
            self._sync_clock,
            says_role=known.manager_says_role,
            server_id=known.server_id,
        ) as client:
            while True:
                await step(client, backoff)
                if client.says_role and not known.manager_says_role:
                    known = self._note_role()

    def _note_revoked(self, *, revoked: bool) -> None:
        """Let nobody new in while the manager says so, also after a restart. Live tunnels go on."""
        if revoked and not self._known.role.is_revoked:
            _log.error("the manager has shut this host out; nobody new is let in")
        self._known.role.is_revoked = revoked
        journal = self._known.journal
        if journal is None:
            return
        try:
            journal.put(REVOKED_ENTRY, entry=revoked or None)
        except TooLongError:
            return  # the manager says it again after a restart
        except OSError as error:  # ENOSPC, EDQUOT, EROFS, EIO: the same
            self._known.troubles.set_write_failure("state", error)

    def _note_accepted(self) -> None:
        if self._known.role.is_revoked:
            self._note_revoked(revoked=False)
        try:
            self._credentials.accepted()
        except OSError as error:
            self._known.troubles.set_write_failure("state", error)

    def _note_role(self) -> Enrolment:
        """The manager has said its role; what does not is not taken for it from now on."""
        known = load_enrolment(self._layout)
        try:
            keep_role(self._layout, known)
        except OSError as error:
            self._known.troubles.set_write_failure("state", error)
        return known.model_copy(update={"manager_says_role": True})

    def _sync_clock(self, now: datetime) -> None:
        before = self._known.troubles.text
        self._known.clock.sync(now)
        self._known.troubles.set("clock", self._known.clock.trouble)
        if self._known.troubles.text != before:
            self._outbox.mark_dirty()

    def _credential(self) -> str:
        return self._credentials.use()

    async def _poll(self, client: ManagerClient, backoff: Backoff) -> None:
        request = PollRequest(
            assignment_revision=self._reconciler.revision,
            directory_revision=self._known.directory.revision,
            site_revision=self._known.site.revision,
            machine=machine_mark(),
        )
        try:
            update = await client.poll(request)
        except CloudgateError:
            # Who was away may have lost what it heard; the report is tried until it is back.
            self._outbox.resync()
            raise
        self._note_accepted()
        backoff.success()
        self._apply_update(update)
        if update.question is not None and update.question.measure is not None:
            self._measuring.ask(update.question)
        elif update.question is not None:
            await client.send_query_result(self._answer(update.question))

    async def _report(self, client: ManagerClient, backoff: Backoff) -> None:
        report = await self._outbox.next_report()
        try:
            await client.report(report)
        except CloudgateError:
            self._outbox.mark_dirty()
            raise
        if self._known.role.is_revoked:
            self._note_revoked(revoked=False)
        if backoff.success():
            _log.info("the manager is back")
        self._outbox.acknowledge(report)

    async def _measure(self, client: ManagerClient, backoff: Backoff) -> None:
        await client.send_query_result(await self._measuring.due())
        self._measuring.delivered()
        backoff.success()

    async def _send_usage(self, client: ManagerClient, backoff: Backoff) -> None:
        await asyncio.sleep(USAGE_SECONDS)
        is_more = True
        while is_more:
            batch, usage = self._watch.usage.next_batch()
            if usage:
                await client.send_usage(
                    UsageBatch(machine=machine_mark(), batch=batch, usage=usage)
                )
                self._watch.usage.acknowledge()
            is_more = len(usage) >= MAX_USAGE_BATCH
        await self._sync_allocations(client)
        backoff.success()

    async def _sync_allocations_at_once(self, client: ManagerClient, backoff: Backoff) -> None:
        await self._tokens.due()
        await self._sync_allocations(client)
        backoff.success()

    async def _sync_allocations(self, client: ManagerClient) -> None:
        # What one message says of tokens is answered before the next one is made.
        async with self._sharing:
            demands = self._tokens.demands(self._known.allowances.demands)
            if not demands:
                return
            try:
                told = await client.send_demand(
                    DemandReport(machine=machine_mark(), demands=demands)
                )
            except InvalidRequestError as error:
                # A manager of the version before does not know the question: whole limits hold.
                _log.debug("limits are not shared between gateways", reason=error.message)
                self._tokens.update(TheirAllowances())
            except CloudgateError:
                self._tokens.note_away()
                raise
            else:
                self._known.allowances.update(told.allowances)
                self._tokens.update(told)

    def _answer(self, question: Question) -> Answer:
        self._watch.poll()
        live = self._watch.live
        unwanted = [each for each in live if each.tunnel in question.end_tunnels]
        reason = ""
        if unwanted:
            try:
                self._closer.terminate(unwanted, "the operator closed it")
            except UnavailableError as error:
                unwanted, reason = [], error.message
        return Answer(
            machine=machine_mark(),
            question=question.question,
            tunnels=tuple(LiveTunnel.model_validate(asdict(each)) for each in live),
            ended=tuple(each.tunnel for each in unwanted),
            reason=readable(reason),
        )

    def _apply_update(self, update: Update) -> None:
        """Have it in force. What takes rights away holds, also where it cannot be kept.

        Raises:
            UnavailableError: something has to be said again, since it cannot be kept.
        """
        if update.directory is not None:
            self._known.directory.apply(update.directory)
        if update.site is not None:
            self._known.site.replace(update.site)
        if update.demand:
            self._tokens.news.set()
        if update.assignment is not None:
            _log.info("assignment received", revision=update.assignment.revision)
            self._reconciler.set_desired(update.assignment)
        problem = self._note_unkept()
        if update.credential is not None:
            try:
                keep_credential(self._layout, update.credential)
            except OSError as error:  # the one in use is good until this one was used
                problem = problem or error
                self._known.troubles.set_write_failure("state", error)
        self._outbox.mark_dirty()
        if problem is not None and (self._known.directory.is_behind or update.credential):
            raise UnavailableError(f"What the manager said cannot be kept: {problem}.")

    def keep(self) -> None:
        """Write down what is not on disk yet."""
        before = self._unkept()
        self._known.directory.keep()
        self._known.site.kept.keep()
        self._reconciler.kept.keep()
        if (self._note_unkept() is None) != (before is None):
            self._outbox.mark_dirty()

    def _unkept(self) -> OSError | None:
        """Why something that is in force, or waits for it, is not on disk."""
        problems = (
            self._known.directory.problem,
            self._known.site.kept.problem,
            self._reconciler.kept.problem,
        )
        return next((each for each in problems if each is not None), None)

    def _note_unkept(self) -> OSError | None:
        problem = self._unkept()
        if problem is None:
            self._known.troubles.set("state", "")
        else:
            self._known.troubles.set_write_failure("state", problem)
        return problem


Step = Callable[[ManagerClient, Backoff], Awaitable[None]]


def _log_failure(error: CloudgateError) -> None:
    if isinstance(error, NotAuthenticatedError):
        _log.error(
            "the manager does not accept this host any more; the gateway goes on as it is. "
            "Run `cloudgate host join` to join again",
            reason=error.message,
        )
    else:
        _log.warning("no line to the manager", reason=error.message)
