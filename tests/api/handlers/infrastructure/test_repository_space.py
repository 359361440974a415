"""How large repositories are: as stated or as measured, and never a number that means unknown."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from lxml import etree
from sqlalchemy import select

from cloudgate.manager.storage.tables import TenantResource
from cloudgate.protocol import DirectorySize
from tests.api.handlers.infrastructure.measuring_host import directory_probe, measuring_host
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished
from tests.support.waiting import until

GB = 1024**3
MB = 1024**2


@pytest.fixture
def host(running: RunningManager) -> Iterator[ScriptedHost]:
    started = ScriptedHost(running)
    yield started
    started.close()


def add(client: httpx2.Client, **spec: Any) -> str:
    """Where a new repository is."""
    number = len(client.get("/repositories").json()["Refs"])
    body = {"Name": f"vault{number}", "Endpoint": f"vault{number}.example:1", **spec}
    return str(client.post("/repositories", json=body).raise_for_status().headers["Location"])


def shown(client: httpx2.Client, href: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{href}?format=Entity").json()
    return found


def room(client: httpx2.Client, href: str) -> tuple[int | None, int | None]:
    found = shown(client, href)
    return found.get("Capacity"), found.get("FreeSpace")


def periods(client: httpx2.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/reports/summary/repository").json()["Periods"]
    return found


def give(client: httpx2.Client, href: str, quota_mb: int, name: str = "acme") -> None:
    """A tenant with a quota there."""
    uid = shown(client, href)["UID"]
    quota = {"Name": "q", "RepositoryUid": uid, "QuotaMb": quota_mb}
    spec = {"Name": name, "Password": "p", "Resources": {"BackupResources": [quota]}}
    finished(client, client.post("/cloud/tenants", json=spec).json())


def test_of_what_nobody_knows_nothing_is_said_and_no_report_has_it(
    running: RunningManager, client: httpx2.Client
) -> None:
    unknown = add(client)
    known = add(client, Capacity=100 * GB)
    give(client, unknown, 1024)
    assert not {"Capacity", "FreeSpace"} & shown(client, unknown).keys()
    by_xml = running.logged_on(accept="*/*").get(f"{unknown}?format=Entity")
    names = [etree.QName(child).localname for child in etree.fromstring(by_xml.content)]
    rules = ["QuotaWarningPercents", "QuotaGracePercent", "QuotaEnforced"]
    assert names == ["Links", "Kind", "Description", "Endpoint", "Address", *rules]
    for found in (
        client.get("/repositories?format=Entity").json()["Repositories"],
        client.get("/query?type=Repository&format=Entities&sortAsc=name").json()["Entities"][
            "Repositories"
        ]["Repositories"],
    ):
        assert [each.get("Capacity") for each in found] == [None, 100 * GB]
        assert [each.get("FreeSpace") for each in found] == [None, 100 * GB]
    assert periods(client) == [
        {"Name": "vault1", "Capacity": 100 * GB, "FreeSpace": 100 * GB, "BackupSize": 0}
    ]
    assert room(client, known) == (100 * GB, 100 * GB)
    for text, names in (
        ("Capacity>0", ["vault1"]),
        (f"FreeSpace=={100 * GB}", ["vault1"]),
        ("FreeSpace>=0,FreeSpace<0", ["vault1"]),
        ("Capacity==0", []),
    ):
        refs = client.get("/query", params={"type": "Repository", "filter": text}).json()["Refs"]
        assert [each["Name"] for each in refs["Refs"]] == names, text


def test_a_capacity_is_stated_later_changed_and_taken_back(client: httpx2.Client) -> None:
    href = add(client)
    for change, expected in (
        ({"Capacity": 50 * GB}, 50 * GB),
        ({"Description": "d"}, 50 * GB),
        ({"Name": "v", "Endpoint": "v.example:1", "Capacity": 2**60}, 2**60),
        ({"Capacity": None}, 2**60),
        ({"Capacity": 0}, None),
        ({"Capacity": 7}, 7),
    ):
        client.put(href, json=change).raise_for_status()
        assert room(client, href)[0] == expected, change
    entity = shown(client, href)
    client.put(href, json=entity).raise_for_status()
    assert shown(client, href) == entity
    for wrong in (-1, 2**63, "big"):
        assert client.put(href, json={"Capacity": wrong}).status_code == 400
    body = (
        '<CreateRepositorySpec xmlns="http://www.veeam.com/ent/v1.0"><Name>x</Name>'
        "<Endpoint>x.example:1</Endpoint><Capacity>1024</Capacity></CreateRepositorySpec>"
    )
    made = client.post(
        "/repositories", content=body, headers={"Content-Type": "application/xml"}
    ).raise_for_status()
    assert room(client, made.headers["Location"]) == (1024, 1024)


def test_of_what_is_stated_is_free_what_tenants_have_not_taken_and_may_not_take(
    client: httpx2.Client,
) -> None:
    href = add(client, Capacity=10 * GB)
    give(client, href, 4096)
    assert room(client, href) == (10 * GB, 6 * GB)
    give(client, href, 2251799812636672, "sky")
    assert room(client, href) == (10 * GB, 0)


@pytest.mark.both_databases
def test_what_is_stated_and_used_may_be_as_much_as_there_is(
    running: RunningManager, client: httpx2.Client
) -> None:
    most, largest_measured = 2**63 - 1, 10**18 - 1
    href = add(client, Capacity=most)
    capacity, free = room(client, href)
    assert capacity == most
    assert free == pytest.approx(most)
    sky, names = add(client, Capacity=GB), [f"t{number}" for number in range(10)]
    for name in names:
        give(client, sky, 1024, name)
    with running.manager.changing() as work:
        for each in work.session.scalars(select(TenantResource)):
            each.used_bytes = largest_measured
    assert room(client, sky) == (GB, 0)
    used = {each["Name"]: each["BackupSize"] for each in periods(client)}
    assert used == {"vault0": 0, "vault1": pytest.approx(10 * largest_measured)}


def test_a_probe_measures_how_large_the_file_system_is(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    host.poll()
    href = add(client, UsageProbe=directory_probe(host))
    first = DirectorySize(used_bytes=5 * MB, capacity_bytes=100 * GB, free_bytes=30 * GB)
    with measuring_host(host, first):
        give(client, href, 4096)
        until(lambda: room(client, href)[0])
    assert room(client, href) == (100 * GB, 30 * GB)
    (period,) = periods(client)
    assert (period["Capacity"], period["FreeSpace"]) == (100 * GB, 30 * GB)
    assert period["BackupSize"] == 5 * MB
    # What was measured, sent back, states nothing.
    client.put(href, json=shown(client, href)).raise_for_status()
    client.put(href, json={"Capacity": 0}).raise_for_status()
    assert room(client, href) == (100 * GB, 30 * GB)
    # Stated is how much of it is for this; no more of that is free than of the whole.
    client.put(href, json={"Capacity": 20 * GB}).raise_for_status()
    assert room(client, href) == (20 * GB, 20 * GB - 5 * MB)
    client.put(href, json={"Capacity": 200 * GB}).raise_for_status()
    assert room(client, href) == (200 * GB, 30 * GB)
    client.put(href, json={"Capacity": 0, "UsageProbe": {"Method": "None"}}).raise_for_status()
    assert room(client, href) == (None, None)


def test_a_host_of_the_release_before_measures_without_saying_how_large_it_is(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    host.poll()
    href = add(client, UsageProbe=directory_probe(host))
    with measuring_host(host, DirectorySize(used_bytes=5 * MB)):
        give(client, href, 4096)

        def used() -> Any:
            (tenant,) = client.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
            (found,) = tenant["Resources"]["CloudTenantResources"]
            return found["RepositoryQuota"].get("UsedQuota")

        until(lambda: used() == 5)
    assert room(client, href) == (None, None)
    assert periods(client) == []
