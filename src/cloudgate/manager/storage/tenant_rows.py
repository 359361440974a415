"""Tenant rows: how are many tenants read to be shown? By the columns that are, and no mapped rows.

To map a hundred tenants, and to find that they have no pools, takes three times as long.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, Select, bindparam, select
from sqlalchemy.orm import Session

from cloudgate.manager.storage.tables import (
    BackupServer,
    CloudTenant,
    GatewayPool,
    PoolTenant,
    TenantResource,
)


class Named(NamedTuple):
    """What a thing is called, where nothing else is asked of it."""

    id: UUID
    name: str


class TenantRow(NamedTuple):
    """What is shown of a `CloudTenant`, by the same names."""

    id: UUID
    name: str
    description: str
    enabled: bool
    expires_at: datetime | None
    limits: dict[str, Any] | None
    public_ip_count: int
    backup_protection_enabled: bool
    backup_protection_period: int
    failover_to_others: bool
    networks: list[str] | None
    old_password_until: datetime | None
    old_password_used_at: datetime | None
    egress_month: str
    egress_bytes: int
    may_change_password: bool
    may_use_portal: bool
    may_get_certificates: bool
    last_active_at: datetime | None
    backup_server: Named
    resources: Sequence[TenantResource]
    pools: Sequence[Named]


ShownTenant = CloudTenant | TenantRow
"""A tenant that is only looked at."""
_OF_OTHERS = 3
"""The last fields, which no column of a tenant holds."""
SELECT: Select[Any] = select(
    *(getattr(CloudTenant, name) for name in TenantRow._fields[:-_OF_OTHERS]),
    BackupServer.id,
    BackupServer.name,
).join(CloudTenant.backup_server)
"""What `read` takes, to be narrowed and ordered."""
MOST_IN_A_QUERY = 1000
"""Tenants whose quotas or pools are asked for; databases bound it, at 32,766 and more."""
_TENANTS: BindParameter[Any] = bindparam("tenants", expanding=True)
_RESOURCES = (
    select(TenantResource)
    .where(TenantResource.tenant_id.in_(_TENANTS))
    .order_by(TenantResource.position)
)
_POOLS = (
    select(PoolTenant.tenant_id, GatewayPool.id, GatewayPool.name)
    .join(GatewayPool, GatewayPool.id == PoolTenant.pool_id)
    .where(PoolTenant.tenant_id.in_(_TENANTS))
    .order_by(GatewayPool.name)
)


def read(session: Session, wanted: Select[Any]) -> Sequence[TenantRow]:
    """The tenants that are `wanted`, in that order, with what they have."""
    rows = session.execute(wanted).all()
    resources: dict[UUID, list[TenantResource]] = {}
    pools: dict[UUID, list[Named]] = {}
    for begin in range(0, len(rows), MOST_IN_A_QUERY):
        these = {_TENANTS.key: [row[0] for row in rows[begin : begin + MOST_IN_A_QUERY]]}
        for found in session.scalars(_RESOURCES, these):
            resources.setdefault(found.tenant_id, []).append(found)
        for tenant_id, *pool in session.execute(_POOLS, these):
            pools.setdefault(tenant_id, []).append(Named._make(pool))
    return [
        TenantRow._make(
            (*each, Named(site_id, site), resources.get(each[0], ()), pools.get(each[0], ()))
        )
        for *each, site_id, site in rows
    ]
