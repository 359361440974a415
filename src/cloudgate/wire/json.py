"""JSON: how do resource types become JSON, and JSON resource types?

JSON is held to the rules of the XML: a body is put into the schema's order and checked against it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from lxml import etree

from cloudgate.errors import InvalidRequestError
from cloudgate.values.timestamps import time_text
from cloudgate.wire import schema, validation, xml
from cloudgate.wire.description import Part, ResourceType, Shape, json_parts, parts
from cloudgate.wire.encoding import json_text
from cloudgate.wire.values import BLANKS

Type = TypeVar("Type", bound=ResourceType)
_NAMESPACES: Any = {None: schema.NAMESPACE}  # the stubs do not know the default namespace
_AT_ONCE = 200
"""Items of an array that are written at a time."""
_KINDS = {str: "a string", int: "a whole number", bool: "true or false", list: "an array"}


def write(resource: ResourceType) -> bytes:
    """A resource as JSON in UTF-8, without a byte order mark."""
    return b"".join(_written(to_object(resource)))


def _written(document: Any) -> Iterator[bytes]:
    """What `json.dumps` writes, byte for byte, in a third of its time.

    A long array is written some items at a time: no other thread runs while one piece is written.
    """
    # Programs that only ask load this module, too, and do without what takes longer to load than
    # the rest.
    from pydantic_core import to_json  # noqa: PLC0415

    if isinstance(document, dict) and any(map(_is_long, document.values())):
        before = b"{"
        for name, value in document.items():
            yield before + to_json(name) + b":"
            yield from _written(value)
            before = b","
        yield b"}"
    elif isinstance(document, list) and len(document) > _AT_ONCE:
        before = b"["
        for begin in range(0, len(document), _AT_ONCE):
            yield before + to_json(document[begin : begin + _AT_ONCE])[1:-1]
            before = b","
        yield b"]"
    else:
        yield to_json(document)


def _is_long(value: Any) -> bool:
    """Whether there is an array in it that is written in pieces: a list's own, or one within."""
    if isinstance(value, dict):
        return any(map(_is_long, value.values()))
    return isinstance(value, list) and len(value) > _AT_ONCE


def to_object(resource: ResourceType) -> dict[str, Any]:
    """A resource as the object that `write` writes."""
    document: dict[str, Any] = {}
    values = vars(resource)
    for field, name, omit_absent, write_value in _writers(type(resource)):
        value = values[field]
        if value is not None:
            document[name] = write_value(value) if write_value else value
        elif not omit_absent:
            document[name] = None
    return document


_Writer = tuple[str, str, bool, Callable[[Any], Any] | None]
"""Field, property, whether it is left out when absent, and how to write it unless as it is."""


_known_writers: dict[type[ResourceType], tuple[_Writer, ...]] = {}


def _writers(resource_type: type[ResourceType]) -> tuple[_Writer, ...]:
    known = _known_writers.get(resource_type)
    if known is None:
        known = _known_writers[resource_type] = tuple(
            (part.field, part.name, part.omit_absent, _writer(part))
            for part in json_parts(resource_type)
        )
    return known


def _writer(part: Part) -> Callable[[Any], Any] | None:
    if issubclass(part.value_type, ResourceType):
        one: Callable[[Any], Any] | None = to_object
    else:
        one = time_text if part.value_type is datetime else None
    if not part.is_list:
        return one
    array = "" if part.shape is Shape.REPEATED or part.name == "Links" else part.array

    def write_list(items: Sequence[Any]) -> Any:
        written = [one(item) for item in items] if one else list(items)
        return {array: written} if array else written

    return write_list


def read(body: bytes | str, resource_type: type[Type]) -> Type:
    """A body as a value of `resource_type`, checked against the schema.

    Args:
        body: bytes of which nobody has said in which encoding they are, or the characters.
        resource_type: what it is to be.

    Raises:
        InvalidRequestError: it is malformed or not valid.
    """
    document = _parse(body)
    root = resource_type.root()
    if not isinstance(document, dict):
        raise InvalidRequestError(f"{root}: found {_kind(document)}, expected an object.")
    node = etree.Element(f"{{{schema.NAMESPACE}}}{root}", nsmap=_NAMESPACES)
    try:
        _fill(node, document, resource_type, root)
    except ValueError:
        raise InvalidRequestError(
            "The body has characters that no text may have: control characters or half of"
            " a surrogate pair."
        ) from None
    validation.check(node, with_lines=False)
    return xml.from_element(node, resource_type)


def _parse(body: bytes | str) -> Any:
    text = body if isinstance(body, str) else json_text(body)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as problem:
        raise InvalidRequestError(
            f"The body is not well-formed JSON: {problem.msg} (line {problem.lineno},"
            f" column {problem.colno})."
        ) from None
    except RecursionError:
        raise InvalidRequestError("The body is nested too deeply.") from None
    except ValueError:
        raise InvalidRequestError("The body has a number that is too long.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        often = Counter(name for name, _ in pairs)
        doubled = next(name for name, count in often.items() if count > 1)
        raise InvalidRequestError(f"{schema.shorten(doubled)} is given twice.")
    return document


def _no_constant(name: str) -> Any:
    raise InvalidRequestError(f"{name} is not a JSON value; expected a number.")


def _fill(
    node: etree._Element, document: dict[str, Any], resource_type: type[ResourceType], where: str
) -> None:
    """Put the properties of an object into an element, in the order of the schema."""
    known = parts(resource_type)
    unknown = document.keys() - {part.name for part in known}
    if unknown:
        raise InvalidRequestError(
            f"{where} has no property {schema.shorten(min(unknown))}; it has"
            f" {', '.join(part.name for part in known)}."
        )
    for part in known:
        value = document.get(part.name)
        if isinstance(value, str) and not value.strip(BLANKS) and _holds_parts(part):
            value = [] if _is_bare(part) else {}
        if value is None:
            continue
        if part.shape is Shape.ATTRIBUTE:
            node.set(part.name, _scalar(value, part))
        elif part.is_list:
            _fill_list(node, value, part)
        else:
            _fill_element(node, part.name, value, part)


def _fill_list(node: etree._Element, value: Any, part: Part) -> None:
    if not _is_bare(part):
        value = _items(value, part)
    if not isinstance(value, list):
        raise InvalidRequestError(f"{part.name}: found {_kind(value)}, expected an array.")
    parent = node if part.shape is Shape.REPEATED else _child(node, part.name)
    for item in value:
        _fill_element(parent, part.item, item, part)


def _holds_parts(part: Part) -> bool:
    return part.is_list or issubclass(part.value_type, ResourceType)


def _is_bare(part: Part) -> bool:
    """Whether a list is an array, and no object with one."""
    return part.is_list and (part.shape is Shape.REPEATED or part.name == "Links")


def _items(value: Any, part: Part) -> Any:
    """The array inside the object of a list; `{}`, a null and an empty text are the empty list.

    Some published samples have one bare item under the item's name instead, and programs that make
    arrays of what occurs more than once have one under the array's name.
    """
    if not isinstance(value, dict):
        raise InvalidRequestError(
            f"{part.name}: found {_kind(value)}, expected an object with {part.array}."
        )
    unknown = value.keys() - {*array_names(part), *item_names(part)}
    if unknown:
        raise InvalidRequestError(
            f"{part.name} has no property {schema.shorten(min(unknown))}; it has {part.array}."
        )
    if len(value) > 1:
        raise InvalidRequestError(f"{part.name} has {' and '.join(sorted(value))}; give one.")
    found = next(iter(value.values()), None)
    if found is None or (isinstance(found, str) and not found.strip(BLANKS)):
        return []
    return found if isinstance(found, list) else [found]


def array_names(part: Part) -> tuple[str, ...]:
    """How the array inside the object of a list may be called."""
    return (part.array, f"{part.also}s") if part.also else (part.array,)


def item_names(part: Part) -> tuple[str, ...]:
    """How one bare item inside the object of a list may be called."""
    return (part.item, part.also) if part.also else (part.item,)


def _fill_element(node: etree._Element, name: str, value: Any, part: Part) -> None:
    if not issubclass(part.value_type, ResourceType):
        _child(node, name).text = _scalar(value, part)
    elif isinstance(value, dict):
        _fill(_child(node, name), value, part.value_type, name)
    else:
        raise InvalidRequestError(f"{name}: found {_kind(value)}, expected an object.")


def _child(node: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(node, f"{{{schema.NAMESPACE}}}{name}")


def _scalar(value: Any, part: Part) -> str:
    """The text of a value of the right JSON kind; whether it is in range, the schema decides."""
    wanted = part.value_type
    if wanted is bool and isinstance(value, bool | str):
        return str(value).lower() if isinstance(value, bool) else value
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if wanted is int and isinstance(value, float) and value.is_integer():
        return str(int(value))  # JSON knows no kinds of numbers: 1.0 is 1
    if wanted is int and isinstance(value, str) and (part.quoted_number or not value.strip(BLANKS)):
        return value  # an empty one is none, as for all types; the schema says where one must be
    if wanted not in (bool, int) and isinstance(value, str):
        return value
    expected = _KINDS.get(wanted, "a string")
    raise InvalidRequestError(f"{part.name}: found {_kind(value)}, expected {expected}.")


def _kind(value: Any) -> str:
    """A JSON value as an error message shows it."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return schema.shorten(json.dumps(value, ensure_ascii=False)).strip("'")


def property_names(body: bytes | str) -> set[str]:
    """The names of a document's own properties; none when the body is no JSON object."""
    try:
        document = _parse(body)
    except InvalidRequestError:
        return set()
    return set(document) if isinstance(document, dict) else set()
