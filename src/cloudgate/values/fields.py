"""Fields by name: which members of a body, or of a document in a column, has a dataclass?"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

Kind = TypeVar("Kind")


def stated_fields(source: object, kind: type[Any]) -> dict[str, Any]:
    """What `source` says about the fields of the dataclass `kind`; what is None it does not say."""
    found = {field.name: getattr(source, field.name, None) for field in fields(kind)}
    return {name: value for name, value in found.items() if value is not None}


def from_document(kind: type[Kind], document: Mapping[str, Any], /, **parsed: Any) -> Kind:
    """The dataclass `kind`, as a document in the database has it.

    Members that are no fields are left out: a later release may have written them, from which an
    operator has gone back to this one.

    Args:
        kind: has defaults for what releases before did not write.
        document: as JSON gives it.
        parsed: fields whose values are not as JSON has them.
    """
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    known = {name: value for name, value in document.items() if name in names}
    return kind(**{**known, **parsed})
