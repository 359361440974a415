"""What the product has no notion of: there for whoever reads it, and truthfully empty."""

from uuid import uuid4

import httpx2
import pytest
from lxml import etree

from cloudgate.api.handlers.absent import COLLECTIONS, SERVICES
from tests.support.running.manager import RunningManager, client_of_module, manager_of_module

REPORTS = {
    "overview": ("Overview", "OverviewReportFrame"),
    "vms_overview": ("VmsOverview", "VmsOverviewReportFrame"),
    "job_statistics": ("JobStatistics", "JobStatisticsReportFrame"),
    "processed_vms": ("ProcessedVms", "ProcessedVmsReportFrame"),
    "repository": ("Repositories", "RepositoryReportFrame"),
}
"""By the path: the name of the link, and the root."""

running = manager_of_module()
"""One manager for all of these: they change nothing."""
client = client_of_module()


@pytest.fixture(scope="module")
def owners(client: httpx2.Client) -> dict[str, str]:
    """One of each that a collection may belong to, by the beginning of its path."""
    site = client.get("/backupServers").json()["Refs"][0]["UID"]
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "vault:1"}).json()
    client.post("/cloud/tenants", json={"Name": "acme", "Password": "secret"}).raise_for_status()
    tenant = client.get("/cloud/tenants").json()["Refs"][0]["UID"]
    return {"/backupServers": site, "/repositories": vault["UID"], "/cloud": tenant}


def test_every_collection_is_there_empty_and_refuses_what_is_created(
    running: RunningManager, client: httpx2.Client, owners: dict[str, str]
) -> None:
    by_xml = running.logged_on(accept="application/xml")
    for collection in COLLECTIONS:
        found = [uid for start, uid in owners.items() if collection.path.startswith(start)]
        path = collection.path.replace("{id}", "".join(found))
        root = collection.entities.root()
        assert client.get(f"{path}?format=Entity").json() == {root: []}, path
        if collection.is_key:
            assert client.get(path).json() == {"Refs": []}, path
        node = etree.fromstring(by_xml.get(f"{path}?format=Entity").content)
        assert (etree.QName(node).localname, len(node)) == (root, 0)
        created = client.post(path, json={"Name": "x"})
        assert created.status_code == 501, path
        assert created.json()["Message"] == f"Cloudgate does not offer {collection.what}."
        for verb in ("GET", "PUT", "DELETE"):
            assert client.request(verb, f"{path}/{uuid4()}").status_code == 404, path
            malformed = client.request(verb, f"{path}/7").status_code
            assert malformed == (404 if collection.is_named else 400), path


def test_what_a_collection_belongs_to_has_to_be_there(client: httpx2.Client) -> None:
    for collection in COLLECTIONS:
        if "{id}" in collection.path:
            unknown = client.get(collection.path.replace("{id}", str(uuid4())))
            malformed = client.get(collection.path.replace("{id}", "7"))
            assert (unknown.status_code, malformed.status_code) == (404, 400)


def test_the_parts_that_have_nothing_in_them_say_so(
    running: RunningManager, client: httpx2.Client
) -> None:
    for path, kind in SERVICES:
        found = client.get(path).json()
        assert (found["Type"], [link["Rel"] for link in found["Links"]]) == (kind.__name__, ["Up"])
        by_xml = running.logged_on(accept="*/*").get(path)
        assert etree.QName(etree.fromstring(by_xml.content)).localname == kind.root()
    assert {kind.root() for _, kind in SERVICES} == {
        "VCloudService",
        "Agents",
        "VSphereSelfService",
        "NASService",
    }


def test_reports_say_what_is_known_and_zero_elsewhere(client: httpx2.Client) -> None:
    for name, capacity in (("small", 1024), ("unknown", None)):
        spec = {"Name": name, "Endpoint": f"{name}.example:1", "Capacity": capacity}
        client.post("/repositories", json=spec).raise_for_status()
    summary = client.get("/reports/summary").json()
    assert [
        (link["Rel"], link["Type"], link["Name"], link["Href"].rpartition("/")[2])
        for link in summary["Links"]
    ] == [("Down", "ReportFrame", name, path) for path, (name, _) in REPORTS.items()]
    frames = {path: client.get(f"/reports/summary/{path}").json() for path in REPORTS}
    assert {frame["Type"] for frame in frames.values()} == {"ReportFrame"}
    for path, (_, root) in REPORTS.items():
        answer = client.get(f"/reports/summary/{path}", headers={"Accept": "application/xml"})
        assert etree.QName(etree.fromstring(answer.content)).localname == root
    assert frames["overview"]["BackupServers"] == 1
    assert frames["overview"]["RepositoryServers"] >= 2
    assert frames["job_statistics"]["TotalJobRuns"] == 0
    assert frames["processed_vms"]["Days"] == []
    assert frames["repository"]["Periods"] == [
        {"Name": "small", "Capacity": 1024, "FreeSpace": 1024, "BackupSize": 0}
    ]


def test_no_report_says_that_nothing_has_succeeded(client: httpx2.Client) -> None:
    """0 of 0 is no percentage: programs raise alarms at 0 %."""
    assert "SuccessBackupPercents" not in client.get("/reports/summary/vms_overview").json()
