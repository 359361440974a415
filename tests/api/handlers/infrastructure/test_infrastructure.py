"""Backup servers, managed servers, repositories, tasks, and the start of the cloud part."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from lxml import etree

from cloudgate import __version__
from cloudgate.protocol import GatewayState, HostFacts, JoinRequest
from tests.support.running.host import ScriptedHost, public_key_pem
from tests.support.running.manager import PASSWORD, RunningManager, finished
from tests.support.waiting import PATIENCE_SECONDS

NS = "http://www.veeam.com/ent/v1.0"
SPEC = {
    "Description": "Backup server in Columbus",
    "DnsNameOrIpAddress": "172.16.13.119",
    "Port": 9392,
    "Username": "172.16.13.119\\Administrator",
    "Password": "1234",
    "VbrCertificateThumbprint": "0" * 40,
    "WcfPort": 9405,
}


def by_name(client: httpx2.Client, collection: str, name: str) -> dict[str, Any]:
    refs: list[dict[str, Any]] = client.get(f"/{collection}").json()["Refs"]
    href = next(ref["Href"] for ref in refs if ref["Name"] == name)
    entity: dict[str, Any] = client.get(f"{href}?format=Entity").raise_for_status().json()
    return entity


def test_a_backup_server_is_connected_edited_and_disconnected(client: httpx2.Client) -> None:
    answer = client.post("/backupServers?action=create", json=SPEC)
    assert (answer.status_code, answer.content) == (201, b"")
    server = by_name(client, "backupServers", "172.16.13.119")
    assert answer.headers["Location"] == server["Href"].partition("?")[0]
    assert (server["Port"], server["WcfPort"]) == (9392, 9405)
    edited = client.put(
        server["Href"], json={"DnsNameOrIpAddress": "172.16.13.119", "Description": "Moved"}
    )
    assert edited.status_code == 204
    assert by_name(client, "backupServers", "172.16.13.119") == {**server, "Description": "Moved"}
    assert client.put(server["Href"], json={"Description": "Only this"}).status_code == 204
    assert by_name(client, "backupServers", "172.16.13.119")["Description"] == "Only this"
    assert client.delete(server["Href"]).status_code == 204
    assert client.get(server["Href"]).status_code == 404


@pytest.mark.parametrize(
    "middle",
    [
        "<Port>9392</Port><Username>u</Username>",
        "<Username>u</Username><Port>9392</Port>",
        "<Username>u</Username>",
        "",
    ],
)
def test_both_published_orders_of_a_backup_server_are_taken(
    client: httpx2.Client, middle: str
) -> None:
    body = (
        f'<BackupServerSpec xmlns="{NS}"><Description>d</Description>'
        f"<DnsNameOrIpAddress>srv</DnsNameOrIpAddress>{middle}<Password>p</Password>"
        "</BackupServerSpec>"
    )
    answer = client.post(
        "/backupServers?action=create", content=body, headers={"Content-Type": "application/xml"}
    )
    assert answer.status_code == 201


def test_a_port_may_be_quoted_where_a_published_page_quotes_it(client: httpx2.Client) -> None:
    answer = client.post("/backupServers?action=create", json={**SPEC, "Port": "9393"})
    assert answer.status_code == 201
    assert by_name(client, "backupServers", "172.16.13.119")["Port"] == 9393


def test_a_backup_server_in_use_stays_and_says_by_what(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    server = by_name(client, "backupServers", "localhost")
    answer = client.delete(server["Href"])
    assert answer.status_code == 400
    assert "in use by 1 managed servers" in answer.json()["Message"]


def test_a_second_backup_server_of_that_name_is_refused(client: httpx2.Client) -> None:
    answer = client.post("/backupServers", json={**SPEC, "DnsNameOrIpAddress": "LOCALHOST"})
    assert answer.status_code == 400


def test_collecting_is_a_task(client: httpx2.Client) -> None:
    server = by_name(client, "backupServers", "localhost")
    href = server["Href"].partition("?")[0]
    answer = client.post(f"{href}?action=collect")
    assert answer.status_code == 202
    task = finished(client, answer.json())
    assert (task["Operation"], task["Result"]["Success"]) == ("CollectingBackupServer", True)
    assert client.post(f"{href}?action=other").status_code == 400


def test_a_managed_server_is_listed_and_shown(client: httpx2.Client, host: ScriptedHost) -> None:
    server = by_name(client, "managedServers", "gw1.example")
    assert server["ManagedServerType"] == "Linux"
    assert [(link["Rel"], link.get("Type")) for link in server["Links"]] == [
        ("Up", "BackupServer"),
        ("Alternate", "ManagedServerReference"),
        ("Delete", None),
    ]
    assert server["Links"][0]["Href"].endswith("?format=Entity")
    by_urn = client.get(f"/ManagedServers/{server['UID']}?format=ENTITY&v=latest")
    assert by_urn.json() == server


def test_a_repository_is_added_edited_and_removed(client: httpx2.Client) -> None:
    body = (
        f'<CreateRepositorySpec xmlns="{NS}"><Name>vault</Name><Description>d</Description>'
        "<Kind>LinuxLocal</Kind><Endpoint>Vault.Example:8443</Endpoint>"
        "<Address>10.0.0.5:8443</Address></CreateRepositorySpec>"
    )
    answer = client.post("/repositories", content=body, headers={"Content-Type": "application/xml"})
    assert answer.status_code == 201
    repository = answer.json()
    assert answer.headers["Location"] == repository["Href"].partition("?")[0]
    assert client.get(repository["Href"]).json() == repository
    assert (repository["Endpoint"], repository["Address"]) == (
        "vault.example:8443",
        "10.0.0.5:8443",
    )
    whole = client.put(repository["Href"], json={**repository, "Description": "new"})
    assert whole.status_code == 204
    spec = {"Name": "vault2", "Endpoint": "vault.example:8443", "BackupServerUid": ""}
    assert client.put(repository["Href"], json=spec).status_code == 204
    shown = client.get(repository["Href"]).json()
    assert (shown["Name"], shown["Description"], shown["Address"]) == (
        "vault2",
        "new",
        "10.0.0.5:8443",
    )
    assert client.delete(repository["Href"]).status_code == 204
    assert client.get(repository["Href"]).status_code == 404


def test_the_address_of_a_repository_is_its_endpoint_when_left_out(client: httpx2.Client) -> None:
    answer = client.post("/repositories", json={"Name": "a", "Endpoint": "a.example:1"})
    assert answer.json()["Address"] == "a.example:1"
    client.put(answer.json()["Href"], json={"Endpoint": "b.example:2"})
    assert client.get(answer.json()["Href"]).json()["Address"] == "b.example:2"


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "vault.example",
        "vault.example:0",
        "vault.example:65536",
        "a b:1",
        "http://a:1",
        "::1:80",
        "*.vault.example:8443",
        "-x.example:443",
        "[1.2.3.4]:443",
        "a..example:443",
    ],
)
def test_an_endpoint_is_host_and_port(client: httpx2.Client, endpoint: str) -> None:
    answer = client.post("/repositories", json={"Name": "a", "Endpoint": endpoint})
    assert answer.status_code == 400
    assert "host:port" in answer.json()["Message"]


def test_an_endpoint_that_most_programs_cannot_name_has_a_warning(client: httpx2.Client) -> None:
    client.post("/repositories", json={"Name": "well", "Endpoint": "vault.example:443"})
    made = client.post("/repositories", json={"Name": "r", "Endpoint": "my_vault.example:443"})
    assert made.status_code == 201
    text = made.json()["Warning"]
    assert "cannot name my_vault.example" in text
    client.post("/backupServers", json={**SPEC, "DnsNameOrIpAddress": "my_site.example"})
    said = {
        (each["ObjectType"], each["Name"]): each["Message"]
        for each in client.get("/warnings").json()["OperatorWarnings"]
    }
    assert said["Repository", "r"] == text
    assert "cannot name my_site.example" in said["BackupServer", "my_site.example"]
    assert ("Repository", "well") not in said
    entity = by_name(client, "repositories", "r")
    assert entity["Warning"] == text
    assert client.put(entity["Href"], json={**entity, "Endpoint": "v.example:443"}).is_success
    assert "Warning" not in by_name(client, "repositories", "r")


def test_a_repository_in_use_stays_and_says_by_whom(client: httpx2.Client) -> None:
    repository = client.post("/repositories", json={"Name": "a", "Endpoint": "a:1"}).json()
    quota = {"Name": "q", "RepositoryUid": repository["UID"], "QuotaMb": 1024}
    task = client.post(
        "/cloud/tenants", json={"Name": "acme", "Resources": {"BackupResources": [quota]}}
    )
    finished(client, task.json())
    answer = client.delete(repository["Href"])
    assert (answer.status_code, "acme" in answer.json()["Message"]) == (400, True)


def test_names_and_endpoints_of_repositories_are_unique(client: httpx2.Client) -> None:
    assert client.post("/repositories", json={"Name": "a", "Endpoint": "a:1"}).status_code == 201
    for spec in ({"Name": "A", "Endpoint": "b:1"}, {"Name": "b", "Endpoint": "A:1"}):
        assert client.post("/repositories", json=spec).status_code == 400


def test_a_name_in_another_script_is_shown_as_typed_and_is_one_with_its_a_label(
    client: httpx2.Client,
) -> None:
    made = client.post("/repositories", json={"Name": "a", "Endpoint": "Écho.example:8443"})
    assert made.status_code == 201
    assert client.get(made.json()["Href"]).json()["Endpoint"] == "Écho.example:8443"
    for same in ("écho.example:8443", "xn--cho-9la.example:8443"):
        answer = client.post("/repositories", json={"Name": "b", "Endpoint": same})
        assert answer.status_code == 400
        assert "could not tell the two apart" in answer.json()["Message"]


def test_tasks_are_listed_shown_and_removed(client: httpx2.Client, running: RunningManager) -> None:
    first = client.post("/cloud/tenants", json={"Name": "one"}).json()
    finished(client, first)
    other = running.logged_on()
    assert [task["TaskId"] for task in other.get("/Tasks").json()["Tasks"]] == ["task-1"]
    assert other.delete("/tasks/TASK-1").status_code == 204
    assert client.get(first["Href"]).status_code == 404
    assert client.get("/tasks").json() == {"Tasks": []}
    second = client.post("/cloud/tenants", json={"Name": "two"}).json()
    assert second["TaskId"] == "task-2"


def test_the_cloud_part_leads_on(client: httpx2.Client) -> None:
    cloud = client.get("/cloud").json()
    kinds = [
        "CloudGateway",
        "CloudTenant",
        "CloudHardwarePlan",
        "CloudPublicIpAddress",
        "CloudFailoverPlan",
        "CloudVmReplicaPoint",
        "CloudReplica",
        "VlanConfiguration",
        "CloudFailoverSession",
        "CloudGatewayPool",
    ]
    assert [(link["Rel"], link.get("Type")) for link in cloud["Links"]] == [
        ("Up", "LogonSession"),
        *(("Down", f"{kind}ReferenceList") for kind in kinds),
        *(("Down", f"{kind}List") for kind in kinds),
        *(("Create", None) for _ in range(5)),
    ]
    for link in cloud["Links"]:
        if link["Rel"] in ("Up", "Down"):
            assert client.get(link["Href"]).status_code == 200


def test_every_link_that_can_be_followed_leads_somewhere(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    """From the logon session down: everything that the API links to is there."""
    start = client.get("/logonSessions").json()["LogonSessions"][0]["Href"]
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        href = ahead.pop()
        if href in seen:
            continue
        seen.add(href)
        answer = client.get(href, headers={"Accept": "application/xml"})
        assert answer.status_code == 200, href
        links = etree.fromstring(answer.content).iter(f"{{{NS}}}Link")
        ahead += [
            str(link.get("Href"))
            for link in links
            if link.get("Rel") in ("Up", "Down", "Alternate", "Related")
        ]
    assert len(seen) > 80


def test_a_managed_server_is_added_and_joins_with_its_token_once(
    running: RunningManager, client: httpx2.Client
) -> None:
    answer = client.post("/managedServers", json={"Name": "gw7.example", "Description": "rack 7"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["Location"] == made["Href"].removesuffix("?format=Entity")
    expires_at = datetime.fromisoformat(made["JoinTokenExpirationDate"])
    assert timedelta(hours=23) < expires_at - datetime.now(UTC) <= timedelta(hours=24)
    again = client.get(made["Href"]).json()
    assert again["Description"] == "rack 7"
    assert "JoinToken" not in again

    def join() -> httpx2.Response:
        facts = HostFacts(
            host_name="gw7",
            addresses=("192.0.2.7",),
            platform="Linux",
            version=__version__,
            envoy_version="1.40.0",
            public_key_pem=public_key_pem(),
        )
        request = JoinRequest(token=made["JoinToken"], facts=facts)
        with httpx2.Client(
            base_url=f"{running.url}/host/v1", verify=running.context, timeout=PATIENCE_SECONDS
        ) as host:
            return host.post("/join", content=request.model_dump_json())

    assert join().status_code == 200
    assert join().status_code == 401
    twice = client.post("/managedServers", json={"Name": "GW7.example"})
    assert twice.status_code == 400
    assert "named gw7.example is in localhost already" in twice.json()["Message"]


def test_a_managed_server_is_removed_only_while_it_has_no_role(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    path = f"/managedServers/{host.server_id}"
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).json()
    host.obey()
    gateway = finished(client, task)["Links"][1]["Href"].removesuffix("?format=Entity")
    refused = client.delete(path)
    assert refused.status_code == 400
    assert "in use as the cloud gateway gw1.example" in refused.json()["Message"]
    task = client.delete(gateway).json()
    host.obey(GatewayState.ABSENT)
    finished(client, task)
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert host.client.post("/poll", content="{}").status_code == 401
    for wrong, status in (("7", 400), (str(uuid4()), 404)):
        assert client.delete(f"/managedServers/{wrong}").status_code == status


def test_a_site_leads_to_what_belongs_to_it(client: httpx2.Client, host: ScriptedHost) -> None:
    client.post("/backupServers?action=create", json={"DnsNameOrIpAddress": "site2.example"})
    client.post(
        "/repositories",
        json={"Name": "vault", "Endpoint": "v.example:1", "BackupServerUid": site_uid(client)},
    ).raise_for_status()
    found = {}
    for reference in client.get("/backupServers").json()["Refs"]:
        href = reference["Href"]
        found[reference["Name"]] = [
            [each["Name"] for each in client.get(f"{href}/{path}").json()["Refs"]]
            for path in ("managedServers", "repositories")
        ]
        assert client.get(f"{href}/repositories?format=Entity").status_code == 200
    assert found == {"localhost": [[host.name], ["vault"]], "site2.example": [[], []]}
    assert client.get(f"/backupServers/{uuid4()}/repositories").status_code == 404


def site_uid(client: httpx2.Client) -> str:
    references = client.get("/backupServers").json()["Refs"]
    return str(next(each["UID"] for each in references if each["Name"] == "localhost"))


def test_the_older_name_of_the_port_is_for_sessions_of_older_versions(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    spec = {"ServerHostName": host.name, "NetworkType": "Direct", "IncomingPort": 7000}
    refused = client.post("/cloud/gateways", json=spec)
    assert refused.status_code == 400
    assert "IncomingPort is of the API's versions up to v1_3" in refused.json()["Message"]
    older = running.client(Accept="application/json")
    older.post("/sessionMngr/?v=v1_3", auth=("admin", PASSWORD)).raise_for_status()
    task = older.post("/cloud/gateways", json=spec).json()
    host.obey()
    entity = older.get(finished(older, task)["Links"][1]["Href"]).json()
    assert (entity["ExternalPort"], entity["InternalPort"]) == (7000, 7000)
