"""Common parts: what do several of the operator's pages need?"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from urllib.parse import urlencode

from cloudgate.console.api import Api, Json
from cloudgate.console.declarations import (
    Action,
    Choices,
    Field,
    Input,
    Load,
    Offer,
    Offers,
    Values,
    Visit,
    WrongInputError,
    begins_with,
    entities,
    id_of,
    paging,
    query,
)
from cloudgate.console.texts import words as _
from cloudgate.values.numbers import whole

ENTITY = "?format=Entity"
OFFERED = 500
"""Things of a type that a form has to choose from."""
_IN_A_FILTER = 300
"""The API takes 16,384 characters of a filter, and 500 comparisons."""
_LARGEST_NUMBER = 10**15 - 1
_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,20})?")
_MOST_DECIMALS = 15
MOST_COUNTED = 10
"""Gateways of a list that are asked, again and again while it is open."""
_CARRYING = ("Listening", "Draining", "Closed")
DEADLINES: Choices = (
    ("28800", _("8 hours")),
    ("0", _("end them now")),
    ("1800", _("30 minutes")),
    ("7200", _("2 hours")),
    ("86400", _("1 day")),
    ("604800", _("7 days")),
)
DEADLINE = Field(
    name="deadline",
    label=_("Live tunnels may go on for"),
    kind=Input.CHOICE,
    choices=DEADLINES,
)
DESCRIPTION = Field(
    name="description", label=_("Description"), value=lambda thing: thing.get("Description")
)


def drain(values: Values) -> dict[str, str]:
    """The deadline of a form, as the API takes it."""
    return {"drainSeconds": values["deadline"]} if "deadline" in values else {}


def body(**parts: object) -> Json:
    """A body; what is None is left out, and so stays as it is."""
    return {name: value for name, value in parts.items() if value is not None}


def number(values: Values, name: str, label: str) -> int | None:
    """A whole number of a form.

    Raises:
        WrongInputError: it is none.
    """
    said = values.get(name)
    if said is None:
        return None
    found = whole(said, 0, _LARGEST_NUMBER)
    if found is None:
        raise WrongInputError(
            _("%(label)s: '%(said)s' is not a whole number."), label=label, said=said[:50]
        )
    return found


def amount(values: Values, name: str, label: str, unit: int) -> int | None:
    """A number of a form that may have decimals, as so many whole parts of which `unit` make one.

    What is more than none is one part at least.

    Raises:
        WrongInputError: it is no number.
    """
    said = values.get(name)
    if said is None:
        return None
    if not _AMOUNT.fullmatch(said):
        raise WrongInputError(
            _("%(label)s: '%(said)s' is no number such as 1.5."), label=label, said=said[:50]
        )
    return parts_of(said, unit)


def parts_of(text: str, unit: int) -> int:
    """So many whole parts is a decimal number, of which `unit` make one."""
    exact = Fraction(text) * unit
    return max(round(exact), 1 if exact else 0)


def shown_amount(parts: int, unit: int, read: Callable[[str, int], int] = parts_of) -> str:
    """The shortest decimal number that `read` takes for so many parts."""
    for decimals in range(_MOST_DECIMALS + 1):
        whole_part, rest = divmod(round(Fraction(parts * 10**decimals, unit)), 10**decimals)
        text = f"{whole_part}.{rest:0{decimals}}" if decimals else str(whole_part)
        if read(text, unit) == parts:
            break
    return text


def lines(text: str) -> list[str]:
    """What stands in a field of several lines, or with commas between."""
    return [each for each in text.replace(",", " ").split() if each]


def listing(type_: str, array: str) -> Load:
    """Loads a page of a list that can be searched by how names begin."""

    async def load(visit: Visit) -> Json:
        search = visit.query.get("search", "").strip()
        found = await visit.api.get(query(type_, visit, filter_=begins_with(search)))
        return {"rows": entities(found, array), "paging": paging(found), "search": search}

    return load


def choices(type_: str, *, by: str = "UID", none: str = "") -> Offers:
    """Loads what can be chosen of a type; `by` says which parts of a reference stand for it.

    The first by name are offered, and what is chosen now, by its UID.
    """

    async def load(visit: Visit, current: Sequence[str]) -> Offer:
        of_type = f"/query?type={type_}&sortAsc=Name&pageSize={OFFERED}"
        found = await visit.api.get(of_type)
        rows = _references(found)
        known = {str(row.get("UID")) for row in rows}
        others = [each for each in current if each.startswith("urn:") and each not in known]
        for chosen in by_uids(others):
            rows += _references(await visit.api.get(f"{of_type}&{chosen}"))
        said = tuple(
            (" ".join(str(row.get(part)) for part in by.split()), str(row.get("Name")))
            for row in rows
        )
        first = OFFERED if paging(found)["pages"] > 1 else None
        return Offer(((("", none),) if none else ()) + said, first)

    return load


def by_uids(uids: Sequence[str]) -> Iterator[str]:
    """The filters that find things by their UIDs; of many, several."""
    for first in range(0, len(uids), _IN_A_FILTER):
        some = (each.rpartition(":")[2] for each in uids[first : first + _IN_A_FILTER])
        yield urlencode({"filter": ",".join(f"UID=={each}" for each in some)})


def _references(found: Json) -> list[Json]:
    return list((found.get("Refs") or {}).get("Refs") or ())


def removal(
    path: str,
    title: str,
    text: str,
    target: str,
    command: str,
    *,
    back: str,
    draining: bool = False,
    submit: str = _("Delete"),
    subject: str = "",
) -> Action:
    """The action that removes a thing."""
    return Action(
        path=path,
        title=title,
        submit=submit,
        text=text,
        verb="DELETE",
        target=target,
        subject=subject or target + ENTITY,
        command=command,
        fields=(DEADLINE,) if draining else (),
        query=drain,
        back=back,
        dangerous=True,
    )


async def live_tunnels(api: Api, gateways: list[Json]) -> dict[str, list[Json] | None]:
    """The tunnels of a few gateways right now, by the gateways' ids; None where that is not known.

    Hosts are asked then and there.
    """
    asked = [id_of(each) for each in gateways if each.get("State") in _CARRYING]
    said = await asyncio.gather(
        *(api.get_if_there(f"/cloud/gateways/{each}/tunnels") for each in asked)
    )
    return {
        each: None if answer is None else list(answer.get("CloudGatewayTunnels") or ())
        for each, answer in zip(asked, said, strict=True)
    }


async def count_tunnels(api: Api, gateways: list[Json]) -> None:
    """Have gateways show how many tunnels they have now, where that is known soon.

    What hosts report by themselves is half a minute old at most, and stays otherwise.
    """
    if len(gateways) > MOST_COUNTED:
        return
    found = await live_tunnels(api, gateways)
    for each in gateways:
        tunnels = found.get(id_of(each))
        if tunnels is not None:
            each["LiveTunnels"] = len(tunnels)


def resources(found: Json, name: str) -> list[Json]:
    """What a query has found of a type that always comes whole."""
    group = (found.get("Resources") or {}).get(name) or {}
    return list(group.get(name) or ())
