"""Egress: how much has a tenant brought back in a month, and what follows from that?

Months are those of UTC. Counted is what gateways count for the bill.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, Usage
from cloudgate.manager.storage.tenant_rows import ShownTenant
from cloudgate.manager.tenants import limits
from cloudgate.values.months import begin_of, end_of, month_of
from cloudgate.values.units import MB

REACHED = Event(
    "ReachEgressLevel",
    "The egress quota of {name} [{id}] is used up to a level of warning",
    WARNING,
)
LEVELS = (80, 95, 100)
"""Percent of the quota that are a warning."""
_FULL = 100


def used_bytes(tenant: ShownTenant, now: datetime) -> int:
    """What it has brought back in the month of now."""
    return tenant.egress_bytes if tenant.egress_month == month_of(now) else 0


def used_mb(tenant: ShownTenant, now: datetime) -> int:
    """The same in MB, rounded up."""
    return -(-used_bytes(tenant, now) // MB)


def level_of(tenant: ShownTenant, now: datetime) -> int:
    """The highest level that it has reached of its quota; 0 for none, or without a quota."""
    quota_mb = limits.from_document(tenant.limits).egress_quota_mb
    if not quota_mb:
        return 0
    percent = used_bytes(tenant, now) * _FULL // (quota_mb * MB)
    return max((each for each in LEVELS if percent >= each), default=0)


def warning(tenant: ShownTenant, now: datetime) -> str:
    """What there is to say of it to an operator; empty for nothing."""
    level = level_of(tenant, now)
    if not level:
        return ""
    known = limits.from_document(tenant.limits)
    said = (
        f"{level} % of the egress quota of {month_of(now)} are used: {used_mb(tenant, now)} MB were"
        f" brought back of {known.egress_quota_mb} MB."
    )
    is_hard = level == _FULL and known.egress_quota_hard
    return f"{said} New tunnels may only send data." if is_hard else said


def host_fields(tenant: CloudTenant) -> dict[str, Any]:
    """What gateways are told of a hard quota that is used up: members of `protocol.Tenant`."""
    known = limits.from_document(tenant.limits)
    month, quota_mb = tenant.egress_month, known.egress_quota_mb
    if not month or not quota_mb or not known.egress_quota_hard:
        return {}
    if tenant.egress_bytes < quota_mb * MB:
        return {}
    end = end_of(month)
    return {
        # Without what is used by now: it would be told anew with each batch.
        "egress_full": (
            f"The tenant's egress quota of {month} is used up: all of {quota_mb} MB were brought"
            f" back. Data may only be sent until {end:%Y-%m-%d} (UTC); ask the provider for more."
        ),
        "egress_full_until": end,
    }


def count(work: UnitOfWork, tenant: CloudTenant, bytes_down: int) -> None:
    """Count what it has brought back in this month; `Usage` has it already.

    Gateways hear of it when a hard quota is used up by that.
    """
    before, told_before = level_of(tenant, work.now), host_fields(tenant)
    month = month_of(work.now)
    if tenant.egress_month == month:
        tenant.egress_bytes += bytes_down
    else:
        query = select(func.sum(Usage.bytes_down)).where(
            Usage.tenant_id == tenant.id, Usage.at >= begin_of(month)
        )
        tenant.egress_month, tenant.egress_bytes = month, int(work.session.scalar(query) or 0)
    level = level_of(tenant, work.now)
    if level > before:
        known = limits.from_document(tenant.limits)
        reached = {
            "Percent": level,
            "UsedEgressMb": used_mb(tenant, work.now),
            "EgressQuotaMb": known.egress_quota_mb,
            "Month": month,
        }
        record(work, change_to(tenant, "CloudTenant", REACHED, after=reached))
    if host_fields(tenant) != told_before:
        work.touch_tenant(tenant)
