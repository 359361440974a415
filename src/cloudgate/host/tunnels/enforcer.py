"""Tunnel enforcer: which live tunnels must end now, and do they?"""

from collections.abc import Callable
from datetime import UTC, datetime

from cloudgate import protocol
from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.revocation import POOL_CHANGED, Revocation, revocation_of
from cloudgate.host.tunnels.slots import TunnelSlots, UnloggedTunnel
from cloudgate.host.tunnels.tracker import TunnelTracker

REVIEW_SECONDS = 0.25
"""How often it is looked, and so how often the log is read."""


class TunnelEnforcer:
    """Ends the tunnels whose tenants may not have them any more, by revocation and eviction."""

    def __init__(
        self,
        tracker: TunnelTracker,
        closer: TunnelCloser,
        directory: TenantDirectory,
        gateway_status: GatewayStatus,
        *,
        site: SiteStore,
        slots: TunnelSlots,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tracker = tracker
        self._closer = closer
        self._directory = directory
        self._gateway_status = gateway_status
        self._site = site
        self._slots = slots
        self._now = now
        self._problem: UnavailableError | None = None
        """What kept the last review from ending all that it should."""

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Following tunnels, and ending those that must end",
            attempt=self._attempt,
            interval_seconds=REVIEW_SECONDS,
            longest_pause_seconds=1.0,
            needed=True,
        )

    def review_eviction(self) -> protocol.EvictionProgress | None:
        """Review, and tell what became of the tunnels that have no place here."""
        self.review()
        return self._tracker.eviction.report

    def contribution(self) -> dict[str, object]:
        """Its members of the `Report`."""
        return {"misplaced": self.review_eviction()}

    def review(self) -> None:
        """Take in what is new, and end who has to leave: also while nothing new can be read."""
        self._tracker.poll()
        self._problem = None
        # Who is a tenant, or who is in, may not be known, which ends nobody's tunnels.
        if self._directory.revision and self._tracker.is_certain:
            self._enforce(self._now())

    def _attempt(self) -> None:
        self.review()
        problem = self._tracker.problem or self._problem
        if problem is not None:
            raise problem

    def _enforce(self, now: datetime) -> None:
        live = self._tracker.live
        leaving: dict[str, list[Tunnel]] = {}
        has_no_place: dict[str, bool] = {}
        for tunnel in live:
            found = self._revocation(tunnel, now)
            is_misplaced = found is not None and not found.at_once
            has_no_place[tunnel.tunnel] = is_misplaced and self._gateway_status.is_known
            if found is not None and found.at_once:
                leaving.setdefault(found.reason, []).append(tunnel)
        eviction = self._tracker.eviction
        over = set(eviction.expired(has_no_place, *self._site.drain, self._directory.revision))
        if over:
            leaving[POOL_CHANGED] = [tunnel for tunnel in live if tunnel.tunnel in over]
        for reason, tunnels in leaving.items():
            try:
                self._closer.terminate(tunnels, reason)
            except UnavailableError as error:
                self._note_problem(error)
        eviction.mark_closing(over & self._closer.closed_of(has_no_place))
        self._end_unlogged(now)

    def _end_unlogged(self, now: datetime) -> None:
        """End also those that must end and that no line speaks of, as while the disk is full."""
        leaving: dict[str, list[str]] = {}
        for client, known in self._slots.unlogged.items():
            found = self._revocation(_unlogged_tunnel(client, known, now), now)
            if found is not None and found.at_once:
                leaving.setdefault(found.reason, []).append(client)
        for reason, clients in leaving.items():
            try:
                self._closer.terminate_connections(clients, reason)
            except UnavailableError as error:
                self._note_problem(error)
                continue
            for client in clients:
                del self._slots.unlogged[client]

    def _revocation(self, tunnel: Tunnel, now: datetime) -> Revocation | None:
        tenant = self._directory.by_id(tunnel.tenant_id)
        return revocation_of(tunnel, tenant, now, self._gateway_status.pool_id)

    def _note_problem(self, error: UnavailableError) -> None:
        self._problem = UnavailableError(f"Tunnels go on that should not: {error.message}")


def _unlogged_tunnel(client: str, known: UnloggedTunnel, now: datetime) -> Tunnel:
    metadata = known.metadata
    return Tunnel(
        tunnel=metadata.slot_id,
        envoy="",
        started_at=now,
        tenant_id=metadata.tenant_id,
        user_id=metadata.user_id,
        target=known.target,
        client=client,
        from_address="",
        revocation_epoch=metadata.revocation_epoch,
        came_from=metadata.came_from,
        certificate_id=metadata.certificate_id,
    )
