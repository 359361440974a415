"""For each resource type: schema, model, XML and JSON say the same."""

import dataclasses
import importlib
import pkgutil
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from cloudgate.errors import InvalidRequestError
from cloudgate.wire import json, resources, schema, xml
from cloudgate.wire.description import Described, Part, Shape, parts

XSD = "{http://www.w3.org/2001/XMLSchema}"
GUID = "29e5d158-1f58-44bc-bbaa-2752d787a91d"

TEXTS = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"
    ),
    max_size=30,
)
TOKENS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)
TIMES = st.datetimes(datetime(1753, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "UID": st.just(f"urn:veeam:X:{GUID}"),
    "NetworkType": st.sampled_from(["Direct", "NAT"]),
    "NetworkMode": st.sampled_from(["Direct", "NAT"]),
    "ThrottlingSpeedUnit": st.sampled_from(["Mbps", "KBps", "MBps"]),
    "VbrCertificateThumbprint": st.just("0" * 40),
    "QuotaMb": st.integers(1024, 2**40),
    "Quota": st.integers(1024, 2**40),
}


def all_types() -> list[type[Described]]:
    found: list[type[Described]] = []
    for module in pkgutil.iter_modules(resources.__path__):
        namespace = vars(importlib.import_module(f"{resources.__name__}.{module.name}"))
        found += [
            value
            for value in namespace.values()
            if isinstance(value, type)
            and issubclass(value, Described)
            and value.__module__.endswith(module.name)
        ]
    return found


def global_elements() -> set[str]:
    root = etree.fromstring(schema.schema_bytes())
    return {str(node.get("name")) for node in root.iterfind(f"{XSD}element")}


ROOTS = [kind for kind in all_types() if kind.root() in global_elements()]


def values(part: Part, owner: type[Described]) -> st.SearchStrategy[Any]:
    if part.name == "TenantType" and part.value_type is str:
        return st.just("Standalone")
    if part.name in BY_NAME:
        return BY_NAME[part.name]
    name = part.item or part.name
    if name.endswith(("Uid", "ResourceId", "QuotaId")):
        return st.just(GUID)
    if part.name == "Id" and part.shape is Shape.ATTRIBUTE:
        return st.just(GUID)
    if issubclass(part.value_type, Described):
        return instances(part.value_type)
    if part.value_type is bool:
        return st.booleans()
    if part.value_type is int:
        return st.integers(1, 65535)
    if part.value_type is datetime:
        return TIMES
    if part.name == "Password" and owner.__name__.endswith("CreateSpec"):
        return TOKENS
    free = part.shape is Shape.ATTRIBUTE or part.name in {"Description", "Password", "Message"}
    return TEXTS if free else TOKENS


def required(owner: type[Described], part: Part) -> bool:
    return owner.__name__.endswith(("Spec", "BackupResource", "ComputeResource")) and part.name in {
        "CloudGateways",
        "CloudHardwarePlanUid",
        "Password" if owner.__name__ == "CloudSubtenantCreateSpec" else "",
        "PlatformType",
        "TenantResourceId",
        "UnlimitedQuota",
        "VirtualDataCenterRef",
        "Name",
        "DnsNameOrIpAddress",
        "Endpoint",
        "ServerHostName",
        "NetworkType",
        "RepositoryUid",
        "QuotaMb",
    }


def instances(kind: type[Described]) -> st.SearchStrategy[Described]:
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for part in parts(kind):
        one = values(part, kind)
        if part.is_list:
            one = st.lists(one, max_size=3).map(tuple)
        optional = not required(kind, part) and part.shape is not Shape.REPEATED
        fields[part.field] = st.none() | one if optional else one
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.__name__)
def test_what_is_written_is_valid_and_read_back_the_same(kind: type[Described]) -> None:
    @settings(max_examples=30, deadline=None)
    @given(instances(kind))
    def agrees(value: Described) -> None:
        assert xml.read(xml.write(value), kind) == value
        assert json.read(json.write(value), kind) == value

    agrees()


def test_every_element_of_the_schema_has_a_model_and_the_other_way_round() -> None:
    named = {kind.root() for kind in ROOTS} | {"EntityRef"}
    assert global_elements() == named


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.__name__)
def test_the_parts_of_a_model_are_those_of_the_schema(kind: type[Described]) -> None:
    """Each part alone, empty where it may be, in a document: known to the schema by that name."""
    for part in parts(kind):
        if part.shape is Shape.ATTRIBUTE:
            continue
        name = part.item if part.shape is Shape.REPEATED else part.name
        body = f'<{kind.root()} xmlns="{schema.NAMESPACE}"><{name}/><Unknown/></{kind.root()}>'
        with pytest.raises(InvalidRequestError) as refused:
            xml.read(body.encode(), kind)
        assert f"{name} is not expected" not in refused.value.message or required_first(kind)


def required_first(kind: type[Described]) -> bool:
    return any(required(kind, part) for part in parts(kind))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(body: bytes) -> None:
    for read in (xml.read, json.read):
        for kind in ROOTS[:3]:
            try:
                read(body, kind)
            except InvalidRequestError as refused:
                assert refused.message


def test_models_are_immutable() -> None:
    assert all(dataclasses.fields(kind) is not None for kind in ROOTS)
    assert all(kind.__dataclass_params__.frozen for kind in ROOTS)  # type: ignore[attr-defined]
