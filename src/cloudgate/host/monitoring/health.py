"""Health of a host: can tenants come in here, and why not?

A gateway goes on without its manager: that it is away is told, and keeps nobody out.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cloudgate.background import Background
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.host_state import HostState
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.monitoring.health import BlockingCheck, CheckResult, Health, disk_problem, jobs_check
from cloudgate.protocol import GatewayState

AWAY_SECONDS = 60.0
"""A manager that was not heard of for so long is away."""
_CLOSED_OR_DRAINING = (GatewayState.DRAINING, GatewayState.CLOSED)


def host_health(
    known: HostState,
    admin: AdminClient,
    background: Background,
    outcome: Callable[[], ReconcileResult | None],
    state: Path,
) -> Health:
    """Its health.

    Args:
        known: what the manager has told.
        admin: what Envoy says of itself.
        background: what runs.
        outcome: how the machine was found to be the last time.
        state: the folder of what is kept.
    """

    async def envoy() -> str:
        if known.gateway_status.gateway is None or not known.gateway_status.is_accepting:
            return ""  # one that is closed has none
        return "" if await admin.is_ready() else "Envoy does not answer"

    def tenants() -> str:
        if known.gateway_status.gateway is None:
            return ""
        if not known.directory.revision:
            return "the gateway does not know its tenants yet"
        if not (known.directory.is_certain and known.site.is_certain):
            return (
                "who may come in is not certain: the disk takes nothing, or has lost what it held"
            )
        return ""

    def manager() -> CheckResult:
        ago = known.clock.heard_seconds_ago
        if ago is None:
            return CheckResult("manager", remark="it was not heard of yet")
        away = f"it was not heard of for {ago:.0f} seconds" if ago > AWAY_SECONDS else ""
        return CheckResult("manager", remark=away)

    return Health(
        {
            "gateway": lambda: gateway_finding(known, outcome()),
            "envoy": envoy,
            "tenants": tenants,
            "disk": BlockingCheck(partial(disk_problem, state)),
            "background jobs": jobs_check(background),
            "manager": manager,
        }
    )


def gateway_finding(known: HostState, outcome: ReconcileResult | None) -> CheckResult:
    """Whether the gateway listens, if there is to be one.

    One that was drained or disabled, and is so, is closed on purpose, also while live tunnels go
    on; that the host service ends, or that the manager has shut it out, is no such purpose.
    """
    name, gateway_status = "gateway", known.gateway_status
    if gateway_status.is_revoked:
        return CheckResult(name, "the manager has shut this host out")
    if gateway_status.gateway is None:
        return CheckResult(name, remark="none is wanted on this host")
    if not gateway_status.is_accepting:
        is_so = outcome is not None and outcome.state in _CLOSED_OR_DRAINING
        is_on_purpose = is_so and not gateway_status.gateway.accepting
        problem = "it is drained or disabled, and takes no new tunnels"
        return CheckResult(name, problem, is_on_purpose=is_on_purpose)
    if outcome is None:
        return CheckResult(name, "whether it listens is not known yet")
    if outcome.state is not GatewayState.LISTENING:
        return CheckResult(name, outcome.reason.rstrip(".") or f"it is {outcome.state.value}")
    return CheckResult(name)
