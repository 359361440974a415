"""Usage: what does the API say of what tenants used? Extensions."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from cloudgate.api.access import PROVIDERS
from cloudgate.api.handlers.common import PAGED
from cloudgate.api.handlers.queries import paging_of, query_of
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Parameter, Route, Routes, shows
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.queries.filter import parse
from cloudgate.manager.queries.pages import Page, Query
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.manager.tenants.operations import TYPE, get_tenant
from cloudgate.manager.usage.held_back import held_back_of
from cloudgate.manager.usage.reading import (
    UsageGrouping,
    UsageRow,
    page_of_usage,
    traffic_by,
    usage_of,
)
from cloudgate.values.identifiers import uid
from cloudgate.values.numbers import whole
from cloudgate.wire.resources.cloud.usage import (
    CloudHeldBackTime,
    CloudHeldBackTimes,
    CloudTenantUsage,
    CloudTenantUsages,
    CloudUsage,
    CloudUsages,
)

USAGE_DAYS = 31
"""How far is looked back unless told otherwise."""
MOST_USAGE_DAYS = 999
TOTAL = "total"
"""Whether the stretches of time are added up."""
FILTER = "filter"
BY = "by"
"""By what all that was used is added up."""


ROUTES = Routes(PROVIDERS)


DAYS = Parameter(
    name="days",
    description="Extension: how many days to look back; 31 when left out.",
    pattern="^[1-9][0-9]{0,2}$",
)


OF_ONE = (
    DAYS,
    Parameter(
        name=TOTAL,
        description="Extension: true to add up what each user used of each gateway and target.",
        values=("true", "false"),
    ),
    Parameter(name=FILTER, description="Extension: which stretches of time, as /cloud/usage's."),
)


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/usage",
        answers=shows(CloudTenantUsages),
        query=OF_ONE,
    )
)
def get_usage(call: Call) -> Answer:
    """What a tenant used in the last days: by minutes, then hours, then days; oldest first."""
    with call.reading() as work:
        return used(call, work, get_tenant(work, call.identifier(TYPE), alone=True))


def used(
    call: Call, work: UnitOfWork, tenant: CloudTenant, *, user_id: UUID | None = None
) -> Answer:
    """The answer that says what a tenant used, or one of its users alone."""
    chosen, total = parse(call.query.get(FILTER, "")), _total(call)
    since = work.now - days_of(call)
    found = usage_of(work, tenant, since, chosen, user_id=user_id, total=total)
    shown = tuple(CloudTenantUsage(**resource_fields(each)) for each in found)
    return Answer(resource=CloudTenantUsages(cloud_tenant_usages=shown))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/heldBack",
        answers=shows(CloudHeldBackTimes),
        query=(DAYS,),
    )
)
def get_held_back(call: Call) -> Answer:
    """When a tenant got less speed than it would have taken: by hours, then days; oldest first."""
    days = days_of(call)
    with call.reading() as work:
        return held_back(call, work, get_tenant(work, call.identifier(TYPE), alone=True), days)


def held_back(call: Call, work: UnitOfWork, tenant: CloudTenant, days: timedelta) -> Answer:
    """The answer that says when a tenant was held back."""
    unwritten = call.manager.figures.held_back.of(tenant.id)
    found = held_back_of(work, tenant, work.now - days, unwritten)
    shown = tuple(
        CloudHeldBackTime(
            begin_time=each.begin,
            minutes=each.minutes,
            limit_seconds=each.limit_seconds,
            share_seconds=each.share_seconds,
        )
        for each in found
    )
    return Answer(resource=CloudHeldBackTimes(cloud_held_back_times=shown))


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/usage",
        answers=shows(CloudUsages),
        query=(
            DAYS,
            Parameter(
                name=TOTAL,
                description="true to add up each tenant's use of each gateway and target.",
                values=("true", "false"),
            ),
            Parameter(
                name=BY,
                description="hour or month, to add up what all used together, in one page.",
                values=tuple(each.value for each in UsageGrouping),
            ),
            *PAGED,
        ),
    )
)
def get_usage_of_all(call: Call) -> Answer:
    """A page of what all tenants used, those included that are not there any more."""
    days, query = days_of(call), query_of(call)
    total = _total(call)
    if BY in call.query:
        return _added_up(call, query, days)
    with call.reading() as work:
        page = page_of_usage(work, query, work.now - days, total=total)
    shown = tuple(
        CloudUsage(
            **resource_fields(each),
            cloud_tenant=each.tenant,
            cloud_tenant_uid=uid(TYPE, each.tenant_id),
        )
        for each in page.rows
    )
    paging = paging_of(call, "/cloud/usage", page)
    return Answer(resource=CloudUsages(cloud_usages=shown, paging_info=paging))


def _added_up(call: Call, query: Query, days: timedelta) -> Answer:
    by = next((each for each in UsageGrouping if each.value == call.query[BY]), None)
    if by is None:
        raise InvalidRequestError(f"{BY}: found {call.query[BY][:50]!r}, expected hour or month.")
    with call.reading() as work:
        found = traffic_by(work, by, query.condition, work.now - days)
    shown = tuple(
        CloudUsage(
            begin_time=each.begin,
            minutes=each.minutes,
            tunnels=each.tunnels,
            bytes_up=each.bytes_up,
            bytes_down=each.bytes_down,
        )
        for each in found
    )
    paging = paging_of(call, "/cloud/usage", Page(shown, 1, max(1, len(shown)), 1))
    return Answer(resource=CloudUsages(cloud_usages=shown, paging_info=paging))


def days_of(call: Call) -> timedelta:
    """How far is to be looked back.

    Raises:
        InvalidRequestError: that is no number of days.
    """
    said = call.query.get("days", str(USAGE_DAYS))
    days = whole(said, 1, MOST_USAGE_DAYS)
    if days is None:
        raise InvalidRequestError(
            f"days: found {said[:50]!r}, expected a number from 1 to {MOST_USAGE_DAYS}."
        )
    return timedelta(days=days)


def _total(call: Call) -> bool:
    said = call.query.get(TOTAL, "false")
    if said.lower() not in ("true", "false"):
        raise InvalidRequestError(f"{TOTAL}: found {said[:50]!r}, expected true or false.")
    return said.lower() == "true"


def resource_fields(used: UsageRow) -> dict[str, Any]:
    """What was used, by the members of its resource."""
    return {
        "begin_time": used.begin,
        "minutes": used.minutes,
        "cloud_gateway": used.gateway,
        "subtenant": used.subtenant,
        "target": used.target,
        "tunnels": used.tunnels,
        "bytes_up": used.bytes_up,
        "bytes_down": used.bytes_down,
    }
