"""Publication of tenants: how do a site's gateways learn what has changed of one, and what ends?"""

from collections.abc import Mapping
from typing import Any

from cloudgate.manager.audit.events import OUTSIDE_ENDED, TUNNELS_ENDED
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, Repository, Subtenant, Task
from cloudgate.manager.tasks import operations as tasks
from cloudgate.network import hostport


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
    if only_outside:
        who.outside_end_before = work.now
        return
    who.tunnels_end_before = work.now
    if isinstance(who, CloudTenant):
        who.target_ends = {}


def ended_now(work: UnitOfWork, who: CloudTenant | Subtenant) -> Mapping[str, Any]:
    """What the audit log says of tunnels that end with a change."""
    if who.tunnels_end_before == work.now:
        return TUNNELS_ENDED
    return OUTSIDE_ENDED if who.outside_end_before == work.now else {}


def end_tunnels_to(work: UnitOfWork, tenant: CloudTenant, repository: Repository) -> None:
    """Have a tenant's tunnels to a repository end, by the name that it has now."""
    endpoint = hostport.known_as(repository.endpoint)
    tenant.target_ends = {**tenant.target_ends, endpoint: work.now.isoformat()}
