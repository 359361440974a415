"""Query filter: what does a filter mean? The grammar of the query service. Pure.

    filter      = and *("," and)                        , is OR and binds weaker
    and         = atom *(";" atom)                      ; is AND
    atom        = "(" filter ")" / comparison
    comparison  = name operator value
    operator    = "==" / "!=" / "<" / "<=" / ">" / ">="
    value       = quoted / bare

A quoted value stands in double quotes, with quotes inside doubled. A bare one ends before ``;``,
``,``, a closing bracket or the end; blanks around it do not count, those inside it do. A name that
has quotes itself is also taken in the published form ``Name==""Backup""``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cloudgate.errors import InvalidRequestError

LONGEST = 16_384
"""Characters of a filter."""
DEEPEST = 64
"""Brackets inside brackets."""
MOST_COMPARISONS = 500
"""SQLite takes a condition of no more than 1,000 parts, of which a question has some of its own."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_DOUBLY_QUOTED = re.compile(r'""([^";,()]+)""(?=\s*(?:[;,)]|$))')
_BARE = re.compile(r'[^;,()"]+')
_BLANK = re.compile(r"\s*")


class Operator(StrEnum):
    """How two values are compared."""

    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True)
class Comparison:
    """One parameter compared with one value."""

    name: str
    operator: Operator
    value: str
    position: int = 1
    """Where it begins in the filter, counted from 1."""


@dataclass(frozen=True)
class AllOf:
    """True when each of its conditions is."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class AnyOf:
    """True when one of its conditions is."""

    conditions: tuple["Condition", ...]


Condition = Comparison | AllOf | AnyOf


def parse(text: str) -> Condition | None:
    """What a filter says; None when it says nothing.

    Raises:
        InvalidRequestError: it is malformed; the message says where, and what was expected.
    """
    if len(text) > LONGEST:
        raise InvalidRequestError(
            f"filter: found {len(text)} characters, expected at most {LONGEST}."
        )
    if not text.strip():
        return None
    return _Parser(text).whole()


def written(condition: Condition, *, inside: bool = False) -> str:
    """A condition as a filter: `parse` reads it back the same."""
    if isinstance(condition, Comparison):
        value = condition.value.replace('"', '""')
        return f'{condition.name}{condition.operator}"{value}"'
    joint = ";" if isinstance(condition, AllOf) else ","
    text = joint.join(written(each, inside=True) for each in condition.conditions)
    return f"({text})" if inside else text


def comparisons(condition: Condition | None) -> Iterator[Comparison]:
    """All comparisons of a condition, from left to right."""
    if isinstance(condition, Comparison):
        yield condition
    elif condition is not None:
        for each in condition.conditions:
            yield from comparisons(each)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._comparisons = 0

    def whole(self) -> Condition:
        found = self._any_of()
        if self._at < len(self._text):
            raise self._unexpected("; or , or the end")
        return found

    def _any_of(self) -> Condition:
        found = [self._all_of()]
        while self._take(","):
            found.append(self._all_of())
        return found[0] if len(found) == 1 else AnyOf(tuple(found))

    def _all_of(self) -> Condition:
        found = [self._atom()]
        while self._take(";"):
            found.append(self._atom())
        return found[0] if len(found) == 1 else AllOf(tuple(found))

    def _atom(self) -> Condition:
        if not self._take("("):
            return self._comparison()
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._problem(f"expected at most {DEEPEST} brackets inside each other")
        found = self._any_of()
        if not self._take(")"):
            raise self._unexpected(")")
        self._depth -= 1
        return found

    def _comparison(self) -> Comparison:
        self._skip_blanks()
        self._comparisons += 1
        if self._comparisons > MOST_COMPARISONS:
            raise self._problem(f"expected at most {MOST_COMPARISONS} comparisons")
        position = self._at + 1
        name = self._match(_NAME, "the name of a parameter")
        operator = self._match(_OPERATOR, "== or != or < or <= or > or >=")
        return Comparison(name, Operator(operator), self._value(), position)

    def _value(self) -> str:
        self._skip_blanks()
        if match := _DOUBLY_QUOTED.match(self._text, self._at):
            self._pass(match)
            return f'"{match[1]}"'
        if match := _QUOTED.match(self._text, self._at):
            self._pass(match)
            return match[1].replace('""', '"')
        if self._text.startswith('"', self._at):
            raise self._problem("this quote is not closed")
        return self._match(_BARE, "a value").strip()

    def _match(self, pattern: re.Pattern[str], expected: str) -> str:
        self._skip_blanks()
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._unexpected(expected)
        self._pass(match)
        return match[0]

    def _pass(self, match: re.Match[str]) -> None:
        self._at = match.end()
        self._skip_blanks()

    def _take(self, character: str) -> bool:
        self._skip_blanks()
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        self._skip_blanks()
        return True

    def _skip_blanks(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _unexpected(self, expected: str) -> InvalidRequestError:
        rest = self._text[self._at : self._at + 20]
        found = f"found {rest!r}" if rest else "it ends here"
        return self._problem(f"{found}, expected {expected}")

    def _problem(self, what: str) -> InvalidRequestError:
        return InvalidRequestError(f"filter, position {self._at + 1}: {what}.")
