"""Restore only: may a tunnel go on that may only bring data back? One that does so may.

That is asked of those that began in maintenance, and of those whose tenant's quota there is
exceeded. What a tunnel is for is not said by those who open it, and what goes through it is sealed.
So it is judged by which way the bytes go: a restore asks for much and sends little.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from cloudgate.background import Background, Job
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.platform import Pacing
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.full_targets import full_reason_of
from cloudgate.host.tunnels.tracker import TunnelTracker

REVIEW_SECONDS = 0.5
RESTORE_REQUEST_BYTES = 8 * 1024 * 1024
"""What a restore may send to ask for its data, locks and listings included."""
REFUSED_SECONDS = 60.0
"""How long somebody hears why, who has sent data though a quota is exceeded."""
MAINTENANCE = "maintenance: data may only be brought back"

_Sender = tuple[UUID, UUID | None, str]
"""Tenant, user, target."""


def looks_like_restore(bytes_up: int, bytes_down: int) -> bool:
    """Whether a tunnel may be a restore. Pure."""
    return bytes_up <= max(RESTORE_REQUEST_BYTES, bytes_down)


class RecentSenders:
    """Who has sent data lately where only restores may go.

    Programs show the answer to a new tunnel, and not why one ended.
    """

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._until: dict[_Sender, float] = {}

    def note(self, tenant_id: UUID, user_id: UUID | None, target: str) -> None:
        """A tunnel of theirs was ended, because it sent data."""
        now = self._clock_seconds()
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[tenant_id, user_id, target] = now + REFUSED_SECONDS

    def has_sent(self, tenant_id: UUID, user_id: UUID | None, target: str) -> bool:
        """Whether one was ended within `REFUSED_SECONDS`."""
        return self._until.get((tenant_id, user_id, target), 0.0) > self._clock_seconds()


class RestoreOnlyEnforcer:
    """Ends the tunnels that may only bring data back, and send some."""

    def __init__(
        self,
        envoys: EnvoyProcesses,
        site: SiteStore,
        watch: TunnelTracker,
        closer: TunnelCloser,
        *,
        directory: TenantDirectory,
        senders: RecentSenders,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._envoys = envoys
        self._site = site
        self._watch = watch
        self._closer = closer
        self._directory = directory
        self._senders = senders
        self._now = now
        self._looking: dict[int, Pacing] = {}

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Ending backups where data may only be brought back",
            attempt=self.review,
            interval_seconds=REVIEW_SECONDS,
            longest_pause_seconds=1.0,
        )

    async def run(self) -> None:
        """Review for ever."""
        await Background([self.job()]).run()

    def review(self) -> None:
        """End those who send.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        if self._site.maintenance is None:
            self._watch.lift_restore_only()
        by_envoy: dict[tuple[str, str], list[Tunnel]] = defaultdict(list)
        for each in self._watch.live:
            reason = self._reason(each)
            if reason:
                by_envoy[each.envoy, reason].append(each)
        if not by_envoy:
            self._looking.clear()
        for (mark, reason), begun in by_envoy.items():
            sending = self._sending(mark, begun)
            for each in sending:
                if each.over_quota:
                    self._senders.note(each.tenant_id, each.user_id, each.target)
            if sending:
                self._closer.terminate(sending, reason)

    def _reason(self, tunnel: Tunnel) -> str:
        """Why a tunnel may only bring data back; empty when it may do all."""
        if tunnel.restoring and self._site.maintenance is not None:
            return MAINTENANCE
        if not tunnel.over_quota:
            return ""
        tenant = self._directory.by_id(tunnel.tenant_id)
        return full_reason_of(tenant, tunnel.user_id, tunnel.target, self._now())

    def _sending(self, mark: str, begun: list[Tunnel]) -> list[Tunnel]:
        pid = self._envoys.pid_of(mark)
        if pid is None:
            return []
        looking = self._looking.setdefault(pid, Pacing(pid))
        # What the gateway sends to the target is what the tenant sends.
        carried = looking.carried([each.from_address for each in begun])
        return [
            each
            for each in begun
            if not looks_like_restore(*carried.get(each.from_address, (0, 0)))
        ]
