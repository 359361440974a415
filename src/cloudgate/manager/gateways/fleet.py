"""Fleet: how are all gateways together, and which of them may need a look?

Of a thousand gateways most are well: they are told from the others in the database, and only what
may need a look is read.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.lag import may_be_late
from cloudgate.manager.gateways.operations import state_of
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer
from cloudgate.protocol import GatewayState


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All gateways together."""

    states: Mapping[str, int]
    """How many there are of each state, as `operations.condition_of` calls it."""
    live_tunnels: int
    """By the hosts' last reports."""


def list_gateways_to_look_at(work: UnitOfWork) -> Sequence[CloudGateway]:
    """All gateways, by name, of which `operations.own_warnings_of` may have something to say."""
    servers = select(ManagedServer.id).where(
        or_(
            ManagedServer.reported_state == GatewayState.FAILED,
            may_be_late(work),
        )
    )
    return work.session.scalars(
        select(CloudGateway)
        .where(
            CloudGateway.confirmed.is_not(None),
            or_(
                CloudGateway.reach_warning != "",
                CloudGateway.certificate_warning != "",
                CloudGateway.managed_server_id.in_(servers),
            ),
        )
        .order_by(CloudGateway.name)
    ).all()


def fleet(work: UnitOfWork) -> Fleet:
    """All gateways that are there together; those still being made are not."""
    alike = (
        ManagedServer.online_since.is_not(None),
        func.coalesce(ManagedServer.reported_revision, -1) == ManagedServer.assignment_revision,
        ManagedServer.reported_state,
    )
    rows = work.session.execute(
        select(*alike, func.count(), func.sum(ManagedServer.live_tunnels))
        .join(CloudGateway, CloudGateway.managed_server_id == ManagedServer.id)
        .where(CloudGateway.confirmed.is_not(None))
        .group_by(*alike)
    )
    states: Counter[str] = Counter()
    tunnels = 0
    for is_online, is_done, reported, count, live in rows:
        states[state_of(reported, is_online=is_online, is_done=is_done)] += count
        tunnels += int(live)
    return Fleet(states=states, live_tunnels=tunnels)
