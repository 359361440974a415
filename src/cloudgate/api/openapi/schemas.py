"""JSON schemas: which JSON may a resource be? Read from the XML schema.

What a value may be, what must be there and how often is said in the XML schema alone. Where it
stands in JSON follows from the description of the resource type, by the rules of `wire.json`.
"""

from typing import Any

from lxml import etree

from cloudgate.api.openapi.values import Json, Values
from cloudgate.wire.declarations import Contents, Declarations
from cloudgate.wire.description import Part, ResourceType, Shape, json_parts
from cloudgate.wire.json import array_names, item_names
from cloudgate.wire.schema import schema_bytes

NOTHING = "nothing"
"""Title of what stands for a value that is left out."""
_NULL: Json = {"title": NOTHING, "type": "null"}
_BLANK: Json = {"title": NOTHING, "type": "string", "pattern": r"^[ \t\r\n]*$"}
"""Stands for nothing where a value would hold others, as an empty element does in XML."""


def reference(resource_type: type[ResourceType]) -> Json:
    """Points to the schema of a resource type in a document."""
    return {"$ref": f"#/components/schemas/{resource_type.__name__}"}


def schemas(resource_types: list[type[ResourceType]]) -> dict[str, Json]:
    """The schemas of resource types and of all that is in them, by name."""
    reading = _SchemaWalker(etree.fromstring(schema_bytes()))
    for resource_type in resource_types:
        reading.add_root(resource_type)
    return dict(sorted(reading.found.items()))


class _SchemaWalker:
    """Goes through the XML schema, and collects what it finds."""

    def __init__(self, root: etree._Element) -> None:
        self.found: dict[str, Json] = {}
        self._models: dict[str, type[ResourceType]] = {}
        self._values = Values(root)
        self._declared = Declarations(root)

    def add_root(self, resource_type: type[ResourceType]) -> None:
        """Take in a type that stands for a whole body."""
        self._add(resource_type, self._complex(self._declared.elements[resource_type.root()]))

    def _add(self, resource_type: type[ResourceType], node: etree._Element) -> None:
        name = resource_type.__name__
        if self._models.setdefault(name, resource_type) is not resource_type:
            raise ValueError(f"Two resource types are called {name}; rename one of them.")
        if name in self.found:
            return
        self.found[name] = {}
        contents = self._declared.contents(node)
        properties = {part.name: self._part(part, contents) for part in json_parts(resource_type)}
        schema: Json = {
            "type": "object",
            "description": str(resource_type.__doc__),
            "properties": properties,
            "additionalProperties": False,
        }
        required = [name for name in properties if name in contents.required]
        if required:
            schema["required"] = required
        self.found[name] = schema

    def _part(self, part: Part, contents: Contents) -> Json:
        if part.shape is Shape.ATTRIBUTE:
            one = self._one(part, contents.attributes[part.name])
        elif part.shape is Shape.ELEMENT:
            one = self._one(part, contents.elements[part.name])
        elif part.shape is Shape.REPEATED:
            one = self._array(part, contents)
        else:
            one = self._list(
                part, self._declared.contents(self._complex(contents.elements[part.name]))
            )
        needed = part.name in contents.required and part.shape is not Shape.REPEATED
        if part.is_list:
            return _or(one, _BLANK) if needed else _or(one, _BLANK, _NULL)
        if not issubclass(part.value_type, ResourceType):
            return one if needed else _or_null(one)
        holds = self.found[part.value_type.__name__].get("required", ())
        if needed:
            return one if holds else _or(one, _BLANK)
        # What would have to hold something, and does not, is as if left out.
        return (
            _or(one, _nothing_of(part.value_type), _BLANK, _NULL)
            if holds
            else _or(one, _BLANK, _NULL)
        )

    def _one(self, part: Part, declared: etree._Element) -> Json:
        if issubclass(part.value_type, ResourceType):
            self._add(part.value_type, self._complex(declared))
            return reference(part.value_type)
        return self._values.schema(
            str(declared.get("type")), part.value_type, quoted_number=part.quoted_number
        )

    def _list(self, part: Part, contents: Contents) -> Json:
        array = self._array(part, contents)
        if part.name == "Links":
            return array
        some = _or(array, array["items"], _BLANK, _NULL)
        return {
            "type": "object",
            "properties": dict.fromkeys((*array_names(part), *item_names(part)), some),
            "maxProperties": 1,
            "additionalProperties": False,
        }

    def _array(self, part: Part, contents: Contents) -> Json:
        item = contents.elements[part.item]
        array: Json = {"type": "array", "items": self._one(part, item)}
        most = item.get("maxOccurs", "1")
        return array if most == "unbounded" else array | {"maxItems": int(most)}

    def _complex(self, element: etree._Element) -> etree._Element:
        """The type of an element: a named one, or the one inside it."""
        inner = self._declared.complex_of(element)
        if inner is None:
            raise ValueError(f"{element.get('name')} has no complex type.")
        return inner


def _or(*schemas: Json) -> Json:
    return {"anyOf": [*schemas]}


def _nothing_of(resource_type: type[ResourceType]) -> Json:
    """An object that says nothing."""
    names = [part.name for part in json_parts(resource_type)]
    return {
        "title": NOTHING,
        "type": "object",
        "properties": dict.fromkeys(names, _NULL),
        "additionalProperties": False,
    }


def _or_null(schema: Json) -> Json:
    """The same or null, which stands for what is left out."""
    kinds: Any = schema["type"]
    return schema | {"type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}
