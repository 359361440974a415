"""Reachability: which gateways are to be dialled again, to see whether tenants reach them?

A router that was mended, or whose rule was lost, says nothing: nobody hears of it but who dials.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import condition_of
from cloudgate.manager.host_protocol.gateway_progress import (
    ReachabilityCheck,
    keep_finding,
    reachability_check_of,
)
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer
from cloudgate.manager.tasks.operations import running_gateway_task
from cloudgate.protocol import GatewayState

USUAL_INTERVAL = timedelta(minutes=10)
WARNED_INTERVAL = timedelta(minutes=1)
"""While it is not reached."""
LONGEST_SHARE = 1.25
"""Of an interval, after which it is dialled again."""


def due_at(last: datetime, share: float, *, warned: bool) -> datetime:
    """When a gateway is to be dialled again.

    `share`, around 1, stretches the interval, so that not all gateways are dialled at once.
    """
    return last + (WARNED_INTERVAL if warned else USUAL_INTERVAL) * share


def listening_gateways(
    work: UnitOfWork, has_reported: Callable[[UUID], bool]
) -> Mapping[UUID, bool]:
    """The gateways that listen as they are wanted to, each with whether it is warned of.

    `has_reported`: whether this manager has heard so from a managed server itself. What an earlier
    one has written down may be over: the machine may be starting, too, and listen in a moment.
    """
    rows = work.session.execute(
        select(CloudGateway.id, CloudGateway.reach_warning, ManagedServer.id)
        .join(ManagedServer, ManagedServer.id == CloudGateway.managed_server_id)
        .where(
            CloudGateway.confirmed.is_not(None),
            CloudGateway.removing.is_(False),
            ManagedServer.online_since.is_not(None),
            ManagedServer.reported_revision == ManagedServer.assignment_revision,
            ManagedServer.reported_state == GatewayState.LISTENING,
        )
    )
    return {
        gateway_id: bool(warning)
        for gateway_id, warning, server_id in rows
        if has_reported(server_id)
    }


def reachability_recheck_of(work: UnitOfWork, gateway_id: UUID) -> ReachabilityCheck | None:
    """Where to dial a gateway that listens; None when it does not, or a task dials it anyway."""
    gateway = work.session.get(CloudGateway, gateway_id)
    if gateway is None or gateway.removing or condition_of(gateway) != "Listening":
        return None
    return None if running_gateway_task(work, gateway_id) else reachability_check_of(work, gateway)


def has_news(work: UnitOfWork, reach: ReachabilityCheck, warning: str) -> bool:
    """Whether `record_reachability` has something to write."""
    gateway = work.session.get(CloudGateway, reach.gateway_id)
    if gateway is None:
        return False
    is_new_there = not warning and gateway.reached_address != reach.where
    return (gateway.reach_warning != warning or is_new_there) and reachability_recheck_of(
        work, reach.gateway_id
    ) == reach


def record_reachability(work: UnitOfWork, reach: ReachabilityCheck, warning: str) -> bool:
    """Keep why a gateway is not reached, or that it is; unless it has changed meanwhile.

    Returns whether its warning is another one now.
    """
    gateway = work.session.get(CloudGateway, reach.gateway_id)
    if gateway is None or not has_news(work, reach, warning):
        return False
    before = gateway.reach_warning
    keep_finding(gateway, reach, warning)
    return warning != before


def note_reached(work: UnitOfWork, reach: ReachabilityCheck) -> None:
    """Keep where a gateway was reached, unless it has changed meanwhile; its warning stays."""
    gateway = work.session.get(CloudGateway, reach.gateway_id)
    if gateway is not None and reachability_check_of(work, gateway) == reach:
        gateway.reached_address = reach.where
