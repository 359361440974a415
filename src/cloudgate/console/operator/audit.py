"""Audit page: how is the audit log searched, shown, and kept as a file?"""

import json
from collections.abc import AsyncIterator
from urllib.parse import urlencode

from cloudgate.console.api import Json
from cloudgate.console.declarations import PAGE_SIZE, Page, Visit, paging
from cloudgate.console.tables import AT_ONCE, table, with_first_piece
from cloudgate.console.texts import NOTHING
from cloudgate.console.texts import words as _

_TEXTS = {"account": "Account", "operation": "Operation", "object": "ObjectName"}
COLUMNS = (
    "Number", "Time", "Account", "Address", "Code", "Severity", "Operation", "Text", "ObjectType",
    "ObjectId", "ObjectName", "Success", "Message", "Before", "After", "Hash",
)  # fmt: skip


def _given(visit: Visit) -> dict[str, str]:
    return {name: visit.query.get(name, "").strip() for name in (*_TEXTS, "result", "from")}


async def load(visit: Visit) -> Json:
    """A page of the audit log, the newest first."""
    given = _given(visit)
    found = await visit.api.get(
        "/audit?"
        + urlencode(
            {
                "sortDesc": "Number",
                "pageSize": PAGE_SIZE,
                "page": visit.number,
                "filter": condition(given),
            }
        )
    )
    rows = list((found.get("AuditEvents") or {}).get("AuditEvents") or ())
    for row in rows:
        row["Differences"] = differences(row.get("Before"), row.get("After"))
    asked = urlencode({name: value for name, value in given.items() if value})
    return {"rows": rows, "paging": paging(found), "given": given, "asked": asked}


async def load_table(visit: Visit) -> Json:
    """All entries that fit, the oldest first, comma-separated (RFC 4180)."""
    file = {"media_type": "text/csv; charset=utf-8", "file": "audit.csv"}
    return {"download": await with_first_piece(table(COLUMNS, _entries(visit))), **file}


async def load_objects(visit: Visit) -> Json:
    """The same, as the API says them: an array of JSON."""
    file = {"media_type": "application/json", "file": "audit.json"}
    return {"download": await with_first_piece(_objects(_entries(visit))), **file}


async def _entries(visit: Visit) -> AsyncIterator[list[Json]]:
    """The entries that fit, some at a time; what comes meanwhile moves none of them."""
    fitting = condition(_given(visit))
    last, size = 0, AT_ONCE
    while size == AT_ONCE:
        wanted = ";".join(each for each in (fitting, f"Number>{last}") if each)
        asked = {"sortAsc": "Number", "pageSize": AT_ONCE, "filter": wanted}
        found = await visit.api.get(f"/audit?{urlencode(asked)}")
        rows = list((found.get("AuditEvents") or {}).get("AuditEvents") or ())
        size = len(rows)
        yield rows
        last = rows[-1]["Number"] if rows else last


async def _objects(entries: AsyncIterator[list[Json]]) -> AsyncIterator[str]:
    before = "["
    async for rows in entries:
        yield "".join(
            f"{before if number == 0 else ','}\n"
            + json.dumps({name: row.get(name) for name in COLUMNS}, ensure_ascii=False)
            for number, row in enumerate(rows)
        ) or (before if before == "[" else "")
        before = ","
    yield "\n]\n"


def condition(given: dict[str, str]) -> str:
    """The filter that is meant by what was filled in."""
    parts = [
        f'{field}=="{given[name].replace(chr(34), chr(34) * 2)}"'
        for name, field in _TEXTS.items()
        if given.get(name)
    ]
    if given.get("result") in ("true", "false"):
        parts.append(f"Success=={given['result']}")
    if given.get("from"):
        parts.append(f'Time>="{given["from"][:10]}T00:00:00Z"')
    return ";".join(parts)


def differences(before: str | None, after: str | None) -> list[tuple[str, str, str]]:
    """What differed, and how: name, before, after."""
    old, new = (_read(each) for each in (before, after))
    return [(name, _shown(old.get(name)), _shown(new.get(name))) for name in sorted({*old, *new})]


def _read(text: str | None) -> Json:
    if not text:
        return {}
    said = json.loads(text)
    return said if isinstance(said, dict) else {"": said}


def _shown(value: object) -> str:
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


PAGES = (
    Page(
        path="audit",
        title=_("Audit log"),
        template="audit.html",
        load=load,
        command="audit verify",
        request="/audit?sortDesc=Number",
    ),
    Page(path="audit.csv", title=_("Audit log"), template="audit.html", load=load_table),
    Page(path="audit.json", title=_("Audit log"), template="audit.html", load=load_objects),
)
