"""Restore only: may a tunnel that began in maintenance go on? One that brings data back may.

What a tunnel is for is not said by those who open it, and what goes through it is sealed. So it is
judged by which way the bytes go: a restore asks for much and sends little.
"""

from collections import defaultdict

from cloudgate.background import Background, Job
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.platform import Pacing
from cloudgate.host.state.site import SiteStore
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.tracker import TunnelTracker

REVIEW_SECONDS = 0.5
RESTORE_REQUEST_BYTES = 8 * 1024 * 1024
"""What a restore may send to ask for its data, locks and listings included."""


def looks_like_restore(bytes_up: int, bytes_down: int) -> bool:
    """Whether a tunnel may be a restore. Pure."""
    return bytes_up <= max(RESTORE_REQUEST_BYTES, bytes_down)


class RestoreOnlyEnforcer:
    """Ends the tunnels that began in maintenance and send data."""

    def __init__(
        self,
        envoys: EnvoyProcesses,
        site: SiteStore,
        watch: TunnelTracker,
        closer: TunnelCloser,
    ) -> None:
        self._envoys = envoys
        self._site = site
        self._watch = watch
        self._closer = closer
        self._looking: dict[int, Pacing] = {}

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Ending backups that began in maintenance",
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
            self._looking.clear()
            self._watch.lift_restore_only()
            return
        by_envoy: dict[str, list[Tunnel]] = defaultdict(list)
        for each in self._watch.live:
            if each.restoring:
                by_envoy[each.envoy].append(each)
        for mark, begun in by_envoy.items():
            sending = self._sending(mark, begun)
            if sending:
                self._closer.terminate(sending, "maintenance: data may only be brought back")

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
