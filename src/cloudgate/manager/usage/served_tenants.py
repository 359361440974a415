"""Served tenants: of whose tunnels may a host tell, as its gateways may have let them in?"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.servers.tenant_scope import all_periods, pools_of, stays_of
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import CloudTenant, ManagedServer, RemovedTenant, Subtenant
from cloudgate.protocol import Usage


class ServedTenants:
    """The tenants of a batch that the host may serve, or may have served before it was told."""

    def __init__(self, work: UnitOfWork, server: ManagedServer, usage: Iterable[Usage]) -> None:
        """Looked up for all lines together."""
        lines = tuple(usage)
        self._tenants = ever_served(work, server, (each.tenant_id for each in lines))
        self._tenant_of_user: dict[UUID, UUID] = {}
        users = {each.user_id for each in lines if each.user_id is not None}
        for some in id_batches(sorted(users)):
            rows = work.session.execute(
                select(Subtenant.id, Subtenant.tenant_id).where(Subtenant.id.in_(some))
            )
            self._tenant_of_user.update({row.id: row.tenant_id for row in rows})

    def why_not(self, usage: Usage) -> str:
        """Why a line cannot be true; empty when it may be."""
        if usage.tenant_id not in self._tenants:
            return "the tenant is none that this host has ever served"
        if usage.user_id is None:
            return ""
        if self._tenant_of_user.get(usage.user_id, usage.tenant_id) != usage.tenant_id:
            return "the user is another tenant's"
        return ""


def ever_served(
    work: UnitOfWork, server: ManagedServer, tenant_ids: Iterable[UUID]
) -> frozenset[UUID]:
    """Those of the tenants that gateways of a server could ever let in, also if they are gone."""
    wanted, periods = set(tenant_ids), all_periods(server)
    current: dict[UUID, frozenset[UUID]] = {}
    for some in id_batches(sorted(wanted)):
        tenants = select(CloudTenant).where(
            CloudTenant.backup_server_id == server.backup_server_id, CloudTenant.id.in_(some)
        )
        current.update({each.id: pools_of(each) for each in work.session.scalars(tenants)})
    removed = {
        tenant_id
        for some in id_batches(sorted(wanted - set(current)))
        for tenant_id in work.session.scalars(
            select(RemovedTenant.tenant_id).where(
                RemovedTenant.backup_server_id == server.backup_server_id,
                RemovedTenant.tenant_id.in_(some),
            )
        )
    }
    stays = stays_of(work, removed, current)
    return frozenset(
        tenant_id
        for tenant_id in {*current, *removed}
        if any(each.overlaps(stays.get(tenant_id, {}).get(each.pool_id)) for each in periods)
    )
