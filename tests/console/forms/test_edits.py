"""Forms that edit: what do they say of a thing, and what do they leave as it is?"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request

from cloudgate.console.acting import changes
from cloudgate.console.api import Api
from cloudgate.console.declarations import Action, Field, Input, Visit, WrongInputError
from cloudgate.console.operator.site_map import CONSOLE

TB = 1024**4
NETWORKS = ["198.51.100.0/24", "2001:db8::/32"]
UIDS = [f"urn:veeam:CloudGateway:29e5d158-1f58-44bc-bbaa-2752d787a91{each}" for each in "dab"]
EDITS = {each.path: each for each in CONSOLE.actions if each.edits}
GONE = (Input.YES, Input.SEVERAL)
"""What a browser does not send where nothing is chosen."""
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(0, 10**9)
ports = st.integers(1, 65535)
moments = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.isoformat().replace("+00:00", "Z")
)


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Things that may have each of these, and may say nothing of it."""
    return st.fixed_dictionaries({}, optional=parts)


def lists(name: str, known: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(st.sampled_from(known), unique=True).map(lambda found: {name: found})


def named(things: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return things.map(lambda thing: {"Name": "one", "Endpoint": "a:1", "Address": "a:1", **thing})


SUBJECTS = {
    "tenants/{id}/edit": some(
        Description=texts,
        LeaseOptions=st.just({"Enabled": False})
        | moments.map(lambda end: {"Enabled": True, "ExpirationDate": end}),
        ThrottlingEnabled=st.booleans(),
        ThrottlingSpeedLimit=numbers,
        ThrottlingSpeedUnit=st.sampled_from(["Mbps", "KBps", "MBps"]),
        MaxConcurrentTasks=numbers,
        ConcurrentTasksLimited=st.booleans(),
        EgressQuotaMb=numbers,
        EgressQuotaHard=st.booleans(),
        AllowedNetworks=lists("Networks", NETWORKS),
        MayChangePassword=st.booleans(),
        MayGetCertificates=st.booleans(),
        MayUsePortal=st.booleans(),
        BackupProtectionEnabled=st.booleans(),
        BackupProtectionPeriod=numbers,
    ),
    "repositories/{id}/edit": some(
        Address=st.sampled_from(["a:1", "b:2"]),
        Description=texts,
        Capacity=st.integers(0, 10**18),
    ),
    "repositories/{id}/quotas": some(
        QuotaWarningPercents=lists("Percents", [95, 80, 100]),
        QuotaGracePercent=numbers,
        QuotaEnforced=st.booleans(),
    ),
    "gateways/{id}/edit": some(
        Description=texts,
        ExternalIP=st.sampled_from(["192.0.2.1", "2001:db8::1"]),
        ExternalPort=ports,
        NetworkMode=st.sampled_from(["NAT", "Direct"]),
        InternalPort=ports,
        ProxyProtocolNetworks=lists("Networks", NETWORKS),
    ),
    "pools/{id}/edit": some(
        Description=texts,
        CloudGateways=lists("CloudGatewayUids", UIDS),
        CloudTenants=lists("CloudTenantUids", UIDS),
    ),
    "sites/{id}/edit": some(Description=texts, Port=ports),
    "notifications/{id}/edit": some(
        Address=st.just("a@b.example"),
        Events=lists("Events", ["TaskFailed", "GatewayDown"]),
        QuietFrom=st.sampled_from(["22:00", ""]),
        QuietUntil=st.sampled_from(["06:00", ""]),
        DigestMinutes=numbers,
        Enabled=st.booleans(),
    ),
}
PATHS = pytest.mark.parametrize("path", SUBJECTS)


def filled_in(field: Field, subject: Mapping[str, Any]) -> list[str]:
    """What a browser sends of a field that nobody touches (HTML, 4.10.21.4)."""
    said = field.value(dict(subject)) if callable(field.value) else field.value
    if field.kind is Input.SEVERAL:
        return sorted(said, reverse=True)  # in the order in which they are offered
    text = "" if said is None else str(said)
    if field.kind is Input.CHOICE and not text and isinstance(field.choices, tuple):
        return [field.choices[0][0]]
    if field.kind is Input.LONG:
        return [re.sub(r"\r\n|\r|\n", "\r\n", text)]
    return [re.sub(r"[\r\n]", "", text)]


def form_of(action: Action, subject: Mapping[str, Any]) -> dict[str, list[str]]:
    sent = {each.name: filled_in(each, subject) for each in action.fields}
    kinds = {each.name: each.kind for each in action.fields}
    return {name: each for name, each in sent.items() if kinds[name] not in GONE or any(each)}


def said(action: Action, subject: Mapping[str, Any], form: dict[str, list[str]]) -> dict[str, Any]:
    visit = Visit(
        api=Api(Starlette(), Request({"type": "http"}), ""),
        now=datetime(2030, 1, 1, tzinfo=UTC),
        path={},
        query={},
        form=form,
    )
    return changes(action, visit, dict(subject))


def test_each_form_that_edits_is_tried_here() -> None:
    unlike = set(SUBJECTS) ^ set(EDITS)
    assert not unlike, "name the form in SUBJECTS of this module, with what its entity may have"


@PATHS
@settings(max_examples=20)
@given(st.data())
def test_what_was_left_as_it_was_shown_changes_nothing(path: str, data: st.DataObject) -> None:
    action, subject = EDITS[path], data.draw(named(SUBJECTS[path]))
    assert said(action, subject, form_of(action, subject)) == {}


@PATHS
@settings(max_examples=20)
@given(st.data())
def test_a_change_of_one_field_says_nothing_of_the_others(path: str, data: st.DataObject) -> None:
    action, subject = EDITS[path], data.draw(named(SUBJECTS[path]))
    form = form_of(action, subject) | {"description": ["another that nobody has"]}
    if any(each.name == "description" for each in action.fields):
        assert said(action, subject, form) == {"Description": "another that nobody has"}


@PATHS
@settings(max_examples=20)
@given(st.data())
def test_an_emptied_field_is_emptied_or_has_to_be_filled_in(path: str, data: st.DataObject) -> None:
    action, subject = EDITS[path], data.draw(named(SUBJECTS[path]))
    form = form_of(action, subject)
    can_be_empty = [
        each
        for each in action.fields
        if callable(each.value)
        and not each.required
        and any(form.get(each.name, ()))
        and any(text.strip(" 0") for text in form[each.name])
        and each.kind is not Input.CHOICE
    ]
    for each in can_be_empty:
        emptied = {**form, each.name: [] if each.kind in GONE else [""]}
        with suppress(WrongInputError):
            assert said(action, subject, emptied) or each.name == "port", each.name


@given(st.integers(1, 10**6), st.sampled_from(["Mbps", "KBps", "MBps"]), st.integers(1, 10**9))
def test_figures_are_shown_so_that_they_read_back(limit: int, unit: str, megabytes: int) -> None:
    action = EDITS["tenants/{id}/edit"]
    subject = {
        "ThrottlingEnabled": True,
        "ThrottlingSpeedLimit": limit,
        "ThrottlingSpeedUnit": unit,
        "EgressQuotaMb": megabytes,
    }
    nothing: dict[str, Any] = {"Name": "one"}
    found = said(action, nothing, form_of(action, nothing) | {
        name: form_of(action, subject)[name] for name in ("speed", "egress")
    })  # fmt: skip
    per_unit = {"Mbps": 125_000, "KBps": 1024, "MBps": 1024**2}
    speed = found["ThrottlingSpeedLimit"] * per_unit[found["ThrottlingSpeedUnit"]]
    assert (speed, found["EgressQuotaMb"]) == (limit * per_unit[unit], megabytes)


@pytest.mark.parametrize(
    ("path", "name", "subject", "shown"),
    [
        ("tenants/{id}/edit", "egress", {"EgressQuotaMb": 500}, "0.488"),
        ("tenants/{id}/edit", "egress", {"EgressQuotaMb": 1536}, "1.5"),
        (
            "tenants/{id}/edit",
            "speed",
            {"ThrottlingEnabled": True, "ThrottlingSpeedLimit": 10, "ThrottlingSpeedUnit": "KBps"},
            "0.08",
        ),
        (
            "tenants/{id}/edit",
            "lease",
            {"LeaseOptions": {"Enabled": True, "ExpirationDate": "2026-12-01T18:00:00Z"}},
            "2026-12-01T18:00:00Z",
        ),
        (
            "tenants/{id}/edit",
            "lease",
            {"LeaseOptions": {"Enabled": True, "ExpirationDate": "2026-12-01T00:00:00Z"}},
            "2026-12-01",
        ),
        ("repositories/{id}/edit", "capacity", {"Capacity": 3 * TB // 2}, "1.5"),
    ],
)
def test_a_form_shows_what_is_so(path: str, name: str, subject: dict[str, Any], shown: str) -> None:
    assert form_of(EDITS[path], {"Name": "one", **subject})[name] == [shown]


@pytest.mark.parametrize(
    ("path", "subject", "emptied", "body"),
    [
        ("repositories/{id}/edit", {"Description": "x"}, "description", {"Description": ""}),
        ("pools/{id}/edit", {"Description": "x"}, "description", {"Description": ""}),
        ("repositories/{id}/edit", {"Address": "b:2"}, "address", {"Address": "a:1"}),
        ("repositories/{id}/edit", {"Capacity": TB}, "capacity", {"Capacity": 0}),
        ("sites/{id}/edit", {"Port": 9393}, "port", {"Port": 9392}),
        ("tenants/{id}/edit", {"EgressQuotaMb": 500}, "egress", {"EgressQuotaMb": 0}),
    ],
)
def test_what_is_emptied_is_so_afterwards(
    path: str, subject: dict[str, Any], emptied: str, body: dict[str, Any]
) -> None:
    thing = {"Name": "one", "Endpoint": "a:1", "Address": "a:1", **subject}
    form = form_of(EDITS[path], thing) | {emptied: [""]}
    assert said(EDITS[path], thing, form) == body


def test_the_least_that_is_more_than_nothing_is_never_no_limit() -> None:
    action, subject = EDITS["tenants/{id}/edit"], {"Name": "one"}
    form = form_of(action, subject) | {"egress": ["0.0001"], "speed": ["0.00001"]}
    assert said(action, subject, form) == {
        "EgressQuotaMb": 1,
        "ThrottlingEnabled": True,
        "ThrottlingSpeedLimit": 1,
        "ThrottlingSpeedUnit": "KBps",
    }
