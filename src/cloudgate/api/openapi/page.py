"""OpenAPI page: how does a person read the document? By the console's template, in English."""

import html
import re
from functools import partial

from markupsafe import Markup

from cloudgate.api.openapi.schemas import NOTHING
from cloudgate.api.openapi.values import Json
from cloudgate.console.brand import Brand
from cloudgate.console.languages import LANGUAGES
from cloudgate.console.rendering import rendered

LONGEST_SEARCH = 100
"""Characters of what is searched for that are looked at."""
_CODE = re.compile(r"`([^`]+)`")
_Operation = tuple[str, str, Json]
"""Verb, path, and what the document says."""


def page(document: Json, root: str, here: str = "", search: str | None = None) -> str:
    """The page that shows an OpenAPI document.

    Args:
        document: what it shows.
        root: the way to the folder above the console's assets, with a slash at its end.
        here: the way to the page itself.
        search: shown are the calls with all of these words; all where it is empty. None where
            nobody answers a search.
    """
    groups = _by_tag(document)
    wanted = (search or "")[:LONGEST_SEARCH]
    return rendered(
        "api.html",
        {
            "title": f"{document['info']['title']} REST API",
            "info": document["info"],
            "groups": list(groups.items()),
            "types": document["components"]["schemas"],
            "search": None if search is None else wanted,
            "found": _found(groups, wanted) if wanted else (),
            "words": lambda text: Markup(_words(text)),  # noqa: S704  escaped there
            "schema": lambda schema: Markup(_schema(schema)),  # noqa: S704
            "content": lambda owner: Markup(_content(owner)),  # noqa: S704
            "answer_of": partial(_answer, document),
            "who": _who,
            "here": here,
            "root": root,
            "brand": Brand(),
            "session": "",
            "path": "",
            "page": None,
        },
        LANGUAGES["en"],
    )


def _found(groups: dict[str, list[_Operation]], wanted: str) -> list[_Operation]:
    words = wanted.lower().split()
    return [
        (verb, path, each)
        for operations in groups.values()
        for verb, path, each in operations
        if all(
            word in f"{verb} /api{path} {each['operationId']} {each['summary']}".lower()
            for word in words
        )
    ]


def _text(text: object) -> str:
    return html.escape(str(text))


def _words(text: str) -> str:
    """A text in which code is marked with backquotes."""
    return _CODE.sub(r"<code>\1</code>", _text(text))


def _by_tag(document: Json) -> dict[str, list[_Operation]]:
    found: dict[str, list[_Operation]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            found.setdefault(operation["tags"][0], []).append((verb.upper(), path, operation))
    return found


def _who(operation: Json) -> str:
    if "security" not in operation:
        return "Needs a logon session."
    return "Needs HTTP Basic." if operation["security"] else "Needs no logon session."


def _answer(document: Json, said: Json) -> Json:
    """What the document says of an answer, there or where it leads."""
    if "$ref" not in said:
        return said
    found: Json = document["components"]["responses"][_name(said)]
    return found


def _content(owner: Json) -> str:
    return " ".join(
        _schema(content["schema"]) or f"<code>{_text(media_type)}</code>"
        for media_type, content in owner.get("content", {}).items()
    )


def _name(schema: Json) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _schema(schema: Json) -> str:
    """What a schema allows, in few words."""
    if "$ref" in schema:
        return f'<a href="#type-{_text(_name(schema))}">{_text(_name(schema))}</a>'
    if "anyOf" in schema:
        ways = (_schema(way) for way in schema["anyOf"] if way.get("title") != NOTHING)
        return " or ".join(ways)
    if words := schema.get("enum") or schema.get("examples"):
        return " or ".join(f"<code>{_text(word)}</code>" for word in words)
    kinds = schema.get("type", [])
    names = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return _structure(schema, names)


def _structure(schema: Json, names: list[str]) -> str:
    if "array" in names:
        return f"array of {_schema(schema['items'])}"
    if "object" in names and "properties" in schema:
        inner = (f"<code>{_text(n)}</code>: {_schema(s)}" for n, s in schema["properties"].items())
        return f"object with {', '.join(inner)}"
    bounds = ""
    if "minimum" in schema:
        bounds = f" from {schema['minimum']} to {schema['maximum']}"
    elif "maxLength" in schema:
        bounds = f" of at most {schema['maxLength']} characters"
    return _text(" or ".join(names) + bounds)
