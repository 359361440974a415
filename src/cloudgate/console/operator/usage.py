"""Usage pages: what did tenants use in a month, on a page and as a table for the bill?"""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

from cloudgate.console.api import Json
from cloudgate.console.declarations import PAGE_SIZE, Page, Visit, paging
from cloudgate.console.figures.usage_months import (
    choosable_months,
    chosen_month,
    download,
    month_query,
    used_rows,
)
from cloudgate.console.tables import portions, table
from cloudgate.console.texts import words as _

COLUMNS = (
    "CloudTenant", "Subtenant", "CloudGateway", "Target", "CloudTenantUid", "Tunnels", "BytesUp",
    "BytesDown",
)  # fmt: skip
_LARGEST_PAGE = 10_000


async def load(visit: Visit) -> Json:
    """A page of what all tenants used in a month."""
    now = visit.now
    month = chosen_month(visit.query.get("month", ""), visit.now)
    what = {
        **month_query(month, now),
        "pageSize": PAGE_SIZE,
        "page": visit.number,
        "sortDesc": "BytesUp",
    }
    found = await visit.api.get(f"/cloud/usage?{urlencode(what)}")
    return {
        "rows": used_rows(found),
        "paging": paging(found),
        "month": month,
        "months": choosable_months(now),
    }


async def load_table(visit: Visit) -> Json:
    """All of a month, comma-separated (RFC 4180)."""
    month = chosen_month(visit.query.get("month", ""), visit.now)
    return await download(table(COLUMNS, _month(visit, month)), month)


async def _month(visit: Visit, month: str) -> AsyncIterator[list[Json]]:
    # The API adds a month up for each page of it: pages are as large as it lets them be.
    number, pages = 1, 1
    while number <= pages:
        what = {**month_query(month, visit.now), "pageSize": _LARGEST_PAGE, "page": number}
        found = await visit.api.get(f"/cloud/usage?{urlencode(what)}")
        async for rows in portions(used_rows(found)):
            yield rows
        pages = int((found.get("PagingInfo") or {}).get("PagesCount") or 1)
        number += 1


PAGES = (
    Page(
        path="usage",
        title=_("Usage"),
        template="usage.html",
        load=load,
        command="usage --month YYYY-MM",
        request="/cloud/usage?days=31&total=true",
    ),
    Page(path="usage.csv", title=_("Usage"), template="usage.html", load=load_table),
)
