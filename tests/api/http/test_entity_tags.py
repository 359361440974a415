"""ETag and If-Match: two who change the same thing hear of each other."""

from typing import Any

import httpx2

from cloudgate.api.compatibility.elements import ELEMENTS, Treatment
from cloudgate.api.http.entity_tags import BY_THEMSELVES, fits
from cloudgate.api.table import ROUTES
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import (
    RunningManager,
    client_of_module,
    finished,
    manager_of_module,
)

GATEWAY = {"ServerHostName": "gw1.example", "NetworkType": "Direct"}
STABLE = {"Name", "LastModificationDate"}
"""Read only, and changed by a change alone."""

running = manager_of_module()
admin = client_of_module()


def entity(client: httpx2.Client, path: str) -> httpx2.Response:
    return client.get(f"{path.partition('?')[0]}?format=Entity").raise_for_status()


def made_tenant(client: httpx2.Client, name: str) -> str:
    task = client.post("/cloud/tenants", json={"Name": name, "Password": "a long password"}).json()
    finished(client, task)
    found = client.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
    return str(next(each["Href"] for each in found if each["Name"] == name)).partition("?")[0]


def test_the_second_of_two_hears_that_the_first_has_changed_it_and_who_that_was(
    running: RunningManager, admin: httpx2.Client
) -> None:
    path = made_tenant(admin, "acme")
    seen = entity(admin, path).headers["ETag"]
    first = admin.put(path, json={"Description": "first"}, headers={"If-Match": seen})
    finished(admin, first.json())
    second = admin.put(path, json={"Description": "second"}, headers={"If-Match": seen})
    assert second.status_code == 412
    assert "acme was changed since you looked at it by admin, at 20" in second.json()["Message"]
    assert entity(admin, path).json()["Description"] == "first"
    now = entity(admin, path).headers["ETag"]
    assert now != seen
    assert admin.delete(path, headers={"If-Match": seen}).status_code == 412
    again = admin.put(path, json={"Description": "second"}, headers={"If-Match": now})
    assert again.status_code == 202
    finished(admin, again.json())
    assert admin.put(path, json={"Description": "third"}).status_code == 202
    assert admin.put(path, json={}, headers={"If-Match": "*"}).status_code == 202


def test_both_forms_have_a_tag_of_their_own_that_stands_for_the_same(
    running: RunningManager, admin: httpx2.Client
) -> None:
    path = made_tenant(admin, "forms")
    as_json = entity(admin, path).headers["ETag"]
    as_xml = entity(running.logged_on("application/xml"), path).headers["ETag"]
    assert as_json != as_xml
    for each in (as_json, as_xml, f'"other", {as_xml}'):
        assert admin.put(path, json={}, headers={"If-Match": each}).status_code == 202
    for each in (f"W/{as_json}", '"other"', "other", '""'):
        assert admin.put(path, json={}, headers={"If-Match": each}).status_code == 412


def test_what_a_host_has_yet_to_take_in_is_changed_already(
    running: RunningManager, admin: httpx2.Client
) -> None:
    host = ScriptedHost(running)
    task = admin.post("/cloud/gateways", json=GATEWAY).raise_for_status().json()
    host.obey()
    path = finished(admin, task)["Links"][1]["Href"].partition("?")[0]
    seen = entity(admin, path).headers["ETag"]
    headers = {"If-Match": seen}
    assert admin.put(path, json={"Description": "one"}, headers=headers).status_code == 202
    assert admin.put(path, json={"Description": "two"}, headers=headers).status_code == 412
    host.close()


def test_a_capacity_that_was_stated_is_a_change_and_one_that_was_measured_is_not(
    admin: httpx2.Client,
) -> None:
    made = admin.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"})
    path = made.headers["Location"]
    seen = {"If-Match": entity(admin, path).headers["ETag"]}
    assert admin.put(path, json={"Capacity": 10}, headers=seen).status_code == 204
    assert admin.put(path, json={"Capacity": 20}, headers=seen).status_code == 412
    seen = {"If-Match": entity(admin, path).headers["ETag"]}
    assert admin.delete(path, headers=seen).status_code == 204


def test_what_nobody_can_change_has_no_tag_and_matches_none(admin: httpx2.Client) -> None:
    for path in ("/cloud/tenants?format=Entity", "/security/roles", "/tasks"):
        assert "ETag" not in admin.get(path).headers
    refused = admin.post("/cloud/tenants", json={"Name": "x"}, headers={"If-Match": '"x"'})
    assert refused.status_code == 412
    assert "has no ETag" in refused.text


def test_nothing_is_in_a_tag_that_changes_without_a_change() -> None:
    bodies = {kind for route in ROUTES if route.verb == "PUT" for kind in route.bodies}
    for kind in bodies:
        said: Any = ELEMENTS.get(kind.root(), {})
        read_only = {
            name
            for name, each in said.items()
            if each.fate is Treatment.IGNORED and each.words == "read only"
        }
        assert read_only - STABLE <= BY_THEMSELVES, kind


def test_a_condition_is_read_as_it_is_written() -> None:
    assert fits('"a.json"', "a")
    assert fits('"b" , "a.xml"', "a")
    assert not fits("a", "a")
    assert not fits('"ab"', "a")
