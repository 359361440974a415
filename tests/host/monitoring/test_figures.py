"""Is all that a host says within the bounds of what managers hear, whatever its machine has?"""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.background import Background
from cloudgate.host.authorization.meter import AuthorizationMeter
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.manager_link.query_handler import QueryHandler
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.monitoring.envoy_counters import EnvoyCounters
from cloudgate.host.monitoring.figures import HostFigures
from cloudgate.host.monitoring.metrics import HostMetrics
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.host.shaping.held_back import HeldBackMeter
from cloudgate.host.state.manager_clock import ManagerClock
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.host.tunnels.accounting import Tunnel, TunnelTable
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.monitoring.health import Health
from cloudgate.protocol import (
    FURTHEST_CLOCK_SECONDS,
    MOST_AMOUNT,
    MOST_COUNTED,
    Answer,
    GatewayState,
    HostFacts,
    Question,
    Report,
)
from cloudgate.protocol.bounds import MOST_BYTES, MOST_SMALL
from tests.support.machine.disks import needs_mounts, small_disk

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BELOW_ZERO = 2**64 - 1
"""How Envoy tells a gauge that was counted down once too often, and a moment that is none."""
FACTS = HostFacts(
    host_name="h",
    addresses=("127.0.0.1",),
    platform="Linux",
    version="1",
    envoy_version="1",
    public_key_pem="",
)


class Host:
    """What is counted on a host without a gateway."""

    def __init__(self, paths: StatePaths, own_clock: datetime = NOW) -> None:
        envoys = EnvoyProcesses(paths, UnixEndpoints(paths))
        self.closer = TunnelCloser(envoys)
        self.tracker = TunnelTracker(paths, envoys, slots=TunnelSlots(), closer=self.closer)
        self.counters = EnvoyCounters(AdminClient(UnixEndpoints(paths)))
        self.full: dict[str, float] = {}
        clock = ManagerClock(lambda: own_clock)
        clock.sync(NOW)
        self.figures = HostFigures(
            self.tracker,
            AuthorizationMeter(),
            HeldBackMeter(),
            self.counters,
            full=lambda: self.full,
            clock=clock,
            state=paths.state,
            envoys=tuple,
        )

    async def heard(self, outcome: ReconcileResult) -> Report:
        """The report, as a manager reads it."""
        reporter = Reporter(lambda: FACTS, [lambda: {"directory_revision": 0}])
        reporter.figures, reporter.figures_seconds = self.figures, 0.0
        reporter.observe(outcome)
        return Report.model_validate_json((await reporter.next_report()).model_dump_json())


def made(folder: Path) -> StatePaths:
    paths = state_paths(folder)
    paths.make_folders()
    return paths


@needs_mounts
async def test_a_host_whose_disk_has_no_end_reports_and_shows_its_figures(tmp_path: Path) -> None:
    with small_disk(tmp_path / "endless", size="7E") as disk:
        host = Host(made(disk))
        report = await host.heard(ReconcileResult(1, GatewayState.LISTENING))
        assert report.figures is not None
        assert report.figures.disk_free_bytes == MOST_AMOUNT
        page, _ = await HostMetrics(host.figures, Background(()), Health({})).document("")
        assert any(b"cloudgate_gateway_" in each for each in page)


async def test_what_is_more_than_a_manager_hears_is_told_as_the_most_or_as_unknown(
    tmp_path: Path,
) -> None:
    host = Host(made(tmp_path), own_clock=datetime(9000, 1, 1, tzinfo=UTC))
    host.counters.connections = host.counters.certificate_expires_at = BELOW_ZERO
    host.counters.totals = dict.fromkeys(("handshakes", "target_failures"), BELOW_ZERO)
    host.tracker.total.bytes_up = 2**63
    host.tracker.total.setup.observe(1e300)
    report = await host.heard(ReconcileResult(1, GatewayState.DRAINING, live_tunnels=BELOW_ZERO))
    assert (report.live_tunnels, report.finished_tunnels) == (MOST_SMALL, 0)
    assert (figures := report.figures) is not None
    assert figures.setup is not None
    assert figures.connections is figures.certificate_expires_at is figures.tls_failures is None
    assert {figures.handshakes, figures.target_failures, figures.bytes_up} == {MOST_COUNTED}
    assert figures.setup.sum_seconds == MOST_AMOUNT
    assert figures.clock_ahead_seconds == FURTHEST_CLOCK_SECONDS


async def test_a_figure_that_nobody_foresaw_keeps_no_other_from_being_told(tmp_path: Path) -> None:
    host = Host(made(tmp_path))
    host.full = {"x" * 100: 1.0}
    host.tracker.total.tunnels = 7
    report = await host.heard(ReconcileResult(1, GatewayState.LISTENING))
    assert report.figures is not None
    assert (report.figures.full, report.figures.tunnels_opened) == ({}, 7)


async def test_a_tunnel_that_carried_more_than_a_manager_hears_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EnvoyProcesses, "labels", {"e"})
    host = Host(made(tmp_path))
    tunnel = Tunnel(
        tunnel="t",
        envoy="e",
        started_at=NOW,
        tenant_id=UUID(int=1),
        user_id=None,
        target="repo.example:443",
        client="192.0.2.1:5",
        from_address="",
        bytes_up=2 * MOST_BYTES,
    )
    host.tracker._tunnels = TunnelTable([tunnel])
    answer = QueryHandler(host.tracker, host.closer).answer(Question(question="q"))
    assert answer is not None
    (shown,) = Answer.model_validate_json(answer.model_dump_json()).tunnels
    assert (shown.bytes_up, shown.bytes_down) == (MOST_BYTES, 0)
