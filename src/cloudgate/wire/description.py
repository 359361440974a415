"""Type description: how is a resource type written down, once for XML and JSON?

A resource type is a frozen dataclass. Each field says with `attribute`, `element`, `listed` or
`repeated` where it stands in XML; its place in JSON follows by rule:

* attributes and elements are properties of the same name;
* ``Links`` is a bare array;
* any other list is an object with one array named as its element plus "s";
* the order of the properties is: own elements, Id, Name, UID, Links, Href, Type.
"""

import dataclasses
import types
import typing
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar

Scalar = str | int | bool | datetime


SECRETS = frozenset(
    {
        *("password", "new_password", "current_password", "secret", "join_token", "session_id"),
        *("private_key", "pfx", "code", "recovery_codes", "uri", "v_mware_sso_token"),
        "eab_hmac_key",
    }
)
"""Fields of which a value is never shown in a text."""


class Shape(Enum):
    """Where the value of a field stands in XML."""

    ATTRIBUTE = "attribute"
    ELEMENT = "element"
    LISTED = "listed"
    """Items inside an element of their own."""
    REPEATED = "repeated"
    """Items directly inside the element of the type that has the field."""


@dataclass(frozen=True)
class Part:
    """One field of a resource type, with all that reading and writing it takes."""

    field: str
    name: str
    """As it stands on the wire."""
    shape: Shape
    value_type: type
    """`str`, `int`, `bool`, `datetime` or a resource type; of the items, where it is a list."""
    item: str = ""
    """Element name of the items of a list."""
    array: str = ""
    """JSON name of the array of a list's items."""
    also: str = ""
    """Another element name of the items, as some published samples have it; in JSON with an s."""
    omit_absent: bool = False
    """In JSON an absent value is left out instead of null."""
    quoted_number: bool = False
    """In JSON the number may also come as a string, as one page of the API publishes it."""
    extension: bool = False
    """An extension, and in a body it acts; what becomes of published ones is told elsewhere."""

    @property
    def is_list(self) -> bool:
        """Whether the field holds a tuple."""
        return self.shape in (Shape.LISTED, Shape.REPEATED)


def attribute(name: str | None = None, *, omit_absent: bool = False) -> Any:
    """An XML attribute."""
    return _field(shape=Shape.ATTRIBUTE, name=name, omit_absent=omit_absent)


def element(
    name: str | None = None,
    *,
    omit_absent: bool = False,
    quoted_number: bool = False,
    extension: bool = False,
) -> Any:
    """An XML element with text, or with the parts of another resource type."""
    return _field(
        shape=Shape.ELEMENT,
        name=name,
        omit_absent=omit_absent,
        quoted_number=quoted_number,
        extension=extension,
    )


def listed(
    item: str,
    *,
    array: str | None = None,
    name: str | None = None,
    also: str = "",
    omit_absent: bool = False,
    extension: bool = False,
) -> Any:
    """A list inside an element of its own; None when that element is absent."""
    return _field(
        shape=Shape.LISTED,
        name=name,
        item=item,
        array=array or f"{item}s",
        also=also,
        omit_absent=omit_absent,
        extension=extension,
    )


def repeated(item: str, *, array: str | None = None) -> Any:
    """Items that stand directly in the root element."""
    return _field(shape=Shape.REPEATED, name=array or f"{item}s", item=item)


def _field(**metadata: Any) -> Any:
    default: Any = () if metadata["shape"] is Shape.REPEATED else None
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A resource type: anything that is read from or written as XML and JSON."""

    ROOT: ClassVar[str] = ""
    """Name of the root element, where it is not the name of the class."""
    JSON_FIRST: ClassVar[tuple[str, ...]] = ()
    """Properties that come before all others in JSON, against the rule."""

    EXTENSION: ClassVar[bool] = False
    """Whether all of it is an extension: see `Part.extension`."""

    def __init_subclass__(cls) -> None:
        """Have `__repr__` be this one: a data class makes its own, unless it has one."""
        super().__init_subclass__()
        type.__setattr__(cls, "__repr__", ResourceType.__repr__)

    def __repr__(self) -> str:
        """What is said, without the ways on from there, and without secrets."""
        said = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        shown = (
            f"{name}={'...' if name in SECRETS else repr(value)}"
            for name, value in said
            if value not in (None, ()) and name != "links"
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def root(cls) -> str:
        """Name of the XML root element."""
        return cls.ROOT or cls.__name__


_parts: dict[type[ResourceType], tuple[Part, ...]] = {}
_json_parts: dict[type[ResourceType], tuple[Part, ...]] = {}


def parts(resource_type: type[ResourceType]) -> tuple[Part, ...]:
    """The fields of a resource type in the order of the XML: base types' first."""
    if resource_type not in _parts:
        _parts[resource_type] = _read_parts(resource_type)
    return _parts[resource_type]


def json_parts(resource_type: type[ResourceType]) -> tuple[Part, ...]:
    """The fields of a resource type in the order of the JSON."""
    if resource_type not in _json_parts:
        _json_parts[resource_type] = _json_order(resource_type)
    return _json_parts[resource_type]


def _read_parts(resource_type: type[ResourceType]) -> tuple[Part, ...]:
    hints = typing.get_type_hints(resource_type)
    return tuple(
        _part(resource_type, field, hints[field.name])
        for field in dataclasses.fields(resource_type)
        if "shape" in field.metadata
    )


def _json_order(resource_type: type[ResourceType]) -> tuple[Part, ...]:
    tail = ("Id", "Name", "UID", "Links", "Href", "Type")
    first = resource_type.JSON_FIRST

    def place(part: Part) -> tuple[int, int]:
        if part.name in first:
            return (0, first.index(part.name))
        if part.name == "Links" or (part.shape is Shape.ATTRIBUTE and part.name in tail):
            return (2, tail.index(part.name))
        return (1, 0)

    return tuple(sorted(parts(resource_type), key=place))


def _part(resource_type: type[ResourceType], field: dataclasses.Field[Any], hint: Any) -> Part:
    metadata = field.metadata
    return Part(
        field=field.name,
        name=metadata.get("name") or wire_name(field.name),
        shape=metadata["shape"],
        value_type=_value_type(hint),
        item=metadata.get("item", ""),
        array=metadata.get("array", ""),
        also=metadata.get("also", ""),
        omit_absent=metadata.get("omit_absent", False),
        quoted_number=metadata.get("quoted_number", False),
        extension=metadata.get("extension", False) or resource_type.EXTENSION,
    )


def wire_name(field_name: str) -> str:
    """The API's spelling of a Python name: ``external_port`` is ``ExternalPort``."""
    if field_name == "uid":
        return "UID"
    return "".join(word.capitalize() for word in field_name.split("_"))


def _value_type(hint: Any) -> type:
    """The one type inside ``X``, ``X | None``, ``tuple[X, ...]`` and ``tuple[X, ...] | None``."""
    if isinstance(hint, types.UnionType):
        return _value_type(next(arm for arm in hint.__args__ if arm is not types.NoneType))
    if typing.get_origin(hint) is tuple:
        return _value_type(typing.get_args(hint)[0])
    return typing.cast("type", hint)
