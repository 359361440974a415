"""Audit page: who has changed what, from where, and how did it end?"""

import json
from urllib.parse import urlencode

from cloudgate.console.api import Json
from cloudgate.console.declarations import PAGE_SIZE, Page, Visit, paging
from cloudgate.console.texts import NOTHING
from cloudgate.console.texts import words as _

_TEXTS = {"account": "Account", "operation": "Operation", "object": "ObjectName"}


async def load(visit: Visit) -> Json:
    """A page of the audit log, the newest first."""
    given = {name: visit.query.get(name, "").strip() for name in (*_TEXTS, "result", "from")}
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
    return {"rows": rows, "paging": paging(found), "given": given}


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
)
