"""What does the API say of what tenants used? An extension."""

from datetime import timedelta

from cloudgate.api.call import Answer, Call
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.subtenants.operations import list_subtenants
from cloudgate.manager.tenants.operations import TYPE, get_tenant
from cloudgate.manager.usage.operations import usage_of
from cloudgate.wire.resources.usage import CloudTenantUsage, CloudTenantUsages

USAGE_DAYS = 31
"""How far is looked back unless told otherwise."""
MOST_USAGE_DAYS = 999


def get_usage(call: Call) -> Answer:
    """What a tenant used in the last days: by minutes, then hours, then days; oldest first."""
    days = call.query.get("days", str(USAGE_DAYS))
    if not (days.isascii() and days.isdigit() and 0 < int(days) <= MOST_USAGE_DAYS):
        raise InvalidRequestError(
            f"days: found {days[:50]!r}, expected a number from 1 to {MOST_USAGE_DAYS}."
        )
    with call.reading() as work:
        tenant = get_tenant(work, call.identifier(TYPE))
        users = {user.id: user.name for user in list_subtenants(work, tenant)}
        found = usage_of(work, tenant, work.now - timedelta(days=int(days)))
    shown = tuple(
        CloudTenantUsage(
            begin_time=each.at,
            minutes=each.minutes,
            cloud_gateway=each.gateway_name,
            subtenant=users.get(each.subtenant_id) if each.subtenant_id else None,
            target=each.target,
            tunnels=each.tunnels,
            bytes_up=each.bytes_up,
            bytes_down=each.bytes_down,
        )
        for each in found
    )
    return Answer(resource=CloudTenantUsages(cloud_tenant_usages=shown))
