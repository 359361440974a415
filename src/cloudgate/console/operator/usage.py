"""Usage pages: what did tenants use in a month, on a page and as a table for the bill?"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from cloudgate.console.api import Json
from cloudgate.console.declarations import PAGE_SIZE, Page, Visit, paging
from cloudgate.console.tables import portions, table, with_first_piece
from cloudgate.console.texts import words as _

MOST_DAYS = 999
COLUMNS = (
    "CloudTenant", "Subtenant", "CloudGateway", "Target", "CloudTenantUid", "Tunnels", "BytesUp",
    "BytesDown",
)  # fmt: skip
_LARGEST_PAGE = 10_000
_MONTHS = 13


def month_of(text: str, now: datetime) -> datetime:
    """The beginning of a month; of this one where the text names none."""
    try:
        begin = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        begin = now
    return (min(begin, now)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_query(begin: datetime, now: datetime) -> dict[str, str]:
    """What to ask the API for a month: by UTC, as bills are."""
    # Two more than there are: an answer may take past midnight, and the filter says what is meant.
    days = min((now - begin) // timedelta(days=1) + 3, MOST_DAYS)
    end = (begin + timedelta(days=31)).replace(day=1)
    return {
        "days": str(days),
        "total": "true",
        "filter": f"BeginTime>={begin:%Y-%m-%dT%H:%M:%SZ};BeginTime<{end:%Y-%m-%dT%H:%M:%SZ}",
    }


def last_months(now: datetime) -> list[str]:
    """The months that can be chosen, the newest first."""
    found, each = [], now.replace(day=1)
    for _number in range(_MONTHS):
        found.append(f"{each:%Y-%m}")
        each = (each - timedelta(days=1)).replace(day=1)
    return found


def used_rows(found: Json) -> list[Json]:
    """What was used, in an answer of the API."""
    return list((found.get("CloudUsages") or {}).get("CloudUsages") or ())


async def download(pieces: AsyncIterator[str], begin: datetime) -> Json:
    """What a browser is to keep as a file: a table of the month that begins then."""
    return {
        "download": await with_first_piece(pieces),
        "media_type": "text/csv; charset=utf-8",
        "file": f"usage-{begin:%Y-%m}.csv",
    }


async def load(visit: Visit) -> Json:
    """A page of what all tenants used in a month."""
    now = visit.now
    begin = month_of(visit.query.get("month", ""), now)
    what = {
        **month_query(begin, now),
        "pageSize": PAGE_SIZE,
        "page": visit.number,
        "sortDesc": "BytesUp",
    }
    found = await visit.api.get(f"/cloud/usage?{urlencode(what)}")
    return {
        "rows": used_rows(found),
        "paging": paging(found),
        "month": f"{begin:%Y-%m}",
        "months": last_months(now),
    }


async def load_table(visit: Visit) -> Json:
    """All of a month, comma-separated (RFC 4180)."""
    begin = month_of(visit.query.get("month", ""), visit.now)
    return await download(table(COLUMNS, _month(visit, begin)), begin)


async def _month(visit: Visit, begin: datetime) -> AsyncIterator[list[Json]]:
    # The API adds a month up for each page of it: pages are as large as it lets them be.
    number, pages = 1, 1
    while number <= pages:
        what = {**month_query(begin, visit.now), "pageSize": _LARGEST_PAGE, "page": number}
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
