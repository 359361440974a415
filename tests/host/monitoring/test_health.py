"""Which gateways that take no new tunnels keep who replaces hosts one after the other waiting?"""

from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.host.host_state import HostState
from cloudgate.host.monitoring.health import gateway_finding
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.monitoring.health import CheckResult
from cloudgate.protocol import Assignment, Gateway, GatewayState


@pytest.mark.parametrize(
    ("state", "is_settled"),
    [
        (GatewayState.CLOSED, True),
        (GatewayState.DRAINING, True),
        (GatewayState.LISTENING, False),
        (GatewayState.FAILED, False),
    ],
)
def test_a_gateway_that_was_drained_is_settled_once_its_port_is_closed_whatever_tunnels_go_on(
    tmp_path: Path, state: GatewayState, is_settled: bool
) -> None:
    found = _finding(tmp_path, ReconcileResult(1, state, live_tunnels=3))
    assert found.problem
    assert found.is_on_purpose == is_settled


def _finding(folder: Path, outcome: ReconcileResult) -> CheckResult:
    closed = Gateway(gateway_id=UUID(int=6), port=443, accepting=False, certificate_chain_pem="")
    gateway_status = GatewayStatus()
    gateway_status.follow(Assignment(revision=1, gateway=closed, drain_seconds=3600.0))
    directory, site = TenantDirectory(folder / "directory"), SiteStore(folder / "site")
    return gateway_finding(HostState(directory, site, gateway_status), outcome)
