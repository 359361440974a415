"""Publication of tenants: how do a site's gateways learn what has changed of one, and what ends?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import select

from cloudgate.manager.audit.events import OUTSIDE_ENDED, TUNNELS_ENDED
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, Repository, Subtenant, Task
from cloudgate.manager.tasks import operations as tasks
from cloudgate.network import hostport

_STEP = timedelta(microseconds=1)


def publish(work: UnitOfWork, tenant: CloudTenant, operation: str) -> Task:
    """Have the site's gateways learn what has changed about a tenant."""
    work.touch_tenant(tenant)
    return tasks.start_directory_task(
        work, operation, tenant.backup_server_id, tenant.directory_revision
    )


def end_tunnels(
    work: UnitOfWork, who: CloudTenant | Subtenant, *, only_outside: bool = False
) -> None:
    """Have all tunnels of a tenant or user end that were opened until now; part of a change to it.

    With `only_outside`, those that come from where it may not come from any more.
    """
    moment = _next_end(work, who if isinstance(who, CloudTenant) else who.tenant)
    if only_outside:
        who.outside_end_before = moment
        work.tunnels_ended[who.id] = OUTSIDE_ENDED
        return
    who.tunnels_end_before = moment
    work.tunnels_ended[who.id] = TUNNELS_ENDED
    if isinstance(who, CloudTenant):
        who.target_ends = {}


def ended_now(work: UnitOfWork, who: CloudTenant | Subtenant) -> Mapping[str, Any]:
    """What the audit log says of tunnels that end with a change."""
    return work.tunnels_ended.get(who.id, {})


def end_tunnels_to(work: UnitOfWork, tenant: CloudTenant, repository: Repository) -> None:
    """Have a tenant's tunnels to a repository end, by the name that it has now."""
    endpoint = hostport.known_as(repository.endpoint)
    moment = _next_end(work, tenant).isoformat()
    tenant.target_ends = {**tenant.target_ends, endpoint: moment}


def _next_end(work: UnitOfWork, tenant: CloudTenant) -> datetime:
    """A moment that is later than each at which tunnels of a tenant or its users were ended.

    Hosts compare them, and the newest of them is what a tunnel was opened after. So it is no
    earlier also where the clock has gone back.
    """
    of_users = work.session.execute(
        select(Subtenant.tunnels_end_before, Subtenant.outside_end_before).where(
            Subtenant.tenant_id == tenant.id
        )
    )
    known = [tenant.tunnels_end_before, tenant.outside_end_before, *chain.from_iterable(of_users)]
    known += map(datetime.fromisoformat, tenant.target_ends.values())
    return max([work.now, *(each + _STEP for each in known if each)])
