"""Whose usage may a host tell of?"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from cloudgate.assignment import Usage
from cloudgate.manager.storage.tables import CloudTenant, ManagedServer, RemovedTenant, Subtenant
from cloudgate.manager.work import Work

_AT_ONCE = 500
"""Ids in one query; SQLite takes a limited number of parameters."""


class Billable:
    """The tenants of a batch that the host may serve, or may have served before it was told."""

    def __init__(self, work: Work, server: ManagedServer, usage: Iterable[Usage]) -> None:
        """Looked up for all lines together."""
        tenants = sorted({each.tenant_id for each in usage})
        users = sorted({each.user_id for each in usage if each.user_id is not None})
        self._tenants: set[UUID] = set()
        for some in _parts(tenants):
            for found in (
                select(CloudTenant.id).where(
                    CloudTenant.backup_server_id == server.backup_server_id,
                    CloudTenant.id.in_(some),
                ),
                select(RemovedTenant.tenant_id).where(
                    RemovedTenant.backup_server_id == server.backup_server_id,
                    RemovedTenant.tenant_id.in_(some),
                ),
            ):
                self._tenants.update(work.session.scalars(found))
        self._tenant_of_user: dict[UUID, UUID] = {}
        for some in _parts(users):
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


def _parts(ids: list[UUID]) -> Iterable[list[UUID]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
