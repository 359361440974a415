"""OpenAPI page: how does a person read the document? As one page without scripts."""

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from importlib.resources import files

from cloudgate.api.openapi.schemas import NOTHING
from cloudgate.api.openapi.values import Json

_STYLE = files("cloudgate.api.openapi").joinpath("page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
"""The page loads nothing, runs nothing, and has the one style sheet that this names."""
_CODE = re.compile(r"`([^`]+)`")


def page(document: Json) -> str:
    """The page that shows an OpenAPI document."""
    title = _text(f"{document['info']['title']} REST API")
    pieces = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n",
        f"<header><h1>{title} <small>{_text(document['info']['version'])}</small></h1>\n",
        *_paragraphs(document["info"]["description"]),
        '<p>For programs: <a href="openapi.json">OpenAPI 3.1</a>,',
        ' <a href="schema">XML schema</a>.</p></header>\n',
        *_contents(document),
        "<main>\n",
        *_operations(document),
        '<h2 id="types">Types</h2>\n',
        *(_type(name, schema) for name, schema in document["components"]["schemas"].items()),
        "</main>\n</body>\n</html>\n",
    ]
    return "".join(pieces)


def _text(text: object) -> str:
    return html.escape(str(text))


def _words(text: str) -> str:
    """A text in which code is marked with backquotes."""
    return _CODE.sub(r"<code>\1</code>", _text(text))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield f"<p>{_words(paragraph)}</p>\n"


def _by_tag(document: Json) -> dict[str, list[tuple[str, str, Json]]]:
    found: dict[str, list[tuple[str, str, Json]]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            found.setdefault(operation["tags"][0], []).append((verb.upper(), path, operation))
    return found


def _contents(document: Json) -> Iterator[str]:
    yield '<nav aria-label="Contents"><ul>\n'
    for tag in _by_tag(document):
        yield f'<li><a href="#{_text(tag)}">{_text(tag)}</a></li>\n'
    yield '<li><a href="#types">Types</a></li>\n</ul></nav>\n'


def _operations(document: Json) -> Iterator[str]:
    for tag, operations in _by_tag(document).items():
        yield f'<h2 id="{_text(tag)}">{_text(tag)}</h2>\n'
        for verb, path, operation in operations:
            yield from _operation(document, verb, path, operation)


def _operation(document: Json, verb: str, path: str, operation: Json) -> Iterator[str]:
    yield f'<details id="{_text(operation["operationId"])}"><summary>'
    yield f'<b class="{verb.lower()}">{verb}</b> <code>/api{_text(path)}</code> '
    yield f"<span>{_words(operation['summary'])}</span></summary>\n"
    yield f"<p>{_who(operation)}</p>\n"
    if operation["parameters"]:
        yield "<h3>Parameters</h3>\n<table><tbody>\n"
        yield from (_parameter(parameter) for parameter in operation["parameters"])
        yield "</tbody></table>\n"
    if "requestBody" in operation:
        yield f"<h3>Body</h3>\n<p>{_content(operation['requestBody'])}</p>\n"
    yield "<h3>Answers</h3>\n<table><tbody>\n"
    for status, response in operation["responses"].items():
        yield from _response(document, status, response)
    yield "</tbody></table>\n</details>\n"


def _who(operation: Json) -> str:
    if "security" not in operation:
        return "Needs a logon session."
    return "Needs HTTP Basic." if operation["security"] else "Needs no logon session."


def _parameter(parameter: Json) -> str:
    needed = ", required" if parameter["required"] else ""
    schema = _schema(parameter["schema"])
    about = _words(parameter.get("description", ""))
    return (
        f"<tr><th><code>{_text(parameter['name'])}</code></th>"
        f"<td>in {_text(parameter['in'])}{needed}</td><td>{about} {schema}</td></tr>\n"
    )


def _response(document: Json, status: str, response: Json) -> Iterator[str]:
    if "$ref" in response:
        response = document["components"]["responses"][_name(response)]
    headers = "".join(f" <code>{_text(name)}</code>" for name in response.get("headers", ()))
    yield f"<tr><th>{_text(status)}</th><td>{_words(response['description'])}</td>"
    yield f"<td>{_content(response)}{headers}</td></tr>\n"


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


def _type(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><th><code>{_text(part)}</code></th>"
        f"<td>{'required' if part in required else ''}</td>"
        f"<td>{_schema(inner)}</td><td>{_words(inner.get('description', ''))}</td></tr>\n"
        for part, inner in schema["properties"].items()
    )
    return (
        f'<section id="type-{_text(name)}"><h3>{_text(name)}</h3>\n'
        f"<p>{_words(schema['description'])}</p>\n<table><tbody>\n{rows}</tbody></table></section>\n"
    )
