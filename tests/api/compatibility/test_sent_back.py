"""Each entity that can be written is taken back as GET shows it, in XML and JSON."""

import httpx2
import pytest

from tests.support.running.manager import finished

SHOWN = ("application/xml", "application/json")


def written(client: httpx2.Client) -> list[str]:
    """One of each resource that has PUT, but those that need a gateway."""
    server: str = client.get("/backupServers").json()["Refs"][0]["Href"]
    for path, spec in (
        ("credentials", {"Username": "TECH\\will", "Password": "p"}),
        ("passwords", {"Hint": "book", "Password": "p"}),
    ):
        client.post(f"{server}/{path}?action=create", json=spec).raise_for_status()
    stored = client.post("/repositories", json={"Name": "vault", "Endpoint": "vault.example:8443"})
    quota = {"Name": "q", "RepositoryUid": stored.raise_for_status().json()["UID"], "QuotaMb": 2048}
    tenant_spec = {"Name": "acme", "Password": "p", "Resources": {"BackupResources": [quota]}}
    task = finished(
        client, client.post("/cloud/tenants", json=tenant_spec).raise_for_status().json()
    )
    tenant = task["Links"][1]["Href"].partition("?")[0]
    user = {
        "Name": "u",
        "Password": "p",
        "TenantResourceId": client.get(f"{tenant}/resources").json()["CloudTenantResources"][0][
            "Id"
        ],
        "UnlimitedQuota": True,
    }
    finished(client, client.post(f"{tenant}/subtenants", json=user).raise_for_status().json())
    return [
        server,
        client.get(f"{server}/credentials").json()["CredentialsInfos"][0]["Href"],
        client.get(f"{server}/passwords").json()["PasswordKeyInfos"][0]["Href"],
        stored.headers["Location"],
        tenant,
        client.get(f"{tenant}/subtenants").json()["CloudSubtenants"][0]["Href"],
        "/cloud/maintenance",
    ]


def test_what_get_shows_can_be_sent_back_and_changes_nothing(client: httpx2.Client) -> None:
    for href in written(client):
        for form in SHOWN:
            before = client.get(f"{href}?format=Entity", headers={"Accept": form})
            answer = client.put(href, content=before.content, headers={"Content-Type": form})
            assert answer.is_success, f"{href} {form}: {answer.text}"
            if answer.status_code == httpx2.codes.ACCEPTED:
                assert finished(client, answer.json())["Result"]["Message"] == "Ok"
            after = client.get(f"{href}?format=Entity", headers={"Accept": form})
            assert after.content == before.content, href


@pytest.mark.parametrize(
    "name", ["two\nlines", "a\u202eb", "a\u200bb", "tab\tbed", "a\u034fb", "a\u3164b"]
)
def test_no_name_has_characters_that_nobody_sees(client: httpx2.Client, name: str) -> None:
    role = "urn:veeam:EnterpriseRole:d19a3d33-cb77-4ffe-94e6-001432483a4e"
    account = {
        "AccountType": "User",
        "AccountName": name,
        "Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": role}]},
        "AllowRestoreAllVms": False,
        "Password": "longer-password-1",
    }
    gateways = {"CloudGatewayUids": ["29e5d158-1f58-44bc-bbaa-2752d787a91d"]}
    for path, spec in (
        ("/security/accounts", account),
        ("/repositories", {"Name": name, "Endpoint": "vault.example:8443"}),
        ("/cloud/gatewayPools", {"Name": name, "CloudGateways": gateways}),
        ("/cloud/tenants", {"Name": name, "Password": "p"}),
    ):
        answer = client.post(path, json=spec)
        assert answer.status_code == httpx2.codes.BAD_REQUEST, path
        assert "has the character" in answer.json()["Message"], path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a@b.example", "characters that names cannot have"),
        ("*.example", "asterisk"),
        ("-x.example", "hyphen"),
        ("a..example", "empty label"),
        ("l" * 64, "more than 63 characters"),
        ("1.2.3", "no IP address"),
    ],
)
def test_machines_have_names_that_a_network_can_have(
    client: httpx2.Client, name: str, reason: str
) -> None:
    servers = "/backupServers?action=create"
    spec = {"DnsNameOrIpAddress": name, "Description": "", "Username": "", "Password": ""}
    for path, body in (("/managedServers", {"Name": name}), (servers, spec)):
        answer = client.post(path, json=body)
        assert answer.status_code == httpx2.codes.BAD_REQUEST, path
        assert reason in answer.json()["Message"]


def test_a_backup_server_is_named_by_its_uid_with_blanks_in_it(client: httpx2.Client) -> None:
    uid = client.get("/backupServers").json()["Refs"][0]["UID"].replace(":", ": ")
    spec = {"BackupServerIdOrName": uid, "ServerHostName": "nobody", "NetworkType": "Direct"}
    answer = client.post("/cloud/gateways", json=spec)
    assert answer.status_code == httpx2.codes.NOT_FOUND, answer.text
    spec = {"BackupServerIdOrName": uid, "Name": "acme", "Password": "p"}
    finished(client, client.post("/cloud/tenants", json=spec).raise_for_status().json())


def test_empty_values_are_none_in_both_forms(client: httpx2.Client) -> None:
    task = client.post("/cloud/tenants", json={"Name": "acme", "Password": "p"})
    tenant = finished(client, task.json())["Links"][1]["Href"].partition("?")[0]
    before = client.get(f"{tenant}?format=Entity").content
    for name in ("MaxConcurrentTasks", "ThrottlingSpeedLimit", "ThrottlingSpeedUnit", "Enabled"):
        body = (
            f'<CloudTenant xmlns="http://www.veeam.com/ent/v1.0"><{name}> </{name}></CloudTenant>'
        )
        in_xml = client.put(tenant, content=body, headers={"Content-Type": "application/xml"})
        for answer in (client.put(tenant, json={name: ""}), in_xml):
            finished(client, answer.raise_for_status().json())
    assert client.get(f"{tenant}?format=Entity").content == before
