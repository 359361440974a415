"""Reconciler: how does the machine come to the state that its assignment asks for, and stay?

Level-triggered: whatever happens (a new assignment, Envoy's death, the end of a tunnel), the
machine is compared with the assignment and what differs is mended. Every step may be repeated.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from cloudgate.background import Job
from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.listener_rollout import ListenerRollout
from cloudgate.host.envoy.supervisor import EnvoySupervisor
from cloudgate.host.established_bindings import EstablishedBindings, binding
from cloudgate.host.state.conditions import said_of
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.stored_document import StoredDocument
from cloudgate.host.state.withdrawal_journal import WithdrawalJournal
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.drain import JITTER_SECONDS, Drain, overdue
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.protocol import ApplyDuration, Assignment, Gateway, GatewayState
from cloudgate.protocol.bounds import MOST_SMALL, bounded, readable
from cloudgate.trace_context import TraceContext, following

ATTEMPT_SECONDS = 8.0
"""Longest that an attempt may take before it counts as failed."""
REVIEW_SECONDS = 5.0
"""How often a machine is looked at again when nothing is known to have happened."""
_LAST_SECONDS = 2.0
"""How long after the last tunnel's moment Envoy is ended, whatever goes on in it."""
SUCCESSION_REVIEW_SECONDS = 1.0
"""How often it is looked at while an Envoy that was succeeded still serves tunnels."""
DRAIN_REVIEW_SECONDS = 0.25
"""How often the live tunnels of a closed gateway are counted."""
_LEAVING = "the host service ends"
"""Names its drain."""
_OVER = (GatewayState.CLOSED, GatewayState.ABSENT)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ReconcileResult:
    """What was read back from the machine about one assignment."""

    revision: int
    state: GatewayState
    gateway: Gateway | None = None
    reason: str = ""
    live_tunnels: int = 0
    finished_tunnels: int = 0
    closed_tunnels: int = 0
    took: ApplyDuration | None = None

    def contribution(self) -> dict[str, object]:
        """Its members of the `Report`."""
        return {
            "assignment_revision": self.revision,
            "state": self.state,
            "gateway_id": self.gateway.gateway_id if self.gateway else None,
            "reason": readable(self.reason),
            "live_tunnels": bounded(self.live_tunnels, MOST_SMALL),
            "finished_tunnels": bounded(self.finished_tunnels, MOST_SMALL),
            "closed_tunnels": bounded(self.closed_tunnels, MOST_SMALL),
            "took": self.took,
        }


class Reconciler:
    """Keeps the machine as its assignment says, and says what it finds."""

    def __init__(
        self,
        paths: StatePaths,
        endpoints: LocalEndpoints,
        envoy: EnvoySupervisor,
        admin: AdminClient,
        *,
        gateway_status: GatewayStatus,
        tracker: TunnelTracker,
        closer: TunnelCloser,
        news: asyncio.Event,
        journal: WithdrawalJournal | None = None,
    ) -> None:
        """What it needs.

        Args:
            paths: where the files are.
            endpoints: how host service and Envoy reach each other.
            envoy: what listens.
            admin: what Envoy says of itself.
            gateway_status: what the authorizer has to know of the assignment.
            tracker: the live tunnels.
            closer: ends them one by one.
            news: is set by whoever knows that something happened to the machine.
            journal: takes what the disk does not.
        """
        self.kept = StoredDocument(paths.assignment, Assignment, journal)
        self._state = paths.state
        self._envoy = envoy
        self._admin = admin
        self._listening = ListenerRollout(paths, endpoints, envoy, admin)
        self._drain = Drain(paths, journal=journal)
        self.on_outcome: Callable[[ReconcileResult], None] = lambda _: None
        """Hears what was found."""
        self._news = news
        self._assignment = self.kept.current
        self._gateway_status = gateway_status
        self._tracker = tracker
        self._closer = closer
        gateway_status.follow(self._assignment)
        self._established = EstablishedBindings(paths.established, self._assignment)
        self._given_up: Assignment | None = None
        self._request: TraceContext | None = None
        self._heard_at_seconds: float | None = None
        """When the assignment came that has not been listened to yet."""
        self._took: tuple[int, ApplyDuration] | None = None
        """What that took, and of which assignment."""
        self._leaving_seconds: float | None = None
        """How long tunnels may go on because the host service is to end."""
        self.has_left = asyncio.Event()
        """Set once the last of them has ended."""

    @property
    def revision(self) -> int | None:
        """Of the assignment in force; None when there never was one."""
        return self._assignment.revision if self._assignment else None

    def set_desired(self, assignment: Assignment, request: TraceContext | None = None) -> None:
        """Make `assignment` the wanted state, from now on and over restarts.

        `request`: what it is done for, if anybody knows.
        """
        self._request, self._heard_at_seconds = request, time.monotonic()
        self.kept.replace(assignment)
        self._assignment = assignment
        self._gateway_status.follow(assignment)
        self._given_up = None
        self._news.set()

    def leave(self, within_seconds: float) -> None:
        """Drain, whatever the assignment says: the next host service begins with that again."""
        self._leaving_seconds = within_seconds
        self._gateway_status.leave()
        self._news.set()

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Keeping the machine as it is wanted",
            attempt=self._review,
            interval_seconds=0.0,
            longest_pause_seconds=REVIEW_SECONDS,
            needed=True,
        )

    async def _review(self) -> None:
        self._news.clear()
        wanted = self._wanted()
        pause_seconds = REVIEW_SECONDS
        if wanted is not None and wanted is not self._given_up:
            outcome = await self._tried(wanted)
            self._record_result(wanted, outcome.state)
            self.on_outcome(outcome)
            if self._leaving_seconds is not None and outcome.state in _OVER:
                self.has_left.set()
            if outcome.state is GatewayState.DRAINING:
                pause_seconds = DRAIN_REVIEW_SECONDS
            elif self._envoy.processes.draining_labels:
                pause_seconds = SUCCESSION_REVIEW_SECONDS
        elif self._leaving_seconds is not None and wanted is None:
            # No assignment was heard yet, or it was lost, and Envoys may go on with their tunnels.
            pause_seconds = SUCCESSION_REVIEW_SECONDS
            if self._envoy.processes.is_idle:
                self.has_left.set()
        await self._wait(pause_seconds)

    def _wanted(self) -> Assignment | None:
        """The assignment; of a host service that is to end, without new tunnels."""
        wanted, seconds = self._assignment, self._leaving_seconds
        if wanted is None or wanted.gateway is None or seconds is None:
            return wanted
        gateway = wanted.gateway.model_copy(update={"accepting": False})
        changes = {"gateway": gateway, "drain": _LEAVING, "drain_seconds": seconds}
        return wanted.model_copy(update=changes)

    async def _tried(self, wanted: Assignment) -> ReconcileResult:
        """What an attempt has come to. The manager hears also of a failure that nobody foresaw."""
        try:
            with following(self._request):
                return await self.reconcile_once(wanted)
        except Exception as error:
            reason = (
                f"The host service failed in a way that nobody foresaw ({type(error).__name__})."
            )
            failed = GatewayState.FAILED
            self.on_outcome(ReconcileResult(wanted.revision, failed, wanted.gateway, reason))
            raise

    async def reconcile_once(self, assignment: Assignment) -> ReconcileResult:
        """Bring the machine to `assignment` once."""
        gateway = assignment.gateway
        outcome = ReconcileResult(assignment.revision, GatewayState.FAILED, gateway)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                if gateway is not None and gateway.accepting:
                    return await self._listen(gateway, outcome)
                return await self._drain_tunnels(assignment, outcome)
        except CloudgateError as error:
            reason = error.message
        except TimeoutError:  # an OSError, too, and the likelier one
            reason = f"The gateway was not ready within {ATTEMPT_SECONDS:.0f} seconds."
        except OSError as error:
            reason = said_of(error, self._state)
        _log.error("the machine cannot be brought to its assignment", reason=reason)
        return replace(outcome, reason=reason)

    def _record_result(self, assignment: Assignment, state: GatewayState) -> None:
        # A gateway that never was is given up at the first failure: the manager takes it back,
        # and it must not come up meanwhile. One that broke later is mended again and again.
        wanted = binding(assignment)
        if wanted is None:
            return
        if state is GatewayState.LISTENING:
            self._established.note(wanted)
        elif state is GatewayState.FAILED and wanted not in self._established:
            self._given_up = assignment

    async def _listen(self, gateway: Gateway, outcome: ReconcileResult) -> ReconcileResult:
        self._drain.forget()
        applied_at_seconds = await self._listening.apply(gateway)
        self._note_took(outcome.revision, applied_at_seconds)
        live_tunnels = await self._live_tunnels()
        if self._envoy.is_outdated and self._envoy.processes.is_idle:
            await self._exchange_idle(gateway)
        took = self._took[1] if self._took and self._took[0] == outcome.revision else None
        return replace(outcome, state=GatewayState.LISTENING, live_tunnels=live_tunnels, took=took)

    def _note_took(self, revision: int, applied_at_seconds: float) -> None:
        heard_at_seconds, self._heard_at_seconds = self._heard_at_seconds, None
        if heard_at_seconds is not None:
            self._took = (
                revision,
                ApplyDuration(
                    applied_seconds=round(max(0.0, applied_at_seconds - heard_at_seconds), 4),
                    read_back_seconds=round(time.monotonic() - applied_at_seconds, 4),
                ),
            )

    async def _exchange_idle(self, gateway: Gateway) -> None:
        """Start an Envoy anew that no other can take over from, unless somebody comes meanwhile."""
        await self._listening.withdraw()
        if self._envoy.processes.is_idle:
            await self._envoy.stop()
        await self._listening.apply(gateway)

    async def _drain_tunnels(
        self, assignment: Assignment, outcome: ReconcileResult
    ) -> ReconcileResult:
        await self._listening.withdraw()
        live_tunnels = await self._live_tunnels()
        if live_tunnels:
            self._drain.begin(live_tunnels, assignment.drain)
            live_tunnels = await self._close_late_tunnels(assignment.drain_seconds, live_tunnels)
        finished, closed = self._drain.result(live_tunnels, assignment.drain)
        outcome = replace(outcome, finished_tunnels=finished, closed_tunnels=closed)
        if live_tunnels or await self._has_rest(assignment):
            return replace(outcome, state=GatewayState.DRAINING, live_tunnels=live_tunnels)
        if self._envoy.processes.is_running:
            _log.info("gateway is closed", finished_tunnels=finished, closed_tunnels=closed)
            await self._envoy.stop()
        state = GatewayState.ABSENT if assignment.gateway is None else GatewayState.CLOSED
        return replace(outcome, state=state)

    async def _has_rest(self, assignment: Assignment) -> bool:
        """Whether somebody has yet to take the end of a tunnel that is over, and has time left.

        Or is seen to have a connection to an Envoy that listens no more, of which the log says
        nothing.
        """
        processes = self._envoy.processes
        if not processes.has_retired_with_connections and not (
            processes.pid and await self._admin.owes_clients()
        ):
            return False
        self._drain.begin(0, assignment.drain)
        return self._drain.seconds_left(assignment.drain_seconds) > 0

    async def _live_tunnels(self) -> int:
        """Of the Envoy that listens, and of those that it took over from."""
        retired = self._envoy.processes.draining_labels
        of_retired = [each.envoy for each in self._tracker.live if each.envoy in retired]
        await self._envoy.stop_drained(set(of_retired))
        return len(of_retired) + (
            await self._admin.live_tunnels() if self._envoy.processes.pid else 0
        )

    async def _close_late_tunnels(self, drain_seconds: float, live_tunnels: int) -> int:
        """Close the tunnels whose time is up; how many are left."""
        late_seconds = -self._drain.seconds_left(drain_seconds)
        if late_seconds < 0:
            return live_tunnels
        spread_seconds = min(JITTER_SECONDS, drain_seconds)
        if late_seconds < spread_seconds + _LAST_SECONDS:
            self._tracker.poll()
            late = overdue(self._tracker.live, late_seconds, spread_seconds)
            try:
                self._drain.note_closed(self._closer.terminate(late, "the drain is over"))
            except UnavailableError as error:
                _log.warning("tunnels are closed all at once", reason=error.message)
            else:
                return await self._live_tunnels()
        # Those that the log does not show, or that cannot be closed one by one, end with Envoy.
        self._drain.note_closed(live_tunnels)
        return 0

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return
