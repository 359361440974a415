"""Gateway: which parts carry tunnels on this machine, and who of them knows whom?

All of it works without a manager, by what is on this disk.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.host.authorization.admissions import Admissions
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.log_rotation import Rotation
from cloudgate.host.envoy.supervisor import EnvoySupervisor
from cloudgate.host.host_state import HostState
from cloudgate.host.reconciler import Reconciler
from cloudgate.host.saturation import SaturationMonitor
from cloudgate.host.settings import HostSettings
from cloudgate.host.shaping.fair_share import FairShare
from cloudgate.host.shaping.shaper import TrafficShaper
from cloudgate.host.state.disk_reserve import REVIEW_SECONDS
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.connection_limit import ConnectionLimiter
from cloudgate.host.tunnels.enforcer import TunnelEnforcer
from cloudgate.host.tunnels.lost_ends import LostEndFinder
from cloudgate.host.tunnels.restore_only import RestoreOnlyEnforcer
from cloudgate.host.tunnels.tracker import TunnelTracker

_log = structlog.get_logger(__name__)


class GatewayParts:
    """Envoy, and what decides of its tunnels once they were let in."""

    def __init__(
        self,
        paths: StatePaths,
        endpoints: LocalEndpoints,
        known: HostState,
        admissions: Admissions,
        *,
        settings: HostSettings,
    ) -> None:
        news = asyncio.Event()
        self._paths = paths
        self._known = known
        self.admin = AdminClient(endpoints)
        self.envoy = EnvoySupervisor(paths, endpoints, self.admin, news.set)
        envoys = self.envoy.processes
        self.closer = TunnelCloser(envoys)
        self.tracker = TunnelTracker(
            paths,
            envoys,
            slots=admissions.slots,
            closer=self.closer,
            now=known.clock,
            conditions=known.conditions,
        )
        self.enforcer = TunnelEnforcer(
            self.tracker,
            self.closer,
            known.directory,
            known.gateway_status,
            site=known.site,
            slots=admissions.slots,
            now=known.clock,
        )
        self.lost_ends = LostEndFinder(envoys, self.tracker, known.conditions)
        self.shaper = TrafficShaper(
            envoys,
            known.directory,
            self.tracker,
            known.allowances,
            fairness=FairShare(settings.capacity_bytes),
            starts=admissions.starts,
        )
        self.restore_only = RestoreOnlyEnforcer(
            envoys,
            known.site,
            self.tracker,
            self.closer,
            directory=known.directory,
            senders=admissions.senders,
            now=known.clock,
        )
        self.connection_limiter = ConnectionLimiter(
            envoys,
            known.gateway_status,
            self.tracker,
            admissions.slots,
            limit=settings.connections_per_address,
        )
        self.reconciler = Reconciler(
            paths,
            endpoints,
            self.envoy,
            self.admin,
            gateway_status=known.gateway_status,
            tracker=self.tracker,
            closer=self.closer,
            news=news,
            journal=known.journal,
        )

        self._saturation = SaturationMonitor(known.conditions, self._note_saturation)
        self._on_change: Callable[[], None] = lambda: None

    @property
    def full(self) -> Mapping[str, float]:
        """By resource, how much of it is used, as far as it was seen; 1 for all of it."""
        return {**self._saturation.parts, **self.shaper.parts}

    def is_full(self, address: str) -> bool:
        """Whether an IP address has as many connections as one may have."""
        return self.connection_limiter.is_full(address)

    @property
    def live_tunnels(self) -> int:
        """How many tunnels there are."""
        return len(self.tracker.live)

    def _note_saturation(self) -> None:
        self._on_change()

    def jobs(self) -> tuple[Job, ...]:
        """What carries tunnels and ends them."""
        return (
            self.enforcer.job(),
            self.tracker.job(),
            self.lost_ends.job(),
            self.shaper.job(),
            self.restore_only.job(),
            self.connection_limiter.job(),
            self.reconciler.job(),
        )

    def housekeeping(self, on_change: Callable[[], None]) -> tuple[Job, ...]:
        """What keeps the machine fit for it. `on_change`: there is something new to tell."""
        self._on_change = on_change
        envoys = self.envoy.processes
        return (
            Rotation(self._paths.access_log, self.envoy).job(),
            Job(name="Keeping room", attempt=self._keep_room, interval_seconds=REVIEW_SECONDS),
            Job(
                name="Looking what is saturated",
                attempt=partial(self._saturation.run, self._paths.state, envoys, self.admin),
                interval_seconds=1.0,
                lasts=True,
            ),
        )

    async def adopt(self) -> None:
        """Take over the Envoy that an earlier host service left running, if it answers."""
        try:
            await self.envoy.adopt()
        except UnavailableError as error:
            _log.error("envoy is not adopted yet", reason=error.message)

    async def close(self, *, tunnels_go_on: bool) -> None:
        """Leave the machine: to the next host service, or with all tunnels ended for good."""
        if tunnels_go_on:
            await self.envoy.release()
        else:
            self._cut_tunnels()
            await self.envoy.stop()
        await self.admin.close()

    def _cut_tunnels(self) -> None:
        """End all tunnels so that their programs see that they were cut.

        An Envoy that ends itself says to those in HTTP/1.1 that the target had no more to say.
        """
        try:
            self.tracker.poll()
            self.closer.terminate(self.tracker.live, "the host service ends")
        except UnavailableError as error:
            _log.warning("tunnels may look finished to their programs", reason=error.message)

    def _keep_room(self) -> None:
        self.envoy.reserve.allocate()
        if self._known.journal is not None:
            self._known.journal.keep()
