"""Usage of a month: which one is meant, what is the API asked for it, and what does it answer?"""

from collections.abc import AsyncIterator
from datetime import datetime

from cloudgate.console.api import Json
from cloudgate.console.tables import with_first_piece
from cloudgate.values import months

_MONTHS = 13


def chosen_month(named: str, now: datetime) -> str:
    """The month that a page is asked for; this one where it names none, or one to come. Pure."""
    this = months.month_of(now)
    try:
        return min(months.month_of(months.begin_of(named)), this)
    except ValueError:
        return this


def choosable_months(now: datetime) -> list[str]:
    """The months that can be chosen, the newest first."""
    return months.last_months(now, _MONTHS)


def month_query(month: str, now: datetime) -> dict[str, str]:
    """What to ask the API for a month: by UTC, as bills are."""
    days = months.days_back(months.begin_of(month), now)
    return {"days": str(days), "total": "true", "filter": months.within(month)}


def used_rows(found: Json) -> list[Json]:
    """What was used, in an answer of the API."""
    return list((found.get("CloudUsages") or {}).get("CloudUsages") or ())


async def download(pieces: AsyncIterator[str], month: str) -> Json:
    """What a browser is to keep as a file: a table of a month."""
    return {
        "download": await with_first_piece(pieces),
        "media_type": "text/csv; charset=utf-8",
        "file": f"usage-{month}.csv",
    }
