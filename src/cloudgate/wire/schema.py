"""Schema check: is this what the API calls a valid body? Says in words why not."""

from functools import cache
from importlib.resources import files

from lxml import etree

from cloudgate.wire.declarations import XSD, Declarations

NAMESPACE = "http://www.veeam.com/ent/v1.0"
_SHOWN_CHARACTERS = 100


@cache
def schema_bytes() -> bytes:
    """The schema as published."""
    return files("cloudgate.wire").joinpath("schema.xsd").read_bytes()


@cache
def declarations() -> Declarations:
    """What it declares."""
    return Declarations(etree.fromstring(schema_bytes()))


@cache
def required(root: str) -> frozenset[str]:
    """What an element that is a root has to hold."""
    held = declarations().held_by(declarations().elements[root])
    return frozenset(held.required if held is not None else ())


@cache
def words() -> dict[str, str]:
    """What the documentation of each simple type says that a value is."""
    tree = etree.fromstring(schema_bytes())
    return {
        str(simple.get("name")): text
        for simple in tree.iter(f"{XSD}simpleType")
        if (text := simple.findtext(f"{XSD}annotation/{XSD}documentation"))
    }


def shorten(text: str) -> str:
    """A value as an error message shows it: quoted, and not longer than helps."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
