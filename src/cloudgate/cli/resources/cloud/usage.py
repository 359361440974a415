"""Usage command: what did all tenants use, for the bill?"""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.output import Columns, at, exactly
from cloudgate.cli.settings import Output
from cloudgate.client.core.kinds import Json
from cloudgate.client.core.pages import following
from cloudgate.values import months
from cloudgate.values.months import MORE_DAYS, MOST_DAYS
from cloudgate.values.shown_texts import cell

if TYPE_CHECKING:
    from cloudgate.client.core.exchange import Answer

PATH = "/cloud/usage"
LARGEST_PAGE = 10_000
WHO: Columns = {
    "CloudTenant": at("CloudTenant"),
    "Subtenant": at("Subtenant"),
    "CloudGateway": at("CloudGateway"),
    "Target": at("Target"),
}
HOW_MUCH: Columns = {
    "Tunnels": at("Tunnels"),
    "BytesUp": at("BytesUp"),
    "BytesDown": at("BytesDown"),
}
WHEN: Columns = {"BeginTime": at("BeginTime"), "Minutes": at("Minutes")}


def month_named(text: str) -> str:
    """A month, such as 2026-11."""
    try:
        return months.month_of(months.begin_of(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no month such as 2030-12.") from None


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "usage")(usage)


def usage(
    call: Call,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How far to look back.")] = 31,
    month: Annotated[
        str | None,
        typer.Option(
            parser=month_named,
            metavar="YYYY-MM",
            help="This month by UTC, instead of the last days.",
            show_default=False,
        ),
    ] = None,
    detail: Annotated[
        bool, typer.Option("--detail", help="Each minute, hour and day by itself, oldest first.")
    ] = False,
    by_hour: Annotated[
        bool, typer.Option("--by-hour", help="What all used together in each hour, oldest first.")
    ] = False,
    by_month: Annotated[
        bool, typer.Option("--by-month", help="The same in each month, by UTC.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Comma-separated, for spreadsheets.")
    ] = False,
) -> None:
    """Show what all tenants used of the gateways, also those that were removed since."""
    asked = {"days": str(days)} if month is None else _of_month(month, datetime.now(UTC))
    if by_hour and by_month:
        raise typer.BadParameter("Give --by-hour or --by-month, not both.")
    is_together = by_hour or by_month
    if is_together:
        asked["by"] = "hour" if by_hour else "month"
    elif not detail:
        asked["total"] = "true"
    when = WHEN if detail or is_together else {}
    who = {} if is_together else WHO
    uid = {} if is_together else {"CloudTenantUid": at("CloudTenantUid")}
    columns = {**when, **who, **uid, **HOW_MUCH}
    if as_csv:
        _write_csv(call, asked, {name: exactly(name) for name in columns})
        return
    shown = {**when, **who, **HOW_MUCH}
    if call.screen.output is Output.JSON:
        whole = _as_one(pages_of(call, asked))
        call.screen.listing(whole, _rows(whole), shown)
        return
    for answer in pages_of(call, asked):
        call.screen.listing(answer, _rows(answer), shown)


def _rows(answer: "Answer") -> list[Json]:
    return list(answer.body["CloudUsages"]["CloudUsages"] or [])


def pages_of(call: Call, asked: dict[str, str]) -> "Iterator[Answer]":
    """The pages, as large as they may be.

    The API looks back from the moment of each call: what falls out meanwhile would have the next
    page begin too late. So what comes after the first begins where that did.
    """
    page = {**asked, "pageSize": str(LARGEST_PAGE)}
    answer = call.api.get(f"{PATH}?{urlencode(page)}")
    yield answer
    begins = [row["BeginTime"] for row in _rows(answer) if row.get("BeginTime")]
    if begins and "filter" not in asked and "total" not in asked:
        page["filter"] = f"BeginTime>={begins[0]}"
        page["days"] = str(min(int(asked["days"]) + MORE_DAYS, MOST_DAYS))
    number = 1
    while following(answer.body):
        number += 1
        answer = call.api.get(f"{PATH}?{urlencode({**page, 'page': str(number)})}")
        yield answer


def _as_one(pages: "Iterator[Answer]") -> "Answer":
    """All pages as one answer, which is one document; as it came where there is one alone."""
    first, *others = pages
    if not others:
        return first
    rows = [row for each in (first, *others) for row in _rows(each)]
    paging = {"PageNum": 1, "PageSize": len(rows), "PagesCount": 1}
    body = {**first.body, "CloudUsages": {"CloudUsages": rows}, "PagingInfo": paging}
    return replace(first, body=body, text=json.dumps(body))


def _write_csv(call: Call, asked: dict[str, str], columns: Columns) -> None:
    """One table, however many pages it comes in (RFC 4180)."""
    if call.screen.output is Output.JSON:
        raise typer.BadParameter("Give --csv or --output json, not both.")
    table = csv.writer(sys.stdout)
    table.writerow(columns)
    for answer in pages_of(call, asked):
        for row in _rows(answer):
            table.writerow(cell(say(row)) for say in columns.values())


def _of_month(month: str, now: datetime) -> dict[str, str]:
    """What to ask for a month: so many days back that it is in them, and no other."""
    begin = months.begin_of(month)
    if not now - timedelta(days=MOST_DAYS) < begin <= now:
        raise typer.BadParameter(
            f"The month must have begun, at most {MOST_DAYS} days ago.", param_hint="--month"
        )
    return {"days": str(months.days_back(begin, now)), "filter": months.within(month)}
