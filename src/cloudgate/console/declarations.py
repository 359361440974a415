"""Declarations: what are pages and actions made of?

A page asks the API and has a template; an action is a form, which becomes one call of the API. Both
say how the same is done by a command and by a request.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode

from cloudgate.console.api import Api, Json
from cloudgate.console.languages import SOURCE, Language
from cloudgate.values.numbers import whole

Values = Mapping[str, str]
"""What a form was filled with; what was left empty is not there."""
PAGE_SIZE = 50
_LAST_PAGE = 999_999


class WrongInputError(ValueError):
    """A form was filled with what the field that is called `label` does not take."""

    def __init__(self, text: str, *, label: str = "", said: str = "") -> None:
        """`text` may have ``%(label)s`` and ``%(said)s``, and is to be translated as it is."""
        super().__init__(text)
        self._text, self._label, self._said = text, label, said

    def message_in(self, language: Language) -> str:
        """What is wrong, in a language."""
        return language.text(self._text) % {
            "label": language.text(self._label),
            "said": self._said,
        }


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request for a page: by whom, and for what."""

    api: Api
    now: datetime
    """By the manager's clock."""
    path: Mapping[str, str]
    """What stands for the variables of the page's path."""
    query: Mapping[str, str]
    form: Mapping[str, list[str]] = field(default_factory=dict)
    """What was sent, where something was; each field may come several times."""
    language: Language = SOURCE
    is_news: bool = False
    """Whether it is for what is new on a page that is open, and for nothing else of it."""

    @property
    def number(self) -> int:
        """Which page of the list is wanted."""
        return self.number_of("page")

    def number_of(self, name: str) -> int:
        """Which page is wanted of one of several lists, by what its number is called."""
        return whole(self.query.get(name, ""), 0, _LAST_PAGE) or 1


Load = Callable[[Visit], Awaitable[Json]]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What can be looked at."""

    path: str
    """Below the console, with variables in braces."""
    title: str
    template: str
    load: Load
    """What the template shows; asked for again and again while a live page is open."""
    live: bool = False
    section: str = ""
    """The entry of the navigation that it belongs to; the first part of the path when empty."""
    command: str = ""
    """What shows the same, after ``cloudgate``."""
    request: str = ""
    """What the same is asked for by, below ``/api``."""
    besides: str = ""
    """What else it asks for, where fewer may ask for that."""


class Input(Enum):
    """What a field of a form is."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"
    """A number that may have decimals."""
    PASSWORD = "password"  # noqa: S105  a kind of field
    DATE = "date"
    """A day of UTC; a moment with its time where it is filled with one."""
    LONG = "long"
    CHOICE = "choice"
    SEVERAL = "several"
    YES = "yes"
    HIDDEN = "hidden"
    """What another page has put there."""


Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Offer:
    """What a form has to choose from."""

    choices: Choices
    first: int | None = None
    """How many these are by name, besides what is chosen now; None where they are all there are."""


Offers = Callable[[Visit, Sequence[str]], Awaitable[Offer]]
"""Gets what is chosen now, which is offered in any case."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a form."""

    name: str
    label: str
    kind: Input = Input.TEXT
    hint: str = ""
    required: bool = False
    choices: Choices | Offers = ()
    value: Callable[[Json], Any] | str = ""
    """What it is filled with to begin with: of the thing that is changed."""
    example: str = ""


@dataclass(frozen=True, kw_only=True)
class Action:
    """What can be done: a form, and the call that it becomes."""

    path: str
    title: str
    submit: str
    verb: str
    target: str
    """The call's path below ``/api``, with the variables of `path`."""
    command: str
    """What does the same, after ``cloudgate``; ``{Name}`` is the thing's."""
    text: str = ""
    """What follows of it."""
    fields: tuple[Field, ...] = ()
    body: Callable[[Visit, Values], Json | None] = lambda _visit, _values: None
    edits: bool = False
    """Whether it changes what its fields show. Then nothing is said of what was left as it was
    shown, and a field that is emptied has to have a meaning."""
    together: tuple[frozenset[str], ...] = ()
    """Members of the body that are said together or not at all, where it edits."""
    keeps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What no field shows of a member that the API takes whole: it stays as long as the Method
    does."""
    query: Callable[[Values], dict[str, str]] = lambda _values: {}
    subject: str = ""
    """Where the thing that it is done to is shown, below ``/api``."""
    pick: Callable[[Visit, Json], Json] = lambda _visit, found: found
    """Of what is shown there, the thing itself; its Name says which one it is."""
    back: str = ""
    """Where to go when there is no task to look at, or when somebody thinks better of it."""
    dangerous: bool = False
    makes_password: bool = False
    """Whether a password is made where none is given, and shown once."""
    rotates: bool = False
    """Whether it replaces a password of the subject that stays good for a time, and no other that
    was made since the form was shown."""
    shown: str = ""
    """The template that shows what comes back, once."""
    by_own_password: bool = False
    """Whether the call shows the password in the field of that name, beside whose it is: the Name
    of the subject. The API takes no session's word for it."""
    by_task: bool = True
    """Whether who did it may look at the task that it began."""


def filled(template: str, values: Mapping[str, str]) -> str:
    """A path with its variables, which cannot be anything but one part of it."""
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    return template


def query(
    type_: str, visit: Visit, *, sort: str = "Name", down: bool = False, filter_: str = ""
) -> str:
    """The path of a page of a query."""
    asked = {
        "type": type_,
        "format": "Entities",
        "sortDesc" if down else "sortAsc": sort,
        "pageSize": str(PAGE_SIZE),
        "page": str(visit.number),
        **({"filter": filter_} if filter_ else {}),
    }
    return f"/query?{urlencode(asked)}"


def begins_with(text: str) -> str:
    """The filter for names that begin with a text; empty for all."""
    if not text:
        return ""
    low, high = (each.replace('"', '""') for each in (text, text + "\U0010fffd"))
    return f'Name>="{low}";Name<"{high}"'


def entities(found: Json, name: str) -> list[Json]:
    """What a query has found."""
    group = (found.get("Entities") or {}).get(name) or {}
    rows = group.get(name) if isinstance(group, dict) else group
    return list(rows or ())


def paging(found: Json) -> Json:
    """Which page of how many it is."""
    said = found.get("PagingInfo") or {}
    return {"number": said.get("PageNum") or 1, "pages": said.get("PagesCount") or 1}


def paged(visit: Visit, rows: Sequence[Any], name: str, size: int = PAGE_SIZE) -> Json:
    """A page of a list of which the API says all at once, and where its others are.

    Args:
        visit: the request, which says which page.
        rows: all of the list.
        name: what the page's number is called in the query: each list of a page has its own.
        size: of a page.
    """
    pages = max(1, -(-len(rows) // size))
    number = min(visit.number_of(name), pages)
    others = {asked: value for asked, value in visit.query.items() if asked != name}
    return {
        "rows": rows[(number - 1) * size : number * size],
        "count": len(rows),
        "number": number,
        "pages": pages,
        "name": name,
        "others": f"&{urlencode(others)}" if others else "",
    }


def id_of(thing: Json) -> str:
    """The bare id of a thing."""
    said = str(thing.get("UID") or thing.get("Id") or thing.get("Href") or "")
    return said.replace("/", ":").rpartition(":")[2].partition("?")[0]
