"""Query fields: by what may things be filtered and sorted, and how does that become SQL?

Text compares without regard to the case of ASCII letters, on every database. Enumerations compare
by their place in the published order. What is not known of a thing (NULL) fits no comparison.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SQLColumnExpression,
    and_,
    false,
    func,
    literal,
    or_,
    true,
)

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.queries.filter import AllOf, Comparison, Condition, Operator
from cloudgate.values import identifiers, precis, timestamps

LARGEST_NUMBER = 2**63 - 1


class Kind(Enum):
    """What the values of a field are."""

    TEXT = "text"
    NUMBER = "a whole number"
    BOOLEAN = "true or false"
    TIME = 'a time such as "2025-08-15T06:00:00Z"'
    IDENTIFIER = "a UID or a GUID"
    ENUMERATION = "one of a list"


@dataclass(frozen=True)
class Field:
    """Something that things can be filtered and sorted by."""

    name: str
    """As published; requests name it in any case."""
    kind: Kind
    column: SQLColumnExpression[Any]
    values: tuple[str, ...] = ()
    """Of an enumeration, in the published order."""
    resource_type: str = ""
    """Of an identifier; empty where things of all types are meant."""
    order: SQLColumnExpression[Any] | None = None
    """What to sort by, where it is not the column."""
    folded: SQLColumnExpression[Any] | None = None
    """Of text: a column with the casefolded value, where one is kept."""
    is_name: bool = True
    """Of text: whether it is kept in the one form of names, and not as somebody wrote it."""

    @property
    def sort_key(self) -> SQLColumnExpression[Any]:
        """What things are sorted by."""
        if self.order is not None:
            return self.order
        if self.folded is not None:
            return self.folded
        return func.lower(self.column) if self.kind is Kind.TEXT else self.column


_COMPARE: Mapping[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}
_EQUALITY = (Operator.EQUAL, Operator.UNEQUAL)


class Fields:
    """All fields of a kind of thing."""

    def __init__(self, thing: str, fields: Sequence[Field], aliases: Mapping[str, str]) -> None:
        """`aliases`: other names of fields, as they are also published."""
        self._thing = thing
        self._by_name = {field.name.lower(): field for field in fields}
        for alias, name in aliases.items():
            self._by_name[alias.lower()] = self._by_name[name.lower()]
        self._names = ", ".join(field.name for field in fields)

    def get(self, name: str, where: str) -> Field:
        """The field of a name.

        Raises:
            InvalidRequestError: there is none; the message begins with `where`.
        """
        field = self._by_name.get(name.lower())
        if field is None:
            raise InvalidRequestError(
                f"{where}: {self._thing} has no parameter {name[:100]!r}; it has {self._names}."
            )
        return field

    def compiled(self, condition: Condition | None) -> ColumnElement[bool]:
        """A condition in SQL.

        Raises:
            InvalidRequestError: it names what is not there, or a value does not fit.
        """
        if condition is None:
            return true()
        if isinstance(condition, Comparison):
            return self._comparison(condition)
        join = and_ if isinstance(condition, AllOf) else or_
        return join(*(self.compiled(each) for each in condition.conditions))

    def _comparison(self, said: Comparison) -> ColumnElement[bool]:
        where = f"filter, position {said.position}"
        field = self.get(said.name, where)
        if field.kind in (Kind.BOOLEAN, Kind.IDENTIFIER) and said.operator not in _EQUALITY:
            raise InvalidRequestError(
                f"{where}: {field.name} can be compared with == and != only, not {said.operator}."
            )
        if field.kind is Kind.ENUMERATION:
            return _enumerated(field, said, where)
        column, value = _sides(field, said, where)
        found: ColumnElement[bool] = _COMPARE[said.operator](column, value)
        return found


def _sides(field: Field, said: Comparison, where: str) -> tuple[SQLColumnExpression[Any], Any]:
    """What is compared with what."""
    if field.kind is Kind.TEXT:
        if field.folded is not None:
            return field.folded, precis.key(said.value)
        wanted = precis.name(said.value) if field.is_name else said.value
        return func.lower(field.column), func.lower(wanted)
    value = value_of(field, said.value, where)
    if field.kind is Kind.NUMBER:
        # As wide as the largest: PostgreSQL refuses one that does not fit into the column's type.
        return field.column, literal(value, BigInteger)
    return field.column, value


def value_of(field: Field, text: str, where: str) -> Any:
    """The value that a text means for a field other than text.

    Raises:
        InvalidRequestError: it is none; the message begins with `where`.
    """
    problem = InvalidRequestError(
        f"{where}: {field.name}: found {text[:100]!r}, expected {field.kind.value}."
    )
    try:
        if field.kind is Kind.NUMBER:
            number = int(text)
            if abs(number) > LARGEST_NUMBER:
                raise problem
            return number
        if field.kind is Kind.BOOLEAN:
            return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
        if field.kind is Kind.IDENTIFIER:
            if field.resource_type:
                return identifiers.parse(text, field.resource_type)
            found = identifiers.read(text)
            if found is None:
                raise problem
            return found.guid
        return timestamps.parse(text)
    except (ValueError, KeyError, OverflowError, InvalidRequestError):
        raise problem from None


def _enumerated(field: Field, said: Comparison, where: str) -> ColumnElement[bool]:
    """An enumeration compares by place, so the values on the right side of it are what is meant."""
    folded = [value.lower() for value in field.values]
    wanted = said.value.strip().lower()
    if wanted not in folded:
        raise InvalidRequestError(
            f"{where}: {field.name}: found {said.value[:100]!r}, expected one of"
            f" {', '.join(field.values)}."
        )
    place = folded.index(wanted)
    compare = _COMPARE[said.operator]
    fitting = [value for index, value in enumerate(field.values) if compare(index, place)]
    return field.column.in_(fitting) if fitting else false()
