"""Validation: is this what the API calls a valid body, and in words, why not?"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lxml import etree

from cloudgate.errors import InvalidRequestError
from cloudgate.wire.schema import NAMESPACE, declarations, schema_bytes, shorten, words
from cloudgate.wire.values import BLANKS

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
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
_BLANKS = re.compile(f"[{BLANKS}]+")
_PREFIXED = re.compile(r"(?<=/)([^/\[\]@:]+:[^/\[\]]+)")
"""A step of libxml2's path to an element of which the namespace has a prefix."""
_ANY_TYPE = "TYPE"
"""Stands in the words of the schema for the type that a UID is of."""
_ANY_UID = f"a UID such as urn:veeam:{_ANY_TYPE}:"
"""So they begin, also for what is known by its GUID alone."""


class _Schemas(threading.local):
    """One compiled schema for each thread: it keeps the errors of its last check."""

    @cached_property
    def schema(self) -> etree.XMLSchema:
        return etree.XMLSchema(etree.fromstring(schema_bytes()))


_schemas = _Schemas()


def check(root: etree._Element, *, with_lines: bool) -> None:
    """Hold a body to the schema. `with_lines`: it is XML, and its order and lines mean something.

    Blanks around a value go where its type says that they do not count. What is for others and
    holds nothing, or says that it is nil, goes where it may be left out, but for lists.

    Raises:
        InvalidRequestError: naming the element, what was found, what was expected, and the line.
    """
    schema = _schemas.schema
    _normalize(root)
    if schema.validate(root):
        return
    log: Iterable[Any] = schema.error_log  # type: ignore[assignment]  # the stubs lack __iter__
    errors = [(entry.line, entry.path, entry.message) for entry in log]
    line, path, _ = errors[0]
    texts = [message for _, place, message in errors if place == path]
    where = f" (line {line})" if with_lines else ""
    place = _Place(_node_at(root, path), is_ordered=with_lines)
    raise InvalidRequestError(f"{_explain(texts, place)}{where}.")


@dataclass(frozen=True)
class _Place:
    """Where something is wrong."""

    node: etree._Element | None
    """None where it was not found again."""
    is_ordered: bool
    """Whether whoever wrote the document has put its elements into an order."""


def _normalize(root: etree._Element) -> None:
    known = declarations()
    waiting = [(root, known.elements.get(etree.QName(root).localname))]
    while waiting:
        node, declared = waiting.pop()
        held = known.held_by(declared)
        if held is None:
            continue  # Nobody knows what is inside, so nothing of it is looked at.
        for child in [*node.iterchildren(tag=etree.Element)]:
            name = etree.QName(child)
            inner = held.elements.get(name.localname)
            if inner is not None and _is_left_out_by_nil(child, inner):
                node.remove(child)
            elif len(child):
                waiting.append((child, inner))
            elif inner is not None and name.namespace == NAMESPACE:
                _normalize_value(child, inner)


def _is_left_out_by_nil(node: etree._Element, declared: etree._Element) -> bool:
    """Whether it says that it is not there (XML Schema, 2.6.2), and need not be.

    An item of a list has its place.
    """
    is_optional = declared.get("minOccurs") == "0" and declared.get("maxOccurs", "1") == "1"
    return is_optional and not len(node) and node.get(_NIL, "").strip() in ("true", "1")


def _normalize_value(node: etree._Element, declared: etree._Element) -> None:
    known, parent = declarations(), node.getparent()
    text = node.text or ""
    collapsed = " ".join(_BLANKS.split(text.strip(BLANKS)))
    if collapsed and collapsed == text:
        return
    if known.collapses(declared.get("type")):
        node.text = collapsed
    elif (
        parent is not None
        and not collapsed
        and not node.attrib
        and known.may_be_taken_out(declared)
    ):
        parent.remove(node)


def _names_of(node: etree._Element | None) -> list[str]:
    """The names of an element and of those around it, the root first."""
    if node is None:
        return []
    around = reversed([*node.iterancestors()])
    return [etree.QName(each).localname for each in (*around, node)]


def _node_at(root: etree._Element, path: str) -> etree._Element | None:
    # A prefix may mean this here and that there: elements are found by their names as written.
    found: Any = root.getroottree().xpath(_PREFIXED.sub(r"*[name()='\1']", path))
    return found[0] if found else None


def _explain(messages: list[str], place: _Place) -> str:
    """The plain form of what libxml2 says of one place."""
    for message in messages:
        for pattern, explain in _EXPLANATIONS:
            if match := pattern.search(message):
                return explain(match, place)
    return _QUALIFIED.sub("", messages[0]).rstrip(".")


def _expectation(node: etree._Element | None, attribute: str | None) -> str:
    """What the type of an element or attribute allows, in words."""
    names = _names_of(node)
    type_name = declarations().type_name(names, attribute) if names else None
    text = words().get(type_name or "", "a value of another type")
    if _ANY_UID not in text:
        return text
    of = names[-1] if attribute == "UID" else (attribute or names[-1])
    if of.endswith("Id"):
        return text.replace(_ANY_UID, "a GUID such as ")
    return text.replace(_ANY_TYPE, of.removesuffix("Uid") or _ANY_TYPE)


def _explain_not_expected(match: re.Match[str], place: _Place) -> str:
    name = _QUALIFIED.sub("", match["found"])
    parent = place.node.getparent() if place.node is not None else None
    if not place.is_ordered and (missing := _missing_in(parent)):
        return _incomplete(parent, missing)
    expected = f", expected {_names(match['expected'])}" if match["expected"] else ""
    return f"{name} is not expected here: {_why_not(name, place.node, parent)}{expected}"


def _why_not(name: str, node: etree._Element | None, parent: etree._Element | None) -> str:
    known = declarations().declared_in(_names_of(parent))
    if node is None or parent is None or known is None:
        return "unknown"
    declared = [*known.elements]
    if etree.QName(node).namespace != NAMESPACE:
        space = shorten(etree.QName(node).namespace or "")
        return f"it is of the namespace {space}, and not of {NAMESPACE}"
    if name not in declared:
        return f"unknown in {etree.QName(parent).localname}"
    return _why_not_there(name, parent, declared)


def _why_not_there(name: str, parent: etree._Element, declared: list[str]) -> str:
    given = _children(parent)
    if given.count(name) > 1:
        return "given twice, or more often"
    at = declared.index(name)
    if missing := [each for each in _missing_in(parent) if declared.index(each) < at]:
        return _told_missing(missing)
    places = [declared.index(each) if each in declared else at for each in given]
    here = given.index(name)
    if max(places[:here], default=at) > at or min(places[here:]) < at:
        return "out of order"
    earlier = [each for each in given[:here] if each in declared]
    return f"it cannot stand beside {' and '.join(earlier)}"


def _children(node: etree._Element) -> list[str]:
    return [etree.QName(each).localname for each in node.iterchildren(tag=etree.Element)]


def _missing_in(node: etree._Element | None) -> list[str]:
    """What an element must hold and does not, in the order of the schema."""
    known = declarations().declared_in(_names_of(node))
    if node is None or known is None:
        return []
    given = {*_children(node)}
    return [each for each in known.elements if each in known.required - given]


def _incomplete(node: etree._Element | None, missing: list[str]) -> str:
    name = etree.QName(node).localname if node is not None else "The body"
    return f"{name} is incomplete: {_told_missing(missing)}"


def _told_missing(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"


def _explain_missing(match: re.Match[str], place: _Place) -> str:
    return _incomplete(place.node, _missing_in(place.node) or [_names(match["expected"])])


def _explain_bad_value(match: re.Match[str], place: _Place) -> str:
    name = match["attribute"] or _QUALIFIED.sub("", match["element"])
    expected = _expectation(place.node, match["attribute"])
    if not match["found"].strip(BLANKS):
        return f"{name} is missing: found {shorten(match['found'])}, expected {expected}"
    return f"{name}: found {shorten(match['found'])}, expected {expected}"


def _explain_bad_length(match: re.Match[str], place: _Place) -> str:
    name = match["attribute"] or _QUALIFIED.sub("", match["element"])
    expected = _expectation(place.node, match["attribute"])
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
