"""Answers: how does a client read what a manager has answered in JSON? Without minding what is new.

A body that is sent is held to the schema. An answer is not: a manager of a later release says
more than a client of this one knows, and what the client does not know it leaves alone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from cloudgate.errors import InvalidRequestError
from cloudgate.wire.description import Part, ResourceType, Shape, parts
from cloudgate.wire.values import from_text

Type = TypeVar("Type", bound=ResourceType)


def from_object(document: Mapping[str, Any], resource_type: type[Type]) -> Type:
    """The value of the object that `json.to_object` makes of one.

    Raises:
        ValueError: a property that is known is not of its type.
    """
    found = {
        part.field: _of_part(document[part.name], part)
        for part in parts(resource_type)
        if document.get(part.name) is not None
    }
    return resource_type(**found)


def _of_part(value: Any, part: Part) -> Any:
    if not part.is_list:
        return _value(value, part)
    if isinstance(value, Mapping) and part.shape is Shape.LISTED:
        value = value.get(part.array) or ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"{part.name} is no list.")  # noqa: TRY004  as all that is wrong there
    return tuple(_value(item, part) for item in value)


def _value(value: Any, part: Part) -> Any:
    wanted = part.value_type
    if issubclass(wanted, ResourceType):
        if not isinstance(value, Mapping):
            raise ValueError(f"{part.name} is no object.")  # noqa: TRY004
        return from_object(value, wanted)
    if wanted is not str and isinstance(value, str):
        return _read(value, wanted, part.name)
    if wanted is datetime or type(value) is not wanted:
        raise ValueError(f"{part.name} is not of its type.")
    return value


def _read(text: str, wanted: type, name: str) -> Any:
    try:
        return from_text(text, wanted, name)
    except InvalidRequestError as problem:
        raise ValueError(str(problem)) from None
