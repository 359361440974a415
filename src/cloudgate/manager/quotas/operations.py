"""Quota operations: what is known of a tenant's quota on a repository, and who is to hear of it?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.audit.events import WARNING, Change, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.quotas import rules
from cloudgate.manager.quotas.rules import QuotaRules, QuotaUse
from cloudgate.manager.storage.tables import CloudTenant, Repository, TenantResource
from cloudgate.network import hostport

REACHED = Event(
    "ReachQuotaLevel",
    "The quota {name} [tenant ID: {owner}] is used up to a level of warning",
    WARNING,
)


def rules_of(repository: Repository) -> QuotaRules:
    """What its provider wants of the quotas on a repository."""
    return rules.from_document(repository.quota_rules)


def use_of(resource: TenantResource) -> QuotaUse | None:
    """How much is used of a quota; None where that was never measured."""
    if resource.used_bytes is None or resource.measured_at is None:
        return None
    return QuotaUse(resource.quota_mb, resource.used_bytes, resource.measured_at)


def warning_of(resource: TenantResource, now: datetime) -> str:
    """What there is to say of the use of a quota; empty for nothing."""
    use = use_of(resource)
    return rules.warning(use, rules_of(resource.repository), now) if use else ""


def host_fields(resource: TenantResource) -> dict[str, Any]:
    """What gateways are told of a quota that is exceeded: members of `protocol.Target`."""
    use, wanted = use_of(resource), rules_of(resource.repository)
    if use is None or not rules.is_full(use, wanted):
        return {}
    endpoint = hostport.known_as(resource.repository.endpoint)
    return {
        "full": rules.full_text(endpoint, use, wanted),
        "full_until": use.trusted_until,
    }


def barred_tenants(work: UnitOfWork, repository: Repository) -> Sequence[UUID]:
    """The tenants whose quotas on a repository are exceeded so that gateways are told."""
    wanted = rules_of(repository)
    if not wanted.enforced:
        return ()
    # As plain rows: there may be thousands.
    rows = work.session.execute(
        select(
            TenantResource.tenant_id,
            TenantResource.quota_mb,
            TenantResource.used_bytes,
            TenantResource.measured_at,
        ).where(TenantResource.repository_id == repository.id)
    )
    return [
        tenant_id
        for tenant_id, quota_mb, used_bytes, measured_at in rows
        if used_bytes is not None
        and measured_at is not None
        and rules.is_full(QuotaUse(quota_mb, used_bytes, measured_at), wanted)
    ]


def keep_use(work: UnitOfWork, resource: TenantResource, used_bytes: int) -> None:
    """Keep what was measured just now. Gateways hear of it as far as it bars somebody, or did."""
    before, told_before = use_of(resource), host_fields(resource)
    resource.used_bytes, resource.measured_at = used_bytes, work.now
    after = use_of(resource)
    wanted = rules_of(resource.repository)
    was_at = rules.level_of(before, wanted) if before else 0
    is_at = rules.level_of(after, wanted) if after else 0
    tenant = work.session.get_one(CloudTenant, resource.tenant_id)
    if is_at > was_at and after is not None:
        _record(work, tenant, resource, is_at, after)
    if host_fields(resource) != told_before:
        work.touch_tenant(tenant)


def _record(
    work: UnitOfWork, tenant: CloudTenant, resource: TenantResource, level: int, use: QuotaUse
) -> None:
    change = Change(
        REACHED,
        "CloudTenantResource",
        object_id=resource.id,
        object_name=resource.name,
        after={
            "Tenant": tenant.name,
            "Percent": level,
            "UsedMb": use.used_mb,
            "QuotaMb": use.quota_mb,
        },
        owner_id=tenant.id,
    )
    record(work, change)
