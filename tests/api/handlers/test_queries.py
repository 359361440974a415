"""The query service: each published request, paging, bad input, and what a page costs."""

from dataclasses import fields
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx2
import pytest
from lxml import etree
from sqlalchemy import select

from cloudgate.api.handlers.queries import TYPES
from cloudgate.manager.queries.filter import MOST_COMPARISONS
from cloudgate.manager.queries.sources import SOURCES
from cloudgate.manager.storage.tables import BackupServer, CloudTenant, Task
from cloudgate.wire.resources.queries import Entities, Resources
from tests.support.observation.sql_statements import statements
from tests.support.running.manager import (
    RunningManager,
    client_of_module,
    manager_of_module,
    running_manager,
)

NS = {"v": "http://www.veeam.com/ent/v1.0"}
TENANTS = 250


def add_many_tenants(running: RunningManager) -> None:
    with running.manager.changing() as work:
        site = work.session.query(BackupServer).one()
        add_tenants(work.session, site.id, TENANTS)


running = manager_of_module(add_many_tenants)
"""These tests change nothing."""
client = client_of_module()


def add_tenants(session: Any, site_id: UUID, count: int) -> None:
    session.add_all(
        CloudTenant(
            backup_server_id=site_id,
            name=f"Tenant {number:05d}",
            login=f"tenant {number:05d}",
            enabled=number % 5 != 0,
            directory_revision=1,
        )
        for number in range(count)
    )


def query(client: httpx2.Client, text: str) -> dict[str, Any]:
    answer = client.get(f"/query?{text}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [each["Name"] for each in found["Refs"]["Refs"]]


@pytest.mark.parametrize(
    ("text", "array"),
    [
        (
            (
                'type=CloudGateway&format=Entities&sortAsc=name&filter=BackupServerName=="172.24.31.67"'
                ";Enabled==true"
            ),
            "CloudGateways",
        ),
        (
            (
                "type=CloudGatewayPool&format=Entities&sortAsc=Name"
                '&filter=BackupServerUid=="ca19249e-e638-421a-ab22-68cb89b9009a"'
            ),
            "CloudGatewayPools",
        ),
        (
            (
                'type=CloudTenant&format=Entities&sortAsc=name&filter=BackupServerName=="172.24.31.67"'
                ";Type==ActiveDirectory"
            ),
            "CloudTenants",
        ),
        (
            (
                "type=CloudPublicIpAddress&format=Entities&sortAsc=Name"
                '&filter=BackupServerName=="172.24.31.67"'
                ';CloudTenantUid=="urn:veeam:CloudTenant:e38a8692-6816-443e-9052-7fa71ee7fd65"'
            ),
            "CloudPublicIpAddresses",
        ),
        (
            "type=ManagedServer&format=Entities&sortAsc=name&filter=ManagedServerType==VC",
            "ManagedServers",
        ),
        ("type=Repository&format=Entities&filter=FreeSpace<107374182400", "Repositories"),
        (
            (
                "type=job&format=entities&filter=(jobtype==replica;scheduleconfigured==false),"
                "(jobtype==backup;scheduleconfigured==true)"
            ),
            "Jobs",
        ),
    ],
)
def test_published_requests_are_answered_in_the_published_shape(
    running: RunningManager, client: httpx2.Client, text: str, array: str
) -> None:
    found = query(client, text)
    assert found["Entities"] == {array: {array: []}}
    assert (found["Refs"], found["Resources"]) == (None, None)
    paging = found["PagingInfo"]
    assert (paging["PageNum"], paging["PageSize"], paging["PagesCount"]) == (1, 100, 1)
    assert [link["Rel"] for link in paging["Links"]] == ["First", "Last"]
    by_xml = running.logged_on(accept="*/*").get(f"/query?{text}")
    root = etree.fromstring(by_xml.content)
    assert etree.QName(root).localname == "QueryResult"
    assert [etree.QName(child).localname for child in root] == ["Entities", "PagingInfo"]


def test_resources_without_a_reference_form_come_whole(
    running: RunningManager, client: httpx2.Client
) -> None:
    client.post("/backupServers?action=create", json={"DnsNameOrIpAddress": "two.example"})
    site = query(client, "type=backupServer&filter=Name==two.example")["Refs"]["Refs"][0]
    client.post(f"{site['Href']}?action=collect").raise_for_status()
    tasks = query(client, "type=Task&filter=State==Finished")["Resources"]["Tasks"]["Tasks"]
    assert {task["Operation"] for task in tasks} == {"CollectingBackupServer"}
    spec = {"Username": "administrator", "Description": "d", "Password": "x"}
    client.post(f"{site['Href']}/credentials?action=create", json=spec).raise_for_status()
    found = query(client, "type=Credentials&format=Entities&filter=Username==administrator")
    (kept,) = found["Resources"]["CredentialsList"]["CredentialsInfos"]
    assert (kept["Username"], kept["Password"]) == ("administrator", "")
    assert query(client, "type=Passwords")["Resources"] == {
        "PasswordKeyInfoList": {"PasswordKeyInfos": []}
    }
    text = (
        "type=CloudSubtenant&format=Entities&sortAsc=Name"
        '&filter=BackupServerName=="172.24.31.67";Disabled==false;CloudTenantName=="ABC Company"'
    )
    assert query(client, text)["Resources"] == {"CloudSubtenants": {"CloudSubtenants": []}}


@pytest.mark.parametrize("form", ["", "&format=Entities"])
@pytest.mark.parametrize(
    "asked",
    [
        "",
        "sortAsc=Name",
        "sortDesc=Enabled",
        "sortDesc=BackupServerName",
        "sortAsc=Name&filter=Enabled==true",
        'sortDesc=Name&filter=BackupServerName=="localhost";Name>"Tenant 00100"',
    ],
)
def test_pages_together_are_what_one_page_of_all_is(
    client: httpx2.Client, asked: str, form: str
) -> None:
    def read(more: str) -> list[str]:
        found = query(client, f"type=CloudTenant{form}&{asked}{more}")
        if form:
            return [each["Name"] for each in found["Entities"]["CloudTenants"]["CloudTenants"]]
        return names(found)

    every = read("&pageSize=1000")
    pages = [read(f"&pageSize=60&page={number}") for number in range(1, 6)]
    assert [name for page in pages for name in page] == every
    assert len(every) == len(set(every)) > 100


@pytest.mark.parametrize("asked", ["", "sortAsc=Name"])
def test_pages_before_are_passed_by_an_index_alone(
    running: RunningManager, client: httpx2.Client, asked: str
) -> None:
    with statements(running) as seen:
        query(client, f"type=CloudTenant&pageSize=10&page=20&{asked}")
    (paged,) = [each for each in seen if "OFFSET" in each and "cloud_tenants" in each]
    with running.manager.reading() as work:
        plan = work.session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {paged}", (10, 190) * (paged.count("?") // 2)
        )
        told = [str(row[3]) for row in plan]
    assert [each for each in told if "SCAN cloud_tenants USING COVERING INDEX" in each], told


def test_pages_lead_to_each_other(client: httpx2.Client) -> None:
    text = "type=backupServer&pageSize=1"
    query(client, text)
    found = query(client, "type=CloudTenant&sortDesc=name&filter=Enabled==true&pageSize=90")
    paging = found["PagingInfo"]
    assert (paging["PageNum"], paging["PageSize"], paging["PagesCount"]) == (1, 90, 3)
    assert [link["Rel"] for link in paging["Links"]] == ["First", "Next", "Last"]
    assert all(set(link) == {"Rel", "Href"} for link in paging["Links"])
    seen = names(found)
    while following := [link for link in paging["Links"] if link["Rel"] == "Next"]:
        sent = parse_qs(urlsplit(following[0]["Href"]).query)
        assert sent["filter"] == ["Enabled==true"]
        found = client.get(following[0]["Href"]).json()
        paging = found["PagingInfo"]
        seen += names(found)
    assert [link["Rel"] for link in paging["Links"]] == ["First", "Previous", "Last"]
    expected = [f"Tenant {number:05d}" for number in range(TENANTS) if number % 5]
    assert seen == expected[::-1]
    beyond = query(client, "type=CloudTenant&page=9")
    assert beyond["Refs"] == {"Refs": []}
    assert [link["Rel"] for link in beyond["PagingInfo"]["Links"]] == ["First", "Previous", "Last"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("filter=Name==tenant 00007", 1),
        ('filter=name=="TENANT%2000007"', 1),
        ("filter=Name==Tenant+00007", 1),
        ('filter=Name<"Tenant 00010"', 10),
        ('filter=Name>=Tenant 00240;Name!="Tenant 00249"', 9),
        ("filter=Enabled==false", 50),
        ("filter=ENABLED==False;(Name==Tenant 00000,Name==Tenant 00001)", 1),
        ("filter=Type==standalone", TENANTS),
        ("filter=Type>VCD", TENANTS),
        ("filter=Type<Standalone", 0),
        ("Type=CloudTenant&FILTER=BackupServerName==LOCALHOST", TENANTS),
        ("v=latest&unknown=1", TENANTS),
        ("&amp;filter=Enabled==false", 50),
    ],
)
def test_filters_choose_what_is_wanted(client: httpx2.Client, text: str, count: int) -> None:
    found = query(client, f"type=CloudTenant&{text}&pageSize=1")
    pages = found["PagingInfo"]["PagesCount"]
    assert (pages if found["Refs"]["Refs"] else 0) == count


def test_a_uid_is_compared_whole_or_bare(client: httpx2.Client) -> None:
    uid = query(client, "type=CloudTenant&pageSize=1")["Refs"]["Refs"][0]["UID"]
    for written in (uid, uid.rpartition(":")[2], f'"{uid}"', f'" {uid} "'):
        assert len(names(query(client, f"type=CloudTenant&filter=UID=={written}"))) == 1


def test_a_text_that_is_no_name_is_found_as_it_was_written(client: httpx2.Client) -> None:
    said = " cafe\N{COMBINING ACUTE ACCENT} "  # neither composed nor without blanks around it
    spec = {"DnsNameOrIpAddress": "written.example", "Description": said}
    client.post("/backupServers?action=create", json=spec).raise_for_status()
    site = query(client, "type=BackupServer&filter=Name==written.example")["Refs"]["Refs"][0]
    for collection, body in (
        ("credentials", {"Username": said, "Description": said, "Password": "x"}),
        ("passwords", {"Hint": said, "Password": "x"}),
    ):
        client.post(f"{site['Href']}/{collection}?action=create", json=body).raise_for_status()
    for asked, field in (
        ("BackupServer", "Description"),
        ("Credentials", "Username"),
        ("Credentials", "Description"),
        ("Passwords", "Hint"),
    ):
        parameters = {"type": asked, "format": "Entities", "filter": f'{field}=="{said}"'}
        found = client.get("/query", params=parameters).raise_for_status().json()
        (listed,) = (found["Entities"] or found["Resources"]).values()
        assert [len(each) for each in listed.values()] == [1], (asked, field)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "type is missing"),
        ("type=Nothing", "type: found 'Nothing'"),
        ("type=CloudTenant&filter=Name=x", "filter, position 5: found '=x', expected =="),
        ("type=CloudTenant&filter=Size==1", "position 1: CloudTenant has no parameter 'Size'; it"),
        (
            "type=CloudTenant&filter=Enabled==maybe",
            "Enabled: found 'maybe', expected true or false",
        ),
        ("type=CloudTenant&filter=Enabled>true", "compared with == and != only"),
        ("type=CloudTenant&filter=UID==7", "UID: found '7', expected a UID or a GUID"),
        ("type=CloudTenant&filter=Type==Gold", "expected one of vCD, Standalone, ActiveDirectory"),
        ("type=BackupServer&filter=Port==many", "Port: found 'many', expected a whole number"),
        ("type=BackupServer&filter=Port==" + "9" * 40, "expected a whole number"),
        ("type=CloudTenant&sortAsc=size", "sort: CloudTenant has no parameter 'size'"),
        ("type=CloudTenant&sortAsc=name&sortDesc=name", "give one of the two"),
        ("type=CloudTenant&page=0", "page: found '0', expected a whole number from 1"),
        ("type=CloudTenant&pageSize=-1", "pageSize: found '-1'"),
        ("type=CloudTenant&pageSize=99999", "pageSize: found '99999'"),
        ("type=CloudTenant&page=" + "0" * 19 + "9" * 30, "page: found '0000"),
        ("type=CloudTenant&pageSize=" + "9" * 5000, "pageSize: found '9999"),
        ("type=CloudTenant&filter=Name==a%00b", "the character U+0000 (%00)"),
        (f"type=CloudTenant&filter={','.join(['Name==x'] * 501)}", "at most 500 comparisons"),
    ],
)
def test_what_makes_no_sense_is_shown_its_place(
    client: httpx2.Client, text: str, words: str
) -> None:
    answer = client.get(f"/query?{text}")
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["Message"]


@pytest.mark.parametrize("joint", [",", ";"])
def test_as_many_comparisons_as_a_filter_may_have_are_made(
    client: httpx2.Client, joint: str
) -> None:
    text = joint.join(["Name!=x"] * MOST_COMPARISONS)
    assert query(client, f"type=CloudTenant&filter={text}")["Refs"]


def test_zeros_before_a_number_count_for_nothing(client: httpx2.Client) -> None:
    zeros = "0" * 5000
    assert query(client, f"type=CloudTenant&page={zeros}1")["PagingInfo"]["PageNum"] == 1
    assert client.get(f"/cloud/usage?days={zeros}7").status_code == 200
    assert client.get(f"/cloud/usage?days={'9' * 5000}").status_code == 400


def test_a_page_of_many_costs_as_many_statements_as_a_page_of_few(tmp_path: Any) -> None:
    with running_manager(tmp_path) as running:
        client = running.logged_on()
        counts = []
        for count in (100, 3000):
            with running.manager.changing() as work:
                site = work.session.query(BackupServer).one()
                work.session.query(CloudTenant).delete()
                add_tenants(work.session, site.id, count)
            counts.append(statements_of(running, client))
        assert counts[0] == counts[1] > 0


def statements_of(running: RunningManager, client: httpx2.Client) -> int:
    """How many statements one page takes."""
    with statements(running) as seen:
        query(client, "type=CloudTenant&format=Entities&sortAsc=name&filter=Enabled==true")
    return len(seen)


def test_every_type_has_its_place() -> None:
    places = {field.name for kind in (Entities, Resources) for field in fields(kind)}
    assert {each.field for each in TYPES} == places
    assert {each.name for each in TYPES if each.whole or each.wholes} == set(SOURCES)


def test_the_query_service_links_to_every_published_type(client: httpx2.Client) -> None:
    service = client.get("/querySvc").json()
    assert service["Type"] == "QueryService"
    hrefs = [link["Href"].partition("/api")[2] for link in service["Links"][1:]]
    assert len(hrefs) == 40
    assert "/query?type=CloudGateway&format=Entities&sortAsc=name&pageSize=15&page=1" in hrefs
    assert hrefs[3] == "/query?type=Task&format=Entities&sortAsc=TaskUid&pageSize=15&page=1"


def test_lookups_find_nothing(client: httpx2.Client) -> None:
    assert client.get("/lookupSvc").json()["Type"] == "LookupService"
    for text in ("host=urn%3aveeam%3aHierarchyRoot%3ax&name=*&type=Vm", "hierarchyRef=x"):
        assert client.get(f"/lookup?{text}").json() == {"HierarchyItems": []}


def test_the_audit_log_is_asked_like_everything_else(client: httpx2.Client) -> None:
    site = names_to_uids(client)["localhost"]
    for number in range(3):
        spec = {
            "Name": f"audit {number}",
            "Endpoint": f"audit{number}.example:1",
            "BackupServerUid": site,
        }
        client.post("/repositories", json=spec).raise_for_status()
    answer = client.get(
        '/audit?filter=Operation==CreateRepository;ObjectName>"audit 0"&sortDesc=Time&pageSize=1'
    ).json()
    (newest,) = answer["AuditEvents"]["AuditEvents"]
    assert newest["ObjectName"] == "audit 2"
    assert newest["Text"].startswith("Repository audit 2 [")
    assert (newest["Account"], newest["Address"], newest["Success"]) == ("admin", "127.0.0.1", True)
    assert '"Endpoint": "audit2.example:1"' in newest["After"]
    assert answer["PagingInfo"]["PagesCount"] == 2
    by_id = client.get(f"/audit?filter=ObjectId=={newest['ObjectId']}").json()
    assert len(by_id["AuditEvents"]["AuditEvents"]) == 1
    nothing = client.get('/audit?filter=Time<"2020-01-01"').json()
    assert nothing["AuditEvents"] == {"AuditEvents": []}
    refused = client.get("/audit?filter=Time<yesterday")
    assert "expected a time such as" in refused.json()["Message"]


def names_to_uids(client: httpx2.Client) -> dict[str, str]:
    """The backup servers."""
    return {each["Name"]: each["UID"] for each in client.get("/backupServers").json()["Refs"]}


def test_tasks_sort_by_their_number(running: RunningManager, client: httpx2.Client) -> None:
    with running.manager.changing() as work:
        work.session.add_all(
            Task(operation="X", created_at=work.now, deadline_at=work.now, finished_at=work.now)
            for _ in range(12)
        )
    found = query(client, "type=Task&sortDesc=TaskUid&filter=Operation==X")
    numbers = [int(task["TaskId"][5:]) for task in found["Resources"]["Tasks"]["Tasks"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(query(client, f"type=Task&filter=TaskId==task-{numbers[0]}")["Resources"]) == 1


def test_how_many_pages_there_are_is_counted_once_until_something_changes(
    running: RunningManager, client: httpx2.Client
) -> None:
    def pages(text: str) -> int:
        found = query(client, f"type=CloudTenant&pageSize=1&{text}")["PagingInfo"]["PagesCount"]
        return int(found)

    every = pages("page=1")
    with statements(running) as asked:
        assert {pages(f"page={number}") for number in (2, 3)} == {every}
    assert not [each for each in asked if "count(*)" in each.lower()]
    assert pages("filter=Enabled==false") < every
    with running.manager.changing() as work:
        site = work.session.scalars(select(BackupServer.id)).first()
        one = CloudTenant(
            backup_server_id=site, name="One more", login="one more", directory_revision=1
        )
        work.session.add(one)
    assert pages("page=1") == every + 1
    with running.manager.changing() as work:
        work.session.delete(work.session.merge(one))
    assert pages("page=1") == every
