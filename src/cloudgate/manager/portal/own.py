"""Own view: what may a tenant, or one of its users, know of what it has and who came?

A user sees what is its own: neither the tenant's other users nor what is stored together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload, lazyload, load_only

from cloudgate.manager.audit.refusals import GUESS, LOG_ON_TENANT, OUTSIDER
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import (
    external_ip_of,
    is_wanted,
    settings_in_force,
)
from cloudgate.manager.gateways.tunnel_hosts import is_of_site
from cloudgate.manager.quotas import operations as quota_operations
from cloudgate.manager.servers.tenant_scope import NO_POOL, pools_of
from cloudgate.manager.storage.tables import (
    AuditEvent,
    CloudGateway,
    CloudTenant,
    GatewayPool,
    ManagedServer,
    Subtenant,
    TenantResource,
)
from cloudgate.manager.tenants import rotation, rules
from cloudgate.manager.tenants.passwords import Owner
from cloudgate.network import hostport
from cloudgate.values import login_names

OWN_PASSWORD = tuple(each.operation for each in rotation.CHANGED_OWN)
_LOGINS = (LOG_ON_TENANT.operation, GUESS.operation, OUTSIDER.operation, *OWN_PASSWORD)
MOST_LOGINS = 200
_LOOKED_AT = 1000
"""Entries of a tenant that those of one of its users are looked for in."""
MOST_GATEWAYS = 50
"""That are asked for tunnels, or named."""
_ADDRESSES = (
    load_only(
        CloudGateway.name,
        CloudGateway.wanted,
        CloudGateway.confirmed,
        CloudGateway.removing,
        CloudGateway.told_address,
        CloudGateway.pool_id,
    ),
    joinedload(CloudGateway.managed_server)
    .load_only(ManagedServer.local, ManagedServer.facts, ManagedServer.seen_addresses)
    .lazyload(ManagedServer.backup_server),
    joinedload(CloudGateway.pool).load_only(GatewayPool.name).lazyload("*"),
    lazyload(CloudGateway.backup_server),
)
"""What of gateways their addresses are made of: all else of 50 would take most of the time."""


@dataclass(frozen=True, kw_only=True)
class OwnQuota:
    """A quota as its tenant sees it, or a user its part of it."""

    name: str
    endpoint: str
    quota_mb: int | None
    used_mb: int | None = None
    measured_at: datetime | None = None
    is_old: bool | None = None
    """Whether that was more than a day ago."""
    warning: str = ""


def tenant_of(who: Owner) -> CloudTenant:
    """The tenant that somebody is, or is a user of."""
    return who if isinstance(who, CloudTenant) else who.tenant


def quotas(who: Owner, now: datetime) -> tuple[OwnQuota, ...]:
    """What somebody may store, and how much of it is used, as far as that is measured."""
    if isinstance(who, CloudTenant):
        return tuple(_quota(each, now) for each in who.resources)
    part = OwnQuota(
        name=who.quota_name or who.resource.name,
        endpoint=who.resource.repository.endpoint,
        quota_mb=None if who.unlimited else who.quota_mb,
    )
    return (part,)


def _quota(resource: TenantResource, now: datetime) -> OwnQuota:
    use = quota_operations.use_of(resource)
    return OwnQuota(
        name=resource.name,
        endpoint=resource.repository.endpoint,
        quota_mb=resource.quota_mb,
        used_mb=use.used_mb if use else None,
        measured_at=use.measured_at if use else None,
        is_old=not use.is_trusted(now) if use else None,
        warning=quota_operations.warning_of(resource, now),
    )


def gateway_addresses(work: UnitOfWork, tenant: CloudTenant) -> tuple[str, ...]:
    """Host and port of each gateway that a tenant may use, names that lead to several once."""
    usable = pools_of(tenant)
    found: dict[str, None] = {}
    for gateway in _of_site(work, tenant):
        if (gateway.pool_id or NO_POOL) in usable and is_wanted(gateway):
            pool = gateway.pool.name if gateway.pool else ""
            host = work.dns.of_pool(pool) or external_ip_of(gateway)
            found[hostport.join(host, settings_in_force(gateway).external_port)] = None
            if len(found) == MOST_GATEWAYS:
                break
    return tuple(found)


def _of_site(work: UnitOfWork, tenant: CloudTenant) -> Iterator[CloudGateway]:
    """Those that are there, by name, read as far as somebody looks: a site may have thousands."""
    query = select(CloudGateway).where(*is_of_site(tenant)).order_by(CloudGateway.name)
    for before in count(0, MOST_GATEWAYS):
        some = query.options(*_ADDRESSES).offset(before).limit(MOST_GATEWAYS)
        found = work.session.scalars(some).all()
        yield from found
        if len(found) < MOST_GATEWAYS:
            return


def logins(work: UnitOfWork, who: Owner) -> Sequence[AuditEvent]:
    """Who came lately by somebody's name, or that of its users; the latest first.

    What operators did is not in it.
    """
    tenant = tenant_of(who)
    users = select(Subtenant.id).where(Subtenant.tenant_id == tenant.id)
    found = work.session.scalars(
        select(AuditEvent)
        .where(
            AuditEvent.operation.in_(_LOGINS),
            or_(AuditEvent.object_id == tenant.id, AuditEvent.object_id.in_(users)),
        )
        .order_by(AuditEvent.number.desc())
        .limit(MOST_LOGINS if isinstance(who, CloudTenant) else _LOOKED_AT)
    )
    if isinstance(who, CloudTenant):
        return found.all()
    return [each for each in found if _is_of(each, who)][:MOST_LOGINS]


def _is_of(event: AuditEvent, who: Subtenant) -> bool:
    if event.object_id == who.id:
        return True
    user = login_names.read(event.object_name).user
    return user is not None and rules.login(user) == who.login
