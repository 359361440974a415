"""Own usage: what did a tenant use in a month, on a page and as a table?"""

from datetime import datetime
from urllib.parse import urlencode

from cloudgate.console.api import Api, Json
from cloudgate.console.declarations import Page, Visit
from cloudgate.console.figures.usage_months import (
    choosable_months,
    chosen_month,
    download,
    month_query,
)
from cloudgate.console.tables import portions, table
from cloudgate.console.tenant.pages import SELF
from cloudgate.console.texts import words as _

WHO = ("Subtenant", "CloudGateway", "Target")
SUMS = ("Tunnels", "BytesUp", "BytesDown")


async def _month(api: Api, month: str, now: datetime) -> list[Json]:
    """What was used in a month, for each who and where; most first."""
    found = await api.get(f"{SELF}/usage?{urlencode(month_query(month, now))}")
    rows: list[Json] = list(found.get("CloudTenantUsages") or ())
    return sorted(rows, key=lambda row: -row["BytesUp"] - row["BytesDown"])


async def load(visit: Visit) -> Json:
    """A month, by UTC."""
    now = visit.now
    month = chosen_month(visit.query.get("month", ""), visit.now)
    rows = await _month(visit.api, month, now)
    return {
        "rows": rows,
        "total": {name: sum(each[name] for each in rows) for name in SUMS},
        "month": month,
        "months": choosable_months(now),
    }


async def load_table(visit: Visit) -> Json:
    """The same, comma-separated (RFC 4180), to the byte."""
    month = chosen_month(visit.query.get("month", ""), visit.now)
    rows = await _month(visit.api, month, visit.now)
    return await download(table((*WHO, *SUMS), portions(rows)), month)


PAGES = (
    Page(
        path="usage",
        title=_("Usage"),
        template="own_usage.html",
        load=load,
        request=f"{SELF}/usage?days=31&total=true",
    ),
    Page(path="usage.csv", title=_("Usage"), template="own_usage.html", load=load_table),
)
