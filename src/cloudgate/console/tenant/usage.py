"""Own usage: what did a tenant use in a month, on a page and as a table?"""

import csv
import io
from datetime import datetime, timedelta

from cloudgate.console.api import Api, Json
from cloudgate.console.declarations import Page, Visit
from cloudgate.console.operator.usage import asked, download, last_months, month_of
from cloudgate.console.tenant.pages import SELF
from cloudgate.console.texts import words as _

WHO = ("Subtenant", "CloudGateway", "Target")
SUMS = ("Tunnels", "BytesUp", "BytesDown")


def added_up(used: list[Json], begin: datetime) -> list[Json]:
    """What was used in the month that begins then, for each who and where; most first."""
    end = (begin + timedelta(days=31)).replace(day=1)
    sums: dict[tuple[str, ...], Json] = {}
    for each in used:
        if not begin <= datetime.fromisoformat(str(each["BeginTime"])) < end:
            continue
        who = tuple(str(each.get(name) or "") for name in WHO)
        total = sums.setdefault(who, {**dict(zip(WHO, who, strict=True)), **dict.fromkeys(SUMS, 0)})
        for name in SUMS:
            total[name] += int(each.get(name) or 0)
    return sorted(sums.values(), key=lambda row: -row["BytesUp"] - row["BytesDown"])


async def _month(api: Api, begin: datetime, now: datetime) -> list[Json]:
    found = await api.get(f"{SELF}/usage?days={asked(begin, now)['days']}")
    return added_up(list(found.get("CloudTenantUsages") or ()), begin)


async def load(visit: Visit) -> Json:
    """A month, by UTC."""
    now = visit.now
    begin = month_of(visit.query.get("month", ""), now)
    rows = await _month(visit.api, begin, now)
    return {
        "rows": rows,
        "total": {name: sum(each[name] for each in rows) for name in SUMS},
        "month": f"{begin:%Y-%m}",
        "months": last_months(now),
    }


async def load_table(visit: Visit) -> Json:
    """The same, comma-separated (RFC 4180), to the byte."""
    now = visit.now
    begin = month_of(visit.query.get("month", ""), now)
    written = io.StringIO()
    table = csv.DictWriter(written, (*WHO, *SUMS))
    table.writeheader()
    table.writerows(await _month(visit.api, begin, now))
    return download(written.getvalue(), begin)


PAGES = (
    Page(
        path="usage",
        title=_("Usage"),
        template="own_usage.html",
        load=load,
        request=f"{SELF}/usage?days=31",
    ),
    Page(path="usage.csv", title=_("Usage"), template="own_usage.html", load=load_table),
)
