"""An empty value is none in XML and in JSON, whatever its type, wherever it may be left out."""

from collections.abc import Iterator

import pytest
from lxml import etree

from cloudgate.api.table import ROUTES
from cloudgate.wire import schema
from cloudgate.wire.declarations import XSD, Declarations
from cloudgate.wire.description import ResourceType, Shape, parts

BODIES = sorted({kind for route in ROUTES for kind in route.bodies}, key=lambda kind: kind.root())
DECLARED = Declarations(etree.fromstring(schema.schema_bytes()))


def optional_values(kind: type[ResourceType], names: list[str]) -> Iterator[tuple[list[str], str]]:
    """Where each value stands that may be left out of a body, and the type that it has there."""
    declared = DECLARED.elements[names[0]]
    for name in names[1:]:
        inner = DECLARED.complex_of(declared)
        assert inner is not None
        declared = DECLARED.contents(inner).elements[name]
    inner = DECLARED.complex_of(declared)
    if inner is None:
        return
    contents = DECLARED.contents(inner)
    for part in parts(kind):
        if part.shape is Shape.ATTRIBUTE or part.name == "Links":
            continue
        if part.is_list:
            inside = [part.name] if part.shape is Shape.LISTED else []
            if issubclass(part.value_type, ResourceType):
                yield from optional_values(part.value_type, [*names, *inside, part.item])
        elif issubclass(part.value_type, ResourceType):
            if part.name in contents.elements:
                yield from optional_values(part.value_type, [*names, part.name])
        elif contents.elements[part.name].get("minOccurs") == "0":
            yield names, part.name


CASES = [(kind, *case) for kind in BODIES for case in optional_values(kind, [kind.root()])]


@pytest.mark.parametrize(
    ("kind", "names", "name"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_empty_value_that_may_be_left_out_is_none(
    kind: type[ResourceType], names: list[str], name: str
) -> None:
    type_name = DECLARED.type_name([*names, name])
    document = etree.fromstring(schema.schema_bytes())
    etree.SubElement(document, f"{XSD}element", name="Tried", type=type_name or "")
    alone = etree.XMLSchema(document)
    for text in ("", " \n "):
        tried = etree.fromstring(f'<Tried xmlns="{schema.NAMESPACE}">{text}</Tried>')
        assert alone.validate(tried), f"{type_name}: {alone.error_log}"
