"""What becomes of each element of a body is true: it acts, is refused, or is said to do nothing."""

from typing import Any

import httpx2

from cloudgate.wire.schema import NAMESPACE
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

GUID = "29e5d158-1f58-44bc-bbaa-2752d787a91d"


def add(client: httpx2.Client, **spec: Any) -> tuple[str, str]:
    """Where a new tenant is, and what its task says."""
    answer = client.post("/cloud/tenants", json={"Name": "acme", "Password": "p", **spec})
    task = finished(client, answer.raise_for_status().json())
    return task["Links"][1]["Href"].partition("?")[0], task["Result"]["Message"]


def put(client: httpx2.Client, href: str, change: dict[str, Any]) -> str:
    answer = client.put(href, json=change).raise_for_status()
    return str(finished(client, answer.json())["Result"]["Message"])


def test_backup_protection_is_refused_and_never_shown_as_on(client: httpx2.Client) -> None:
    for spec in ({"BackupProtectionEnabled": True}, {"BackupProtectionEnabled": "True"}):
        answer = client.post("/cloud/tenants", json={"Name": "x", "Password": "p", **spec})
        assert answer.status_code == 400
        assert "nothing would be protected" in answer.json()["Message"]
    href, said = add(client, BackupProtectionEnabled=False, BackupProtectionPeriod=1)
    assert said == "Ok"
    answer = client.put(href, json={"BackupProtectionEnabled": True})
    assert (answer.status_code, "nothing would be" in answer.json()["Message"]) == (400, True)
    entity = client.get(f"{href}?format=Entity").json()
    assert entity["BackupProtectionEnabled"] is False
    assert put(client, href, entity) == "Ok"


def test_what_is_kept_and_does_nothing_is_said_in_the_task(client: httpx2.Client) -> None:
    href, said = add(client, PublicIpCount=3, BackupProtectionPeriod=7, VmCount=2)
    for words in ("PublicIpCount is kept", "BackupProtectionPeriod is kept", "VmCount was left"):
        assert words in said
    assert said.startswith("Ok. ")
    entity = client.get(f"{href}?format=Entity").json()
    assert (entity["PublicIpCount"], entity["BackupProtectionPeriod"]) == (3, 7)
    assert put(client, href, entity) == "Ok", "sent back, it asks for nothing new"
    assert "PublicIpCount is kept" in put(client, href, {"PublicIpCount": 4})
    assert put(client, href, {"PublicIpCount": 4, "Description": "d"}) == "Ok"


def test_wan_accelerators_are_refused_unless_none_is_meant(client: httpx2.Client) -> None:
    vault = client.post("/repositories", json={"Name": "v", "Endpoint": "v.example:1"}).json()
    href, _ = add(client)
    zeros = "00000000-0000-0000-0000-000000000000"
    quota = {"Name": "q", "RepositoryUid": vault["UID"], "QuotaMb": 1024}
    for uid in (GUID, f"urn:veeam:WanAccelerator:{GUID}"):
        answer = client.post(f"{href}/resources", json={**quota, "WanAcceleratorUid": uid})
        assert answer.status_code == 501
        assert "does not offer WAN accelerators" in answer.json()["Message"]
    others: tuple[str | None, ...] = ("", None, zeros, f"urn:veeam:WanAccelerator:{zeros}")
    for other in others:
        answer = client.post(f"{href}/resources", json={**quota, "WanAcceleratorUid": other})
        finished(client, answer.raise_for_status().json())
        (made,) = client.get(f"{href}/resources").json()["CloudTenantResources"]
        finished(client, client.delete(made["Href"]).json())


def test_restrictions_of_restores_are_refused(client: httpx2.Client) -> None:
    role = "urn:veeam:EnterpriseRole:d19a3d33-cb77-4ffe-94e6-001432483a4e"
    spec = {
        "AccountType": "User",
        "AccountName": "who",
        "Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": role}]},
        "AllowRestoreAllVms": True,
    }
    for more in (
        {"FlrSettings": {"FlrInlaceOnly": True}},
        {"FlrSettings": {"FlrInplaceOnly": True}},
        {"FlrSettings": {"FlrExtentionRestrictions": "docx"}},
        {"SqlSettings": {"DenyInPlaceRestore": True}},
    ):
        answer = client.post("/security/accounts", json={**spec, **more})
        assert (answer.status_code, "restrict" in answer.json()["Message"]) == (501, True)
    nothing = {"FlrSettings": {"FlrInplaceOnly": False}, "SqlSettings": {}}
    assert client.post("/security/accounts", json={**spec, **nothing}).status_code == 201


def test_a_gateway_that_is_read_and_sent_back_by_another_schema_is_taken(
    running: RunningManager, client: httpx2.Client
) -> None:
    host = ScriptedHost(running)
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).json()
    host.obey()
    href = finished(client, task)["Links"][1]["Href"]
    entity = client.get(href).json()
    for named, words in ((host.name.upper(), ""), ("", ""), ("other.example", "left alone")):
        task = client.put(href, json={**entity, "DnsNameOrIpAddress": named}).json()
        host.obey()
        said = finished(client, task)["Result"]["Message"]
        assert said == "Ok" if not words else words in said
        assert client.get(href).json() == entity
    host.close()


def test_whether_anything_is_limited_is_told_beside_the_published_number(
    client: httpx2.Client,
) -> None:
    href, _ = add(client)

    def shown() -> tuple[int, bool]:
        entity = client.get(f"{href}?format=Entity").json()
        return entity["MaxConcurrentTasks"], entity["ConcurrentTasksLimited"]

    assert shown() == (1, False)
    for number, limited in ((1, True), (0, False), (5, True)):
        put(client, href, {"MaxConcurrentTasks": number})
        assert shown() == (number, limited)


def test_a_quota_is_added_by_the_body_that_programs_made_of_the_schema_send(
    client: httpx2.Client,
) -> None:
    href, _ = add(client)
    body = (
        f'<CreateCloudTenantResourceSpec xmlns="{NAMESPACE}"><Name>%s</Name><RepositoryUid>%s'
        "</RepositoryUid><QuotaMb>2048</QuotaMb><WanAcceleratorUid/><Folder>%s</Folder>"
        "</CreateCloudTenantResourceSpec>"
    )
    for name, folder, words in (("v1", "", "Ok"), ("v2", "east", "Folder was left alone")):
        spec = {"Name": name, "Endpoint": f"{name}.example:1"}
        vault = client.post("/repositories", json=spec).raise_for_status().json()
        answer = client.post(
            f"{href}/resources",
            content=body % (name, vault["UID"], folder),
            headers={"Content-Type": "application/xml"},
        )
        assert words in finished(client, answer.json())["Result"]["Message"]
