"""JSON values: which JSON may a single value be? Simple types of the XML schema.

A value type of the XML schema is a set of texts. Where JSON has a kind of its own for a value, its
bounds are carried over; where the value is a text, the set of texts is, as a pattern.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lxml import etree

from cloudgate.wire.declarations import XSD

Json = dict[str, Any]

_BLANK = r"[ \t\n\r]"
_NEVER = r"\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
"""Characters that no XML document may have, and so no text."""
_ANY = f"[^{_NEVER}]"
_CLASSES = {r"\s": _BLANK, r"\S": rf"[^ \t\n\r{_NEVER}]", ".": rf"[^\n\r{_NEVER}]"}
_SPECIAL = re.compile(r"\\.|\[[^\]]*\]|\.")


@dataclass(frozen=True)
class ValueType:
    """The texts of a simple type that is no union."""

    collapsed: bool = False
    """Blanks around a text do not count."""
    patterns: tuple[str, ...] = ()
    """Regular expressions of XML Schema, of which one must match."""
    words: tuple[str, ...] = ()
    """All texts that there are, where they are listed."""
    shortest: int = 0
    longest: int | None = None
    low: int | None = None
    high: int | None = None


_BUILT_IN = {
    "xs:string": ValueType(),
    "xs:token": ValueType(collapsed=True),
    "xs:boolean": ValueType(collapsed=True, patterns=("true|false|0|1",)),
    "xs:int": ValueType(collapsed=True, low=-(2**31), high=2**31 - 1),
    "xs:long": ValueType(collapsed=True, low=-(2**63), high=2**63 - 1),
    "xs:unsignedShort": ValueType(collapsed=True, low=0, high=2**16 - 1),
    # Each type that restricts it has patterns which leave nothing but days that there are.
    "xs:dateTime": ValueType(collapsed=True),
}


class Values:
    """The simple types of a schema."""

    def __init__(self, root: etree._Element) -> None:
        self._named = {node.get("name"): node for node in root.iterfind(f"{XSD}simpleType")}

    def schema(self, type_name: str, value_type: type, *, quoted_number: bool) -> Json:
        """JSON Schema of the values of a simple type that a model holds as `value_type`."""
        found = self._resolve(type_name)
        described = self._described(type_name)
        if value_type is bool:
            return {"type": ["boolean", "string"], "pattern": _pattern(found)} | described
        if value_type is int:
            number = next(kind for kind in found if kind.low is not None)
            bounds = {"minimum": number.low, "maximum": number.high}
            if quoted_number:
                text = {"type": ["integer", "string"], "pattern": _pattern(found)}
                return text | bounds | described
            if any(kind.longest == 0 for kind in found):
                return (
                    {"type": ["integer", "string"], "pattern": f"^{_BLANK}*$"} | bounds | described
                )
            return {"type": "integer"} | bounds | described
        return _text(found, value_type) | described

    def _described(self, type_name: str) -> Json:
        node = self._named.get(type_name)
        words = node.findtext(f"{XSD}annotation/{XSD}documentation") if node is not None else None
        return {"description": words} if words else {}

    def _resolve(self, type_name: str) -> tuple[ValueType, ...]:
        """The member types of a union; of any other type, itself."""
        if type_name in _BUILT_IN:
            return (_BUILT_IN[type_name],)
        node = self._named[type_name]
        union = node.find(f"{XSD}union")
        if union is not None:
            members = str(union.get("memberTypes")).split()
            return tuple(kind for member in members for kind in self._resolve(member))
        restriction = node.find(f"{XSD}restriction")
        if restriction is None:
            raise ValueError(f"{type_name} is neither a restriction nor a union.")
        base = self._resolve(str(restriction.get("base")))[0]
        return (_restricted(base, restriction),)


def _restricted(base: ValueType, restriction: etree._Element) -> ValueType:
    facets: dict[str, list[str]] = {}
    for facet in restriction.iterchildren(tag=etree.Element):
        facets.setdefault(etree.QName(facet).localname, []).append(str(facet.get("value")))
    changes: Json = {
        "patterns": tuple(facets.get("pattern", base.patterns)),
        "words": tuple(facets.get("enumeration", base.words)),
    }
    if "length" in facets:
        changes |= {"shortest": int(facets["length"][0]), "longest": int(facets["length"][0])}
    for name, field in (("minLength", "shortest"), ("maxLength", "longest")):
        if name in facets:
            changes[field] = int(facets[name][0])
    if base.low is not None:
        for name, field in (("minInclusive", "low"), ("maxInclusive", "high")):
            if name in facets:
                changes[field] = int(facets[name][0])
    return replace(base, **changes)


def _text(found: tuple[ValueType, ...], value_type: type) -> Json:
    first = found[0]
    schema: Json = {"type": "string"}
    if value_type is datetime or first.collapsed:
        words = {"examples": list(first.words)} if first.words else {}
        return schema | {"pattern": _pattern(found)} | words
    if first.shortest:
        schema["minLength"] = first.shortest
    if first.longest is not None:
        schema["maxLength"] = first.longest
    pattern = "|".join(_translated(each) for each in first.patterns) or f"{_ANY}*"
    return schema | {"pattern": f"^(?:{pattern})$"}


def _pattern(found: tuple[ValueType, ...]) -> str:
    """Matches the texts of the given types, all of which have blanks around them collapsed."""
    ways = [way for kind in found for way in _ways(kind)]
    return f"^{_BLANK}*(?:{'|'.join(ways)}){_BLANK}*$"


def _ways(kind: ValueType) -> list[str]:
    if kind.words:
        return [re.escape(word) for word in kind.words]
    if kind.patterns and kind.shortest:
        raise ValueError("A pattern of a type with collapsed blanks has to say its length too.")
    if kind.patterns:
        return [_translated(pattern) for pattern in kind.patterns]
    if kind.longest == 0:
        return [""]
    if kind.low is not None and kind.high is not None:
        return [_numerals(kind.low, kind.high)]
    raise ValueError("A type with collapsed blanks needs a pattern: its length alone is no rule.")


def _translated(pattern: str) -> str:
    """A regular expression of XML Schema in the dialect of JSON Schema."""

    def translate(match: re.Match[str]) -> str:
        piece = match[0]
        if piece.startswith("[^"):
            raise ValueError(f"{piece} would let in what no text may have; name what may be there.")
        return _CLASSES.get(piece, piece)

    return _SPECIAL.sub(translate, pattern)


def _numerals(low: int, high: int) -> str:
    """Matches the whole numbers of a range as XML writes them: a sign and zeros may come first."""
    if low < 0:
        raise ValueError("Numbers that may be quoted are not negative.")
    ways = []
    for digits in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (digits - 1) if digits > 1 else 0)
        last = min(high, 10**digits - 1)
        ways.append(_between(str(first), str(last)))
    return rf"\+?0*(?:{'|'.join(ways)})"


def _between(first: str, last: str) -> str:
    """Matches the numerals of one length between two of that length."""
    if not first:
        return ""
    if first[0] == last[0]:
        return first[0] + _between(first[1:], last[1:])
    rest = len(first) - 1
    low, high = int(first[0]), int(last[0])
    ways = []
    if first[1:] != "0" * rest:
        ways.append(first[0] + _between(first[1:], "9" * rest))
        low += 1
    if last[1:] != "9" * rest:
        ways.append(last[0] + _between("0" * rest, last[1:]))
        high -= 1
    if low <= high:
        ways.append((f"[{low}-{high}]" if low < high else str(low)) + "[0-9]" * rest)
    return f"(?:{'|'.join(ways)})" if len(ways) > 1 else ways[0]
