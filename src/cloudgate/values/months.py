"""Months: when does one begin and end, how is it written, and how is it asked for? By UTC. Pure."""

from datetime import UTC, datetime, timedelta

MOST_DAYS = 999
"""How far back usage is told (docs/api.md, usage)."""
MORE_DAYS = 2
"""Asked for besides, where a filter says what is meant: an answer may take past midnight."""


def month_of(moment: datetime) -> str:
    """The month that a moment is in, such as ``2026-11``."""
    there = moment.astimezone(UTC)
    return f"{there.year:04}-{there.month:02}"  # not each system's strftime(3) pads the year


def begin_of(month: str) -> datetime:
    """When a month begins.

    Raises:
        ValueError: it is none such as ``2026-11``.
    """
    return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)


def end_of(month: str) -> datetime:
    """When the next one begins.

    Raises:
        ValueError: as `begin_of`.
    """
    return (begin_of(month) + timedelta(days=31)).replace(day=1)


def last_months(now: datetime, count: int) -> list[str]:
    """The month of now and those before it, the newest first."""
    found = [month_of(now)]
    while len(found) < count:
        found.append(month_of(begin_of(found[-1]) - timedelta(days=1)))
    return found


def days_back(begin: datetime, now: datetime) -> int:
    """How many days of usage to ask for, so that it goes back to a beginning."""
    return min((now - begin) // timedelta(days=1) + 1 + MORE_DAYS, MOST_DAYS)


def within(month: str, field: str = "BeginTime") -> str:
    """What to ask the query service for, so that a time is within a month (docs/api.md, queries).

    Raises:
        ValueError: as `begin_of`.
    """
    begin, end = begin_of(month), end_of(month)
    return f"{field}>={begin:%Y-%m-%dT%H:%M:%SZ};{field}<{end:%Y-%m-%dT%H:%M:%SZ}"
