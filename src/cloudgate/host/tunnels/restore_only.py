"""Restore only: may a tunnel go on that may only bring data back, or only send it?

The first is asked of those that began in maintenance, and of those whose tenant's quota there is
exceeded; the second of those whose tenant has brought back all that it may in a month. What a
tunnel is for is not said by those who open it, and what goes through it is sealed. So it is judged
by which way the bytes go: a restore asks for much and sends little.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cloudgate.background import Job
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.platform import Pacing
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.full_targets import egress_reason, full_reason_of
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


def looks_like_backup(bytes_up: int, bytes_down: int) -> bool:
    """Whether a tunnel may be a backup, which reads what is there already, but less. Pure."""
    return looks_like_restore(bytes_down, bytes_up)


@dataclass(frozen=True)
class _Restraint:
    """What a tunnel may not do."""

    reason: str
    may_go_on: Callable[[int, int], bool] = looks_like_restore


class RecentQuotaViolations:
    """Who has lately done what a quota that is used up does not let it do.

    Programs show the answer to a new tunnel, and not why one ended.
    """

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._until: dict[_Sender, float] = {}

    def record(self, tenant_id: UUID, user_id: UUID | None, target: str) -> None:
        """A tunnel of theirs was ended for that."""
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
        tracker: TunnelTracker,
        closer: TunnelCloser,
        *,
        directory: TenantDirectory,
        senders: RecentQuotaViolations,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._envoys = envoys
        self._site = site
        self._tracker = tracker
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

    def review(self) -> None:
        """End those who send.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        # What is lost may be that it is not over, and what is lifted stays so.
        if self._site.is_certain and self._site.maintenance is None:
            self._tracker.lift_restore_only()
        by_envoy: dict[str, dict[Tunnel, list[_Restraint]]] = defaultdict(dict)
        for each in self._tracker.live:
            restraints = list(self._restraints(each))
            if restraints:
                by_envoy[each.envoy][each] = restraints
        if not by_envoy:
            self._looking.clear()
        for mark, begun in by_envoy.items():
            for reason, ending in self._ending(mark, begun).items():
                for each in ending:
                    if reason is not MAINTENANCE:
                        self._senders.record(each.tenant_id, each.user_id, each.target)
                self._closer.terminate(ending, reason)

    def _restraints(self, tunnel: Tunnel) -> Iterator[_Restraint]:
        if tunnel.restoring and self._site.maintenance is not None:
            yield _Restraint(MAINTENANCE)
        if not (tunnel.over_quota or tunnel.over_egress):
            return
        tenant, now = self._directory.by_id(tunnel.tenant_id), self._now()
        full = full_reason_of(tenant, tunnel.user_id, tunnel.target, now)
        if tunnel.over_quota and full:
            yield _Restraint(full)
        egress = egress_reason(tenant, now)
        if tunnel.over_egress and egress:
            yield _Restraint(egress, looks_like_backup)

    def _ending(
        self, mark: str, begun: Mapping[Tunnel, list[_Restraint]]
    ) -> dict[str, list[Tunnel]]:
        """Those of an Envoy's tunnels that do what they may not, by what to say of them."""
        pid = self._envoys.pid_of(mark)
        if pid is None:
            return {}
        looking = self._looking.setdefault(pid, Pacing(pid))
        # What the gateway sends to the target is what the tenant sends.
        carried = looking.carried([each.target_connection for each in begun])
        found: dict[str, list[Tunnel]] = defaultdict(list)
        for each, restraints in begun.items():
            moved = carried.get(each.target_connection, (0, 0))
            wrong = next((one for one in restraints if not one.may_go_on(*moved)), None)
            if wrong is not None:
                found[wrong.reason].append(each)
        return found
