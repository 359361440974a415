"""For each resource type: schema, model, XML, JSON and OpenAPI say the same."""

import importlib
import json as stdlib_json
import pkgutil
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from lxml import etree

from cloudgate.api.openapi.schemas import reference, schemas
from cloudgate.errors import InvalidRequestError
from cloudgate.wire import json, resources, schema, xml
from cloudgate.wire.answers import from_object
from cloudgate.wire.description import Part, ResourceType, Shape, parts
from cloudgate.wire.values import BLANKS
from tests.wire.plain_json import plainly_written

XSD = "{http://www.w3.org/2001/XMLSchema}"
COLLAPSED = r"^[ \t\n\r]*"
"""How the patterns of types begin where blanks around a value do not count."""
GUID = "29e5d158-1f58-44bc-bbaa-2752d787a91d"

NEVER = [*map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])]
TEXT = r"^(?:[^\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*)$"
"""Two of three values may be any text, which is drawn faster as one than by its pattern."""
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters=NEVER))
TIMES = st.datetimes(datetime(1753, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))


def all_types() -> list[type[ResourceType]]:
    found: list[type[ResourceType]] = []
    for module in pkgutil.walk_packages(resources.__path__, f"{resources.__name__}."):
        namespace = vars(importlib.import_module(module.name))
        found += [
            value
            for value in namespace.values()
            if isinstance(value, type)
            and issubclass(value, ResourceType)
            and value.__module__ == module.name
        ]
    return found


@cache
def global_elements() -> frozenset[str]:
    root = etree.fromstring(schema.schema_bytes())
    return frozenset(str(node.get("name")) for node in root.iterfind(f"{XSD}element"))


ROOTS = [kind for kind in all_types() if kind.root() in global_elements()]


COMPONENTS = schemas(ROOTS)
INSTANCES: dict[type[ResourceType], st.SearchStrategy[ResourceType]] = {}


def validator(kind: type[ResourceType]) -> Draft202012Validator:
    return Draft202012Validator({**reference(kind), "components": {"schemas": COMPONENTS}})


def values(part: Part, described: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What OpenAPI lets a part be, as the model holds it."""
    if issubclass(part.value_type, ResourceType):
        return instances(part.value_type)
    if part.value_type is bool:
        return st.booleans()
    if part.value_type is int:
        return st.integers(described["minimum"], described["maximum"])
    if part.value_type is datetime:
        return TIMES
    texts = TEXTS if described["pattern"] == TEXT else st.from_regex(described["pattern"])
    if described["pattern"].startswith(COLLAPSED):
        texts = texts.map(lambda text: " ".join(re.split(f"[{BLANKS}]+", text.strip(BLANKS))))
    if "maxLength" not in described:
        return texts
    shortest, longest = described.get("minLength", 0), described["maxLength"]
    return texts.filter(lambda text: shortest <= len(text) <= longest)


def says_something(value: ResourceType) -> bool:
    """What is for others and holds nothing is as if left out."""
    return any(getattr(value, part.field) not in (None, ()) for part in parts(type(value)))


def instances(kind: type[ResourceType]) -> st.SearchStrategy[ResourceType]:
    if kind not in INSTANCES:
        INSTANCES[kind] = built(kind)
    return INSTANCES[kind]


def built(kind: type[ResourceType]) -> st.SearchStrategy[ResourceType]:
    component = COMPONENTS[kind.__name__]
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for part in parts(kind):
        described = component["properties"][part.name]
        if part.is_list:
            array = described["anyOf"][0]
            if array["type"] == "object":
                array = array["properties"][part.array]["anyOf"][0]
            most = min(2, array.get("maxItems", 2))
            one: st.SearchStrategy[Any] = st.lists(values(part, array["items"]), max_size=most)
            one = one.map(tuple)
        else:
            one = values(part, described)
        optional = part.name not in component.get("required", ())
        if optional and issubclass(part.value_type, ResourceType) and not part.is_list:
            one = one.filter(says_something)
        always = not optional or part.shape is Shape.REPEATED
        fields[part.field] = one if always else st.none() | one
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.__name__)
def test_what_is_written_is_valid_and_read_back_the_same(kind: type[ResourceType]) -> None:
    @settings(max_examples=settings().max_examples // 8)
    @given(instances(kind))
    def agrees(value: ResourceType) -> None:
        read = xml.read(xml.write(value), kind)
        assert json.read(json.write(value), kind) == read
        assert json.write(value) == plainly_written(json.to_object(value))
        assert xml.read(xml.write(read), kind) == read
        assert json.to_object(read) == json.to_object(value)
        assert from_object(json.to_object(read), kind) == read
        OPENAPI[kind].validate(json.to_object(value))

    agrees()


ODD_WORDS = ["", " ", "0", "1", " true ", "TRUE", "tRUE", "+80", " 080", "65536", "-1", "Direct "]
ODD_CHARACTERS = ["a b", " a", "\ud7ff", "\ufffe", "\x00", "\x85", "a\rb", "\u2028", "x" * 129]
ODD_UIDS = [f" {GUID}", f"urn:veeam:X:{GUID}\n", f"urn:veeam:X1:{GUID}", f"{GUID}0", "x" * 2049]
ODD_TIMES = [
    "1752-12-31T23:59:59Z",
    "1753-01-01T00:00:00",
    "1753-01-01T00:00:00+00:01",
    "2030-01-01 00:00:00",
    "2030-01-01",
    "2030-01-01T00:00:00+14:01",
    "2030-01-01T00:00:00.123456789Z",
    "2030-01-01T24:00:00Z",
    "2030-02-29T00:00:00Z",
    "2030-04-31T00:00:00Z",
    "2032-02-29T00:00:00",
    "2100-02-29T00:00:00Z",
    "9999-12-31T23:59:59+14:00",
    "9999-12-31T23:59:59-00:01",
    " 2030-12-31T00:00:00\t",
]
# Halves of surrogate pairs are left out: no text has them, and JSON Schema speaks of texts.
ODD_TEXTS = st.sampled_from(ODD_WORDS + ODD_CHARACTERS + ODD_UIDS + ODD_TIMES) | st.text(max_size=8)
ODD_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-2, 2).map(float)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ODD_TEXTS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["Link", "Links", "Name", "Href", "Refs", "Unknown"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)


@st.composite
def damaged(draw: st.DrawFn, kind: type[ResourceType]) -> Any:
    """A document of a type with one change, which may or may not make it invalid."""
    document = json.to_object(draw(instances(kind)))
    found: Any = document
    while True:
        names = list(found) if isinstance(found, dict) else list(range(len(found)))
        if not names or (found is not document and draw(st.booleans())):
            break
        inner = found[draw(st.sampled_from(names))]
        if not isinstance(inner, dict | list) or not inner:
            break
        found = inner
    if isinstance(found, list):
        change = draw(st.sampled_from(["replace", "append"]))
        if change == "replace" and found:
            found[draw(st.integers(0, len(found) - 1))] = draw(ODD_VALUES)
        else:
            found.append(draw(ODD_VALUES))
        return document
    known = sorted(found)
    name = draw(st.sampled_from([*known, *known, "Unknown"]))
    if draw(st.integers(0, 4)) == 0:
        found.pop(name, None)
    else:
        found[name] = draw(ODD_VALUES)
    return document


OPENAPI = {kind: validator(kind) for kind in ROOTS}


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.__name__)
def test_openapi_accepts_exactly_what_is_read(kind: type[ResourceType]) -> None:
    @settings(max_examples=settings().max_examples // 4, suppress_health_check=list(HealthCheck))
    @given(damaged(kind))
    def agrees(document: Any) -> None:
        body = stdlib_json.dumps(document).encode()
        try:
            value = json.read(body, kind)
        except InvalidRequestError as refused:
            assert not OPENAPI[kind].is_valid(document), refused.message
        else:
            OPENAPI[kind].validate(document)
            assert xml.read(xml.write(value), kind) == value
            assert json.read(json.write(value), kind) == value

    agrees()


BLANK_ONES = ["", " ", "\t\n", "\xa0", None]


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.__name__)
def test_openapi_and_the_reader_agree_on_what_is_blank_in_each_place(
    kind: type[ResourceType],
) -> None:
    @settings(max_examples=1, derandomize=True, database=None, phases=[Phase.generate])
    @given(instances(kind))
    def agrees(value: ResourceType) -> None:
        document = json.to_object(value)
        for part in parts(kind):
            for blank in BLANK_ONES:
                changed = document | {part.name: blank}
                assert is_read(changed, kind) == OPENAPI[kind].is_valid(changed), (part.name, blank)

    agrees()


def is_read(document: Any, kind: type[ResourceType]) -> bool:
    try:
        json.read(stdlib_json.dumps(document).encode(), kind)
    except InvalidRequestError:
        return False
    return True


def test_openapi_accepts_nothing_but_objects() -> None:
    for body in (b"[]", b"null", b"1", b'"text"', b"true"):
        for kind in ROOTS:
            assert not OPENAPI[kind].is_valid(stdlib_json.loads(body))
            with pytest.raises(InvalidRequestError):
                json.read(body, kind)


def test_every_element_of_the_schema_has_a_model_and_the_other_way_round() -> None:
    named = {kind.root() for kind in ROOTS} | {"EntityRef"}
    assert global_elements() == named


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.__name__)
def test_the_parts_of_a_model_are_those_of_the_schema(kind: type[ResourceType]) -> None:
    """Each part alone, empty where it may be, in a document: known to the schema by that name."""
    for part in parts(kind):
        if part.shape is Shape.ATTRIBUTE:
            continue
        name = part.item if part.shape is Shape.REPEATED else part.name
        body = f'<{kind.root()} xmlns="{schema.NAMESPACE}"><{name}/><Unknown/></{kind.root()}>'
        with pytest.raises(InvalidRequestError) as refused:
            xml.read(body.encode(), kind)
        assert f"{name} is not expected" not in refused.value.message or required_first(kind)


def required_first(kind: type[ResourceType]) -> bool:
    return bool(COMPONENTS[kind.__name__].get("required"))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(body: bytes) -> None:
    for read in (xml.read, json.read):
        for kind in ROOTS[:3]:
            try:
                read(body, kind)
            except InvalidRequestError as refused:
                assert refused.message


def test_models_are_immutable() -> None:
    assert all(kind.__dataclass_params__.frozen for kind in ROOTS)  # type: ignore[attr-defined]
