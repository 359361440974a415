"""Is this what the API calls a valid body? Checks against the schema, and says in words why not."""

import re
import threading
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from lxml import etree

from cloudgate.errors import InvalidRequestError
from cloudgate.wire.declarations import XSD, Declarations
from cloudgate.wire.values import BLANKS

NAMESPACE = "http://www.veeam.com/ent/v1.0"

_QUALIFIED = re.compile(r"\{[^}]*\}")
_NOT_EXPECTED = re.compile(
    r"Element '(?P<found>[^']+)': This element is not expected\."
    r"(?: Expected is (?:one of )?\( (?P<expected>[^)]+) \)\.)?"
)
_MISSING = re.compile(
    r"Element '(?P<parent>[^']+)': Missing child element\(s\)\."
    r" Expected is (?:one of )?\( (?P<expected>[^)]+) \)\."
)
_BAD_VALUE = re.compile(
    r"Element '(?P<element>[^']+)'(?:, attribute '(?P<attribute>[^']+)')?: "
    r"(?:\[facet '\w+'\] The value )?'(?P<found>.*)'"
    r" (?:is not a valid value of|is not an element of|is not accepted by|has a length|is less|"
    r"is greater|exceeds|must)",
    re.DOTALL,
)
_BAD_LENGTH = re.compile(
    r"Element '(?P<element>[^']+)'(?:, attribute '(?P<attribute>[^']+)')?: "
    r"\[facet '\w+'\] The value has a length of '(?P<length>\d+)'"
)
_SHOWN_CHARACTERS = 100


@cache
def schema_bytes() -> bytes:
    """The schema as published."""
    return files("cloudgate.wire").joinpath("schema.xsd").read_bytes()


class _Schemas(threading.local):
    """One compiled schema for each thread: it keeps the errors of its last check."""

    def __init__(self) -> None:
        self.schema = etree.XMLSchema(etree.fromstring(schema_bytes()))


_schemas = _Schemas()


@cache
def _declarations() -> Declarations:
    return Declarations(etree.fromstring(schema_bytes()))


@cache
def _words() -> dict[str, str]:
    """What the documentation of each simple type says that a value is."""
    tree = etree.fromstring(schema_bytes())
    return {
        str(simple.get("name")): text
        for simple in tree.iter(f"{XSD}simpleType")
        if (text := simple.findtext(f"{XSD}annotation/{XSD}documentation"))
    }


def check(root: etree._Element, *, with_lines: bool) -> None:
    """Hold a body to the schema. `with_lines`: its line numbers mean something to the client.

    Blanks alone become empty where the type of a value collapses blanks, as they then mean.

    Raises:
        InvalidRequestError: naming the element, what was found, what was expected, and the line.
    """
    schema = _schemas.schema
    if schema.validate(root):
        _empty_blanks(root)
        return
    log: Iterable[Any] = schema.error_log  # type: ignore[assignment]  # the stubs lack __iter__
    errors = [(entry.line, entry.path, entry.message) for entry in log]
    line, path, _ = errors[0]
    texts = [message for _, place, message in errors if place == path]
    where = f" (line {line})" if with_lines else ""
    raise InvalidRequestError(f"{_explain(texts, _names_of(root, path))}{where}.")


def _empty_blanks(root: etree._Element) -> None:
    for node in root.iter(tag=etree.Element):
        if len(node) == 0 and node.text and not node.text.strip(BLANKS):
            around = reversed([*node.iterancestors()])
            names = [etree.QName(each).localname for each in (*around, node)]
            if _declarations().collapses(_declarations().type_name(names)):
                node.text = ""


def _names_of(root: etree._Element, path: str) -> list[str]:
    """The names of the element at a path and of those around it, the root first."""
    prefixes = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    try:
        found: Any = root.getroottree().xpath(path, namespaces=prefixes)
    except etree.XPathEvalError:  # a prefix that is declared further down
        return []
    if not found:
        return []
    around = reversed([*found[0].iterancestors()])
    return [etree.QName(each).localname for each in (*around, found[0])]


def _explain(messages: list[str], names: list[str]) -> str:
    """The plain form of what libxml2 says of one place."""
    for message in messages:
        for pattern, explain in _EXPLANATIONS:
            if match := pattern.search(message):
                return explain(match, names)
    return _QUALIFIED.sub("", messages[0]).rstrip(".")


def _expectation(names: list[str], attribute: str | None) -> str:
    """What the type of an element or attribute allows, in words."""
    type_name = _declarations().type_name(names, attribute) if names else None
    return _words().get(type_name or "", "a value of another type")


def _explain_not_expected(match: re.Match[str], _names_around: list[str]) -> str:
    expected = f", expected {_names(match['expected'])}" if match["expected"] else ""
    return (
        f"{_QUALIFIED.sub('', match['found'])} is not expected here: unknown, given twice,"
        f" or out of order{expected}"
    )


def _explain_missing(match: re.Match[str], _names_around: list[str]) -> str:
    parent = _QUALIFIED.sub("", match["parent"])
    return f"{parent} is incomplete: {_names(match['expected'])} is missing"


def _explain_bad_value(match: re.Match[str], names: list[str]) -> str:
    name = match["attribute"] or _QUALIFIED.sub("", match["element"])
    expected = _expectation(names, match["attribute"])
    if not match["found"].strip(BLANKS):
        return f"{name} is missing: found {shorten(match['found'])}, expected {expected}"
    return f"{name}: found {shorten(match['found'])}, expected {expected}"


def _explain_bad_length(match: re.Match[str], names: list[str]) -> str:
    name = match["attribute"] or _QUALIFIED.sub("", match["element"])
    expected = _expectation(names, match["attribute"])
    if match["length"] == "0":
        return f"{name} is missing: found '', expected {expected}"
    return f"{name}: found {match['length']} characters, expected {expected}"


_EXPLANATIONS = (
    (_NOT_EXPECTED, _explain_not_expected),
    (_MISSING, _explain_missing),
    (_BAD_LENGTH, _explain_bad_length),
    (_BAD_VALUE, _explain_bad_value),
)


def _names(expected: str) -> str:
    """``{ns}A, {ns}B`` as ``A or B``."""
    return " or ".join(_QUALIFIED.sub("", name).strip() for name in expected.split(","))


def shorten(text: str) -> str:
    """A value as an error message shows it: quoted, and not longer than helps."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
