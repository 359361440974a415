"""Envoy counters: what has Envoy counted, over all that ran here since the host service began?

Of its statistics a few are asked for, by names that are Envoy's (Envoy: listener and cluster
statistics). All of them, as ``/stats/prometheus`` has them, take so long that readiness
waits (https://github.com/envoyproxy/envoy/issues/16425).
"""

import time
from collections.abc import Callable, Mapping

from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.host.envoy.admin_client import AdminClient

REVIEW_SECONDS = 5.0
_COUNTERS = {
    "handshakes": ("listener.gateway.ssl.handshake",),
    "tls_failures": ("listener.gateway.ssl.connection_error",),
    "connections_rejected": (
        "listener.gateway.downstream_global_cx_overflow",
        "listener.gateway.downstream_cx_overload_reject",
        "listener.gateway.downstream_cx_overflow",
    ),
}
_TARGET_FAILURES = "cluster.tunnels[^.]*.upstream_cx_connect_fail"
_CONNECTIONS = "listener.gateway.downstream_cx_active"
_SAME_SECONDS = 2.5
"""Envoy tells whole seconds; one that began so much later than another is not the same."""
_UPTIME = "server.uptime"
_EXPIRY = "listener.gateway.ssl.certificate.certificate.expiration_unix_time_seconds"


class EnvoyCounters:
    """Adds up what each Envoy counts; one that begins anew begins at 0, and nothing is lost."""

    def __init__(
        self, admin: AdminClient, clock_seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._admin = admin
        self._clock_seconds = clock_seconds
        self._began_seconds = clock_seconds()
        self._last: Mapping[str, int] = {}
        self._begun_at_seconds = self._began_seconds
        """When the Envoy began that was last asked."""
        self.totals: dict[str, int] = {}
        """Empty as long as none has answered."""
        self.connections: int | None = None
        self.certificate_expires_at: int | None = None

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Counting what Envoy does", attempt=self.refresh, interval_seconds=REVIEW_SECONDS
        )

    async def refresh(self) -> None:
        """Ask the Envoy that listens, should there be one."""
        names = [each for some in _COUNTERS.values() for each in some]
        others = (_TARGET_FAILURES, _CONNECTIONS, _EXPIRY, _UPTIME)
        try:
            found = await self._admin.counters(*names, *others)
        except UnavailableError:
            self.connections = None  # unknown
            return
        self.connections = found.get(_CONNECTIONS)
        self.certificate_expires_at = found.get(_EXPIRY) or None
        counted = {name: _sum(found, some) for name, some in _COUNTERS.items()}
        failures = (value for name, value in found.items() if name.startswith("cluster."))
        self.add({**counted, "target_failures": sum(failures)}, found.get(_UPTIME, 0))

    def add(self, now: Mapping[str, int], uptime_seconds: int) -> None:
        """An Envoy that has run for so long has counted this."""
        now_seconds = self._clock_seconds()
        is_older = uptime_seconds > now_seconds - self._began_seconds + 1
        begun_at_seconds = now_seconds - uptime_seconds
        if not self.totals and is_older:
            # What it had counted before this host service began is not of its time.
            self._last = now
        elif begun_at_seconds > self._begun_at_seconds + _SAME_SECONDS:
            self._last = {}  # another one
        self._begun_at_seconds = begun_at_seconds
        for name, value in now.items():
            before = self._last.get(name, 0)
            more = value - before if value >= before else value
            self.totals[name] = self.totals.get(name, 0) + more
        self._last = now


def _sum(found: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(found.get(each, 0) for each in names)
