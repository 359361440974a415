"""Gateway pools: the published examples, the rules, and what refuses to break them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from lxml import etree
from sqlalchemy import select

from cloudgate.manager.storage.tables import BackupServer
from cloudgate.protocol import EvictionProgress, GatewayState, Report
from tests.support.running.gateways import add_gateway
from tests.support.running.host import ScriptedHost, become_gateway
from tests.support.running.manager import RunningManager, finished

NS = {"v": "http://www.veeam.com/ent/v1.0"}
CREATE_XML = """<CreateCloudGatewayPoolSpec xmlns="http://www.veeam.com/ent/v1.0">
 <Name>GatewayPool 1</Name><Description>Created by REST API</Description>
 <CloudGateways><CloudGatewayUid>{gateway}</CloudGatewayUid></CloudGateways>
 <CloudTenants><CloudTenantUid>{tenant}</CloudTenantUid></CloudTenants>
 <BackupServerUid>{site}</BackupServerUid></CreateCloudGatewayPoolSpec>"""


@pytest.fixture
def second_host(running: RunningManager) -> Iterator[ScriptedHost]:
    joined = ScriptedHost(running, "gw2.example", ("192.0.2.11",))
    yield joined
    joined.close()


def make_gateway(client: httpx2.Client, host: ScriptedHost) -> str:
    """The UID of a new gateway."""
    return uid_at(client, become_gateway(client, host)["Links"][1]["Href"])


def uid_at(client: httpx2.Client, href: str) -> str:
    return str(client.get(href).raise_for_status().json()["UID"])


def make_tenant(client: httpx2.Client, *hosts: ScriptedHost, name: str = "ABC Company") -> str:
    """The UID of a new tenant, which all gateways have taken in."""
    answer = client.post("/cloud/tenants", json={"Name": name, "Password": "p"})
    return uid_at(client, obeyed(client, answer, *hosts)["Links"][1]["Href"])


def obeyed(client: httpx2.Client, answer: httpx2.Response, *hosts: ScriptedHost) -> dict[str, Any]:
    """The finished task of a 202 answer, after the hosts have taken in the change."""
    assert answer.status_code == 202, answer.text
    for host in hosts:
        host.obey()
    return finished(client, answer.json())


def make_pool(
    client: httpx2.Client,
    host: ScriptedHost,
    *gateways: str,
    others: tuple[ScriptedHost, ...] = (),
    **more: Any,
) -> str:
    """The path of a new pool. `others` are hosts that hear of its tenants, too."""
    spec = {"Name": "Pool 1", "CloudGateways": {"CloudGatewayUids": gateways}, **more}
    task = obeyed(client, client.post("/cloud/gatewayPools", json=spec), host, *others)
    assert task["Result"]["Success"], task
    href = str(task["Links"][1]["Href"])
    return href.partition("/api")[2].removesuffix("?format=Entity")


def test_the_published_pool_is_made_field_by_field(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    gateway, tenant = make_gateway(client, host), make_tenant(client, host)
    site = client.get("/backupServers").json()["Refs"][0]["UID"]
    answer = client.post(
        "/cloud/gatewayPools",
        content=CREATE_XML.format(gateway=gateway, tenant=tenant, site=site),
        headers={"Content-Type": "application/xml"},
    )
    assert answer.json()["Operation"] == "CreateCloudGatewayPool"
    task = obeyed(client, answer, host)
    related = task["Links"][1]
    assert (related["Rel"], related["Type"], related["Name"]) == (
        "Related",
        "CloudGatewayPools",
        "",
    )

    entity = client.get(related["Href"]).json()
    guid = entity["UID"].rpartition(":")[2]
    href = f"{running.url}/api/cloud/gatewayPools/{guid}"
    site_id = site.rpartition(":")[2]
    assert list(entity) == [
        "Description",
        "CloudGateways",
        "CloudTenants",
        "Name",
        "UID",
        "Links",
        "Href",
        "Type",
    ]
    assert entity["Name"] == "GatewayPool 1"
    assert entity["Description"] == "Created by REST API"
    assert entity["CloudGateways"] == {"CloudGatewayUids": [gateway]}
    assert entity["CloudTenants"] == {"CloudTenantUids": [tenant]}
    assert entity["Href"] == f"{href}?format=Entity"
    assert entity["Links"] == [
        {
            "Rel": "Up",
            "Href": f"{running.url}/api/backupServers/{site_id}",
            "Name": "localhost",
            "Type": "BackupServerReference",
        },
        {
            "Rel": "Alternate",
            "Href": href,
            "Name": "GatewayPool 1",
            "Type": "CloudGatewayPoolReference",
        },
        {"Rel": "Edit", "Href": href, "Name": "GatewayPool 1", "Type": "CloudGatewayPoolReference"},
        {"Rel": "Delete", "Href": href},
        {"Rel": "Down", "Href": f"{href}/gateways", "Type": "CloudGatewayReferenceList"},
        {"Rel": "Related", "Href": f"{href}/tenants", "Type": "CloudTenantReferenceList"},
    ]
    as_xml = running.logged_on(accept="*/*").get("/cloud/gatewayPools?format=Entity")
    root = etree.fromstring(as_xml.content)
    assert etree.QName(root).localname == "CloudGatewayPools"
    (pool,) = root.iterfind("v:CloudGatewayPool", NS)
    assert [etree.QName(child).localname for child in pool] == [
        "Links",
        "Description",
        "CloudGateways",
        "CloudTenants",
    ]
    assert pool.findtext("v:CloudGateways/v:CloudGatewayUid", namespaces=NS) == gateway


def test_pools_gateways_and_tenants_lead_to_each_other(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    gateway, tenant = make_gateway(client, host), make_tenant(client, host)
    pool = make_pool(client, host, gateway, CloudTenants={"CloudTenantUids": [tenant]})
    (reference,) = client.get("/cloud/gatewayPools").json()["Refs"]
    assert (reference["Name"], reference["Type"]) == ("Pool 1", "CloudGatewayPoolReference")
    assert [link["Rel"] for link in reference["Links"]] == ["Up", "Alternate"]
    assert client.get(f"{pool}/gateways").json()["Refs"][0]["UID"] == gateway
    assert client.get(f"{pool}/tenants").json()["Refs"][0]["UID"] == tenant
    entities = client.get(f"{pool}/gateways?format=Entity").json()["CloudGateways"]
    assert entities[0]["Links"][-1] == {
        "Rel": "Related",
        "Href": reference["Href"],
        "Name": "Pool 1",
        "Type": "CloudGatewayPoolReference",
    }
    assert client.get(f"{pool}/tenants?format=Entity").json()["CloudTenants"][0]["UID"] == tenant
    of_tenant = client.get(f"/cloud/tenants/{tenant}/gatewayPools").json()
    assert of_tenant == {"Refs": [reference]}
    comes_in = client.get(f"/cloud/tenants/{tenant}/gateways").json()["CloudTenantGateways"]
    assert [each["Address"].endswith(":6180") for each in comes_in] == [True]
    other = make_tenant(client, host, name="other")
    assert client.get(f"/cloud/tenants/{other}/gateways").json() == {"CloudTenantGateways": []}
    whole = client.get(f"/cloud/tenants/{tenant}?format=Entity").json()
    assert whole["CloudGatewayPools"] == {"CloudGatewayPoolUids": [reference["UID"]]}


def test_an_edit_replaces_what_it_gives_and_keeps_the_rest(
    client: httpx2.Client, host: ScriptedHost, second_host: ScriptedHost
) -> None:
    first, second = make_gateway(client, host), make_gateway(client, second_host)
    tenant = make_tenant(client, host, second_host)
    tenants = {"CloudTenantUids": [tenant]}
    pool = make_pool(client, host, first, others=(second_host,), CloudTenants=tenants)
    for change, expected in (
        ({"Name": "Renamed"}, ("Renamed", "", [first], [tenant])),
        ({"Description": "new"}, ("Renamed", "new", [first], [tenant])),
        (
            {"CloudGateways": {"CloudGatewayUids": [second]}},
            ("Renamed", "new", [second], [tenant]),
        ),
        ({"CloudTenants": {}}, ("Renamed", "new", [second], [])),
    ):
        answer = client.put(pool, json=change)
        assert answer.json()["Operation"] == "UpdateCloudGatewayPool"
        assert obeyed(client, answer, host, second_host)["Result"]["Success"] is True
        entity = client.get(f"{pool}?format=Entity").json()
        assert (
            entity["Name"],
            entity["Description"],
            entity["CloudGateways"]["CloudGatewayUids"],
            entity["CloudTenants"]["CloudTenantUids"],
        ) == expected


def test_the_whole_entity_may_be_sent_back_in_xml(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    pool = make_pool(client, host, make_gateway(client, host))
    by_xml = running.logged_on(accept="application/xml")
    entity = by_xml.get(f"{pool}?format=Entity").content
    answer = by_xml.put(pool, content=entity, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 202, answer.text
    assert by_xml.get(f"{pool}?format=Entity").content == entity


def test_a_removed_pool_gives_its_gateways_back(client: httpx2.Client, host: ScriptedHost) -> None:
    gateway = make_gateway(client, host)
    pool = make_pool(client, host, gateway)
    task = obeyed(client, client.delete(pool), host)
    assert task["Operation"] == "DeleteCloudGatewayPool"
    related = task["Links"][1]
    assert related["Type"] == "CloudGatewayPoolList"
    assert "Name" not in related
    assert client.get(related["Href"]).json() == {"CloudGatewayPools": []}
    assert client.get(pool).status_code == 404
    make_pool(client, host, gateway)


def test_a_pool_that_tenants_use_is_not_removed(client: httpx2.Client, host: ScriptedHost) -> None:
    tenant = make_tenant(client, host)
    pool = make_pool(
        client, host, make_gateway(client, host), CloudTenants={"CloudTenantUids": [tenant]}
    )
    refused = client.delete(pool)
    assert refused.status_code == 400
    assert "is in use by ABC Company" in refused.json()["Message"]
    obeyed(client, client.delete(f"/cloud/tenants/{tenant}"), host)
    assert obeyed(client, client.delete(pool), host)["Result"]["Success"] is True


def test_a_pool_loses_a_gateway_that_is_removed(client: httpx2.Client, host: ScriptedHost) -> None:
    gateway = make_gateway(client, host)
    pool = make_pool(client, host, gateway)
    answer = client.delete(f"/cloud/gateways/{gateway}")
    host.obey(GatewayState.ABSENT)
    assert finished(client, answer.json())["Result"]["Success"] is True
    entity = client.get(f"{pool}?format=Entity").json()
    assert entity["CloudGateways"] == {"CloudGatewayUids": []}
    assert client.put(pool, json=entity).status_code == 202, "what was read can be sent back"


def test_tenants_choose_their_pools_by_every_published_form(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    pool = make_pool(client, host, make_gateway(client, host))
    uid = client.get(pool).json()["UID"]
    tenant = make_tenant(client, host)
    path = f"/cloud/tenants/{tenant}"

    def pools() -> list[str]:
        return [ref["UID"] for ref in client.get(f"{path}/gatewayPools").json()["Refs"]]

    for given, expected in (
        ({"CloudGatewayPoolUids": [uid]}, [uid]),
        (None, [uid]),
        ({}, []),
        ({"CloudGatewayPoolUid": uid}, [uid]),
        ({"CloudGatewayPoolUids": []}, []),
    ):
        obeyed(client, client.put(path, json={"CloudGatewayPools": given}), host)
        assert pools() == expected
    spec = {"Name": "B", "CloudGatewayPools": {"CloudGatewayPoolUids": [uid]}}
    task = obeyed(client, client.post("/cloud/tenants", json=spec), host)
    created = client.get(task["Links"][1]["Href"]).json()
    assert created["CloudGatewayPools"] == {"CloudGatewayPoolUids": [uid]}


def test_bad_pools_are_refused_with_the_reason(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    gateway = make_gateway(client, host)
    pool = make_pool(client, host, gateway)
    client.post("/backupServers?action=create", json={"DnsNameOrIpAddress": "site2.example"})
    other = next(
        ref["UID"]
        for ref in client.get("/backupServers").json()["Refs"]
        if ref["Name"] == "site2.example"
    )
    home = next(
        ref["UID"]
        for ref in client.get("/backupServers").json()["Refs"]
        if ref["Name"] == "localhost"
    )
    good = {"Name": "Pool 2", "CloudGateways": {"CloudGatewayUids": [gateway]}}
    unknown = f"urn:veeam:CloudGateway:{uuid4()}"
    for change, status, words in (
        ({"BackupServerUid": home}, 400, "is in the pool Pool 1 already"),
        ({"BackupServerUid": other}, 400, "belongs to another backup server"),
        ({"CloudGateways": {}, "BackupServerUid": home}, 400, "needs at least one gateway"),
        ({"CloudGateways": None}, 400, "CloudGateways"),
        ({"Name": ""}, 400, "Name"),
        ({"Name": "pool 1", "BackupServerUid": home}, 400, "is there already"),
        ({"CloudGateways": {"CloudGatewayUids": [unknown]}, "BackupServerUid": home}, 404, "no cl"),
        ({"CloudGateways": {"CloudGatewayUids": ["x"]}}, 400, "CloudGatewayUid"),
        ({"CloudGateways": {"CloudGatewayUids": [home]}, "BackupServerUid": home}, 400, "not the"),
        (
            {
                "CloudTenants": {"CloudTenantUids": [f"urn:veeam:CloudTenant:{uuid4()}"]},
                "BackupServerUid": home,
                "CloudGateways": {"CloudGatewayUids": [gateway]},
            },
            400,
            "already",
        ),
    ):
        answer = client.post("/cloud/gatewayPools", json={**good, **change})
        assert (answer.status_code, change) == (status, change), answer.text
        assert words in answer.json()["Message"], answer.text
    assert client.put(pool, json={"CloudGateways": {}}).status_code == 400
    bad_tenant = {"CloudTenants": {"CloudTenantUids": [f"urn:veeam:CloudTenant:{uuid4()}"]}}
    assert client.put(pool, json=bad_tenant).status_code == 404
    assert len(client.get("/cloud/gatewayPools").json()["Refs"]) == 1
    for path in ("/cloud/gatewayPools/7", f"/cloud/gatewayPools/{home}"):
        for verb in ("GET", "DELETE"):
            assert client.request(verb, path).status_code == 400
    for path in (f"/cloud/gatewayPools/{uuid4()}", f"/cloud/gatewayPools/{uuid4()}/gateways"):
        assert client.get(path).status_code == 404


def test_gateways_learn_whom_they_are_for(client: httpx2.Client, host: ScriptedHost) -> None:
    gateway, tenant = make_gateway(client, host), make_tenant(client, host)
    pool = make_pool(client, host, gateway, CloudTenants={"CloudTenantUids": [tenant]})
    pool_id = client.get(pool).json()["UID"].rpartition(":")[2]
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    assert str(host.assignment.gateway.pool_id) == pool_id
    assert host.update.directory is not None
    (known,) = host.update.directory.tenants
    assert [str(each) for each in known.pool_ids] == [pool_id]
    obeyed(client, client.put(pool, json={"CloudTenants": {}}), host)
    assert host.update.directory.tenants[0].pool_ids == ()
    obeyed(client, client.delete(pool), host)
    assert host.assignment.gateway is not None
    assert host.assignment.gateway.pool_id is None


def test_two_changes_at_once_both_end_and_the_later_wins(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    pool = make_pool(client, host, make_gateway(client, host))
    tasks = [client.put(pool, json={"Description": text}).json() for text in ("one", "two")]
    host.obey()
    assert [finished(client, task)["Result"]["Success"] for task in tasks] == [True, True]
    assert client.get(f"{pool}?format=Entity").json()["Description"] == "two"


def test_a_pools_task_runs_until_tunnels_without_a_place_have_ended_and_says_how(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    gateway = make_gateway(client, host)
    spec = {"Name": "Gold", "CloudGateways": {"CloudGatewayUids": [gateway]}}
    answer = client.post("/cloud/gatewayPools?drainSeconds=90", json=spec)
    site = host.hear_site()
    assert (site.drain_seconds, bool(site.drain)) == (90, True)

    def report(tunnels: int, finished: int, closed: int) -> None:
        found = EvictionProgress(
            tunnels=tunnels,
            finished=finished,
            closed=closed,
            directory_revision=host.directory_revision,
        )
        host.report(misplaced=found).raise_for_status()

    report(3, 0, 0)
    for left in (2, 1):
        running.clock.ahead += timedelta(seconds=9)
        report(left, 3 - left, 0)
        running.wake()
    assert client.get(answer.json()["Href"]).json()["State"] == "Running"
    report(0, 2, 1)
    message = finished(client, answer.json())["Result"]["Message"]
    assert "2 finished by themselves and 1 were closed" in message

    # What was counted then has nothing to do with the next change.
    pool = client.get("/cloud/gatewayPools").json()["Refs"][0]["Href"]
    answer = client.put(pool, json={"Name": "Gold", "Description": "new"})
    after = host.hear_site()
    assert (after.drain_seconds, after.drain) == (8 * 3600, site.drain)
    host.report(misplaced=EvictionProgress(tunnels=0, finished=2, closed=1, directory_revision=1))
    assert finished(client, answer.json())["Result"]["Message"] == "Ok"


def test_a_pools_task_does_not_wait_for_a_gateway_that_is_away(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    gateway = make_gateway(client, host)
    spec = {"Name": "Gold", "CloudGateways": {"CloudGatewayUids": [gateway]}}
    answer = client.post("/cloud/gatewayPools", json=spec)
    host.poll()
    left = EvictionProgress(
        tunnels=4, finished=0, closed=0, directory_revision=host.directory_revision
    )
    host.report(misplaced=left).raise_for_status()
    running.clock.ahead += timedelta(minutes=2)
    running.wake()
    ended = finished(client, answer.json())
    assert ended["Result"]["Success"] is True
    assert "gw1.example is away; it had 4 of them left" in ended["Result"]["Message"]


def test_of_many_gateways_that_are_away_with_tunnels_five_are_named(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    gateway = make_gateway(client, host)
    with running.manager.changing() as work:
        site_id = work.session.scalars(select(BackupServer.id)).one()
        far = work.next_directory_revision() + 10**9
        left = EvictionProgress(tunnels=2, finished=1, closed=0, directory_revision=far)
        report = Report(
            assignment_revision=1,
            directory_revision=far,
            state=GatewayState.LISTENING,
            misplaced=left,
        )
        for number in range(8):
            add_gateway(work, site_id, f"g{number}", report=report.model_dump(mode="json"))
    spec = {"Name": "Gold", "CloudGateways": {"CloudGatewayUids": [gateway]}}
    answer = client.post("/cloud/gatewayPools", json=spec)
    host.hear_site()
    host.report()
    running.clock.ahead += timedelta(minutes=2)
    running.wake()
    assert finished(client, answer.json())["Result"]["Message"] == (
        "Ok. Of the tunnels that had no place any more, 8 finished by themselves and 0 were closed."
        + "".join(f" g{number} is away; it had 2 of them left." for number in range(5))
        + " So are 3 more; they had 6 of them left."
    )
