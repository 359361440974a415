"""Subtenants and the counters of free licences: the published examples, and the rules."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest
from lxml import etree

from tests.support.running.manager import RunningManager, finished

NS = {"v": "http://www.veeam.com/ent/v1.0"}
CREATE_XML = """<CloudSubtenantCreateSpec xmlns="http://www.veeam.com/ent/v1.0">\
<Name>ABC Company User 02</Name><Description>ABC Company Laptop User</Description>\
<Password>12345678</Password><Enabled>true</Enabled><TenantResourceId>{resource}</TenantResourceId>\
<QuotaName>User1Quota</QuotaName><QuotaMb>10240</QuotaMb><UnlimitedQuota>true</UnlimitedQuota>\
</CloudSubtenantCreateSpec>"""


@pytest.fixture
def tenant(client: httpx2.Client) -> dict[str, Any]:
    """A tenant with a quota of 20 GB."""
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    spec = {
        "Name": "ABC Company",
        "Password": "p",
        "Resources": {
            "BackupResources": [{"Name": "q", "RepositoryUid": vault["UID"], "QuotaMb": 20480}]
        },
    }
    task = finished(client, client.post("/cloud/tenants", json=spec).json())
    entity: dict[str, Any] = client.get(task["Links"][1]["Href"]).json()
    return entity


def resource_id(tenant: dict[str, Any]) -> str:
    return str(tenant["Resources"]["CloudTenantResources"][0]["Id"])


def users(tenant: dict[str, Any]) -> str:
    return f"/cloud/tenants/{tenant['UID']}/subtenants"


def spec(tenant: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Name": "user",
        "Password": "secret 1",
        "TenantResourceId": resource_id(tenant),
        "QuotaMb": 2048,
        "UnlimitedQuota": False,
        **more,
    }


def test_the_published_subtenant_is_made_field_by_field(
    running: RunningManager, client: httpx2.Client, tenant: dict[str, Any]
) -> None:
    answer = client.post(
        users(tenant),
        content=CREATE_XML.format(resource=resource_id(tenant)),
        headers={"Content-Type": "application/xml"},
    )
    assert answer.status_code == 202, answer.text
    task = finished(client, answer.json())
    assert task["Operation"] == "AddCloudSubtenant"
    assert [link["Rel"] for link in task["Links"]] == ["Delete"]

    (listed,) = client.get(users(tenant)).json()["CloudSubtenants"]
    tenant_href = tenant["Href"].removesuffix("?format=Entity")
    href = f"{tenant_href}/subtenants/{listed['Id']}"
    assert listed == {
        "Name": "ABC Company User 02",
        "Description": "ABC Company Laptop User",
        "Password": "",
        "Enabled": True,
        "RepositoryQuota": {
            "DisplayName": "User1Quota",
            "TenantResourceId": resource_id(tenant),
            "QuotaMb": 10240,
            "UsedQuotaMb": None,
            "Unlimited": True,
        },
        "Id": listed["Id"],
        "Links": [
            {"Rel": "Edit", "Href": href, "Name": "ABC Company User 02", "Type": "CloudSubtenant"},
            {"Rel": "Delete", "Href": href},
            {"Rel": "Up", "Href": tenant["Href"], "Name": "ABC Company", "Type": "CloudTenant"},
            {
                "Rel": "Up",
                "Href": tenant["Links"][0]["Href"] + "?format=Entity",
                "Name": "localhost",
                "Type": "BackupServer",
            },
        ],
        "Href": href,
        "Type": "CloudSubtenant",
    }
    root = etree.fromstring(running.logged_on(accept="*/*").get(href).content)
    assert (etree.QName(root).localname, root.get("Id")) == ("CloudSubtenant", listed["Id"])
    assert [etree.QName(child).localname for child in root] == [
        "Links",
        "Name",
        "Description",
        "Password",
        "Enabled",
        "RepositoryQuota",
    ]
    assert root.findtext("v:Password", namespaces=NS) == ""
    quota = root.find("v:RepositoryQuota", NS)
    assert quota is not None
    assert quota.get("Unlimited") == "true"


def test_a_subtenant_is_changed_and_removed(client: httpx2.Client, tenant: dict[str, Any]) -> None:
    finished(client, client.post(users(tenant), json=spec(tenant)).json())
    (made,) = client.get(users(tenant)).json()["CloudSubtenants"]
    assert made["RepositoryQuota"]["QuotaMb"] == 2048
    for change, (name, enabled, quota) in (
        ({"Enabled": False}, ("user", False, 2048)),
        ({"Name": "other", "Description": "d"}, ("user", False, 2048)),
        ({"RepositoryQuota": {"QuotaMb": 4096}}, ("user", False, 4096)),
        ({"RepositoryQuota": {"Unlimited": True}}, ("user", False, 4096)),
        ({"Password": "new"}, ("user", False, 4096)),
    ):
        task = finished(client, client.put(made["Href"], json=change).json())
        assert (task["Operation"], task["Result"]["Success"]) == ("EditCloudSubtenant", True)
        found = client.get(made["Href"]).json()
        assert (found["Name"], found["Enabled"], found["RepositoryQuota"]["QuotaMb"]) == (
            name,
            enabled,
            quota,
        )
    assert client.put(made["Href"], json=found).status_code == 202, "sent back whole"
    task = finished(client, client.delete(made["Href"]).json())
    assert task["Operation"] == "DeleteCloudSubtenant"
    assert client.get(users(tenant)).json() == {"CloudSubtenants": []}
    assert client.get(made["Href"]).status_code == 404


def test_a_subtenant_that_is_sent_back_whole_goes_on_with_what_its_quota_says(
    client: httpx2.Client, tenant: dict[str, Any]
) -> None:
    unlimited = spec(tenant, UnlimitedQuota=True, QuotaMb=None)
    finished(client, client.post(users(tenant), json=unlimited).json())
    attic = client.post("/repositories", json={"Name": "attic", "Endpoint": "a.example:1"}).json()
    resources = f"/cloud/tenants/{tenant['UID']}/resources"
    other = {"Name": "other", "RepositoryUid": attic["UID"], "QuotaMb": 4096}
    finished(client, client.post(resources, json=other).json())
    known = client.get(resources).json()["CloudTenantResources"]
    (second,) = [each for each in known if each["Id"] != resource_id(tenant)]
    (made,) = client.get(users(tenant)).json()["CloudSubtenants"]

    def quota_after(change: dict[str, Any]) -> dict[str, Any]:
        sent = {**made, "RepositoryQuota": {**made["RepositoryQuota"], **change}}
        finished(client, client.put(made["Href"], json=sent).json())
        found: dict[str, Any] = client.get(made["Href"]).json()["RepositoryQuota"]
        return found

    assert quota_after({}) == made["RepositoryQuota"]
    moved = quota_after({"TenantResourceId": second["Id"]})
    assert (moved["DisplayName"], moved["QuotaMb"]) == ("other", 4096)
    assert quota_after({}) == made["RepositoryQuota"]
    whole = client.get(tenant["Href"]).json()
    for each in whole["Resources"]["CloudTenantResources"]:
        if each["Id"] == resource_id(tenant):
            each["RepositoryQuota"] |= {"DisplayName": "renamed", "Quota": 8192}
    finished(client, client.put(tenant["Href"], json=whole).json())
    (named,) = client.get(users(tenant)).json()["CloudSubtenants"]
    assert named["RepositoryQuota"]["DisplayName"] == "renamed"
    assert named["RepositoryQuota"]["QuotaMb"] == 8192
    assert quota_after({"DisplayName": "its own"})["DisplayName"] == "its own"


def test_bad_subtenants_are_refused_with_the_reason(
    client: httpx2.Client, tenant: dict[str, Any]
) -> None:
    finished(client, client.post(users(tenant), json=spec(tenant)).json())
    for change, status, words in (
        ({"Name": "USER"}, 400, "has a subtenant named user already"),
        ({"Name": "a/b"}, 400, "has the character '/'"),
        ({"Name": "x", "Password": ""}, 400, "Password"),
        ({"Name": "x", "QuotaMb": 1023}, 400, "1024"),
        ({"Name": "x", "QuotaMb": 20481}, 400, "more than the 20480 MB"),
        ({"Name": "x", "QuotaMb": None}, 400, "QuotaMb is missing"),
        ({"Name": "x", "UnlimitedQuota": None}, 400, "UnlimitedQuota"),
        ({"Name": "x", "TenantResourceId": str(uuid4())}, 404, "no resource with the id"),
        ({"Name": "x", "TenantResourceId": "7"}, 400, "TenantResourceId"),
    ):
        answer = client.post(users(tenant), json=spec(tenant, **change))
        assert (answer.status_code, change) == (status, change), answer.text
        assert words in answer.json()["Message"]
    assert client.get(f"{users(tenant)}/{uuid4()}").status_code == 404
    assert client.get(f"{users(tenant)}/7").status_code == 400
    assert client.get(f"/cloud/tenants/{uuid4()}/subtenants").status_code == 404
    assert len(client.get(users(tenant)).json()["CloudSubtenants"]) == 1


def test_a_quota_that_a_subtenant_has_a_part_of_is_not_taken_away(
    client: httpx2.Client, tenant: dict[str, Any]
) -> None:
    finished(client, client.post(users(tenant), json=spec(tenant)).json())
    path = f"/cloud/tenants/{tenant['UID']}"
    for answer in (
        client.delete(f"{path}/resources/{resource_id(tenant)}"),
        client.put(path, json={"Resources": {}}),
    ):
        assert answer.status_code == 400
        assert "in use by its subtenants user" in answer.json()["Message"]
    finished(client, client.delete(path).json())
    assert client.get("/cloud/tenants").json() == {"Refs": []}


def test_nothing_here_needs_a_licence(client: httpx2.Client, tenant: dict[str, Any]) -> None:
    counters = client.get(f"/cloud/tenants/{tenant['UID']}/freelicenseCounters").json()
    assert {name: value for name, value in counters.items() if name.endswith("Count")} == {
        "RentalVMBackupCount": 0,
        "RentalWorkstationBackupCount": 0,
        "RentalServerBackupCount": 0,
        "NewVMBackupCount": 0,
        "NewWorkstationBackupCount": 0,
        "NewServerBackupCount": 0,
        "NewVMReplicaCount": 0,
    }
    assert counters["Links"][0]["Href"] == tenant["Href"]


def test_removing_a_tenant_says_where_its_backups_are(
    client: httpx2.Client, tenant: dict[str, Any]
) -> None:
    answer = client.delete(f"/cloud/tenants/{tenant['UID']}?includeBackups=true")
    task = finished(client, answer.json())
    assert task["Result"]["Success"] is True
    assert task["Result"]["Message"].endswith("have to be deleted in the repository: vault.")


@pytest.mark.parametrize(
    "more",
    [
        {"TenantType": "VCD", "OrganizationRef": "urn:vCloud:Organization:x"},
        {"TenantType": "ActiveDirectory", "Domain": {"DomainName": "d", "Port": "389"}},
        {
            "ComputeResources": {
                "ComputeResources": [
                    {
                        "CloudHardwarePlanUid": f"urn:veeam:CloudHardwarePlan:{uuid4()}",
                        "PlatformType": "VMware",
                        "UseNetworkFailoverResources": False,
                    }
                ]
            }
        },
    ],
    ids=["vCloud", "Active Directory", "hardware plan"],
)
def test_what_the_product_has_no_notion_of_is_said_so(
    client: httpx2.Client, more: dict[str, Any]
) -> None:
    answer = client.post("/cloud/tenants", json={"Name": "x", **more})
    assert answer.status_code == 501, answer.text
    assert "Cloudgate does not offer" in answer.json()["Message"]
    assert client.get("/cloud/tenants").json() == {"Refs": []}
