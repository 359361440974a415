"""Accounts, roles, passwords for the infrastructure, and what keeps guesses slow."""

import socket
import time
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from lxml import etree

from cloudgate.api.access import EVERYBODY, roles_for
from cloudgate.api.handlers.sessions import session_id_of
from cloudgate.api.http.login_gate import LoginGate
from cloudgate.api.table import ROUTES
from cloudgate.manager.sessions import administration
from cloudgate.manager.sessions.roles import Role
from cloudgate.trust.login_throttle import (
    FREE_FAILURES,
    LONGEST_DELAY_SECONDS,
    MOST_REMEMBERED,
    LoginThrottle,
    delay_seconds,
)
from cloudgate.trust.password_hashes import hash_password
from tests.api.handlers.accounts import PUBLISHED, account_spec, add_account, logged_on_as
from tests.support.running.manager import PASSWORD, RunningManager, finished

HOST_ADMIN = f"{socket.gethostname()}\\admin"
NS = {"v": "http://www.veeam.com/ent/v1.0"}


def test_the_published_account_is_made(client: httpx2.Client) -> None:
    answer = client.post("/security/accounts", json=PUBLISHED)
    assert (answer.status_code, answer.content) == (201, b"")
    account = client.get(f"{answer.headers['Location']}?format=Entity").json()
    assert (account["AccountType"], account["AllowRestoreAllVms"]) == ("User", False)
    assert account["Name"] == "tech\\william.fox"
    assert [(link["Rel"], link.get("Type")) for link in account["Links"]] == [
        ("Alternate", "EnterpriseAccountReference"),
        ("Down", "EnterpriseAccountInRoleList"),
        ("Create", "EnterpriseAccountInRole"),
        ("Down", "EnterpriseAccountHierarchyScopeList"),
        ("Create", None),
        ("Delete", None),
        ("ToggleRestoreScopesEnabled", None),
    ]
    roles = client.get(account["Links"][1]["Href"]).json()["EnterpriseAccountInRoles"]
    assert [role["RoleName"] for role in roles] == ["File Restore Operator"]
    assert client.get(account["Links"][3]["Href"]).json() == {
        "EnterpriseAccountHierarchyScopes": []
    }
    refs = client.get("/security/accounts").json()["Refs"]
    assert [ref["Name"] for ref in refs] == ["admin", "tech\\william.fox"]
    assert all("Name" not in ref["Links"][0] for ref in refs)


def test_roles_are_those_of_every_installation(client: httpx2.Client) -> None:
    refs = client.get("/security/roles").json()["Refs"]
    assert {ref["Name"]: ref["UID"].rpartition(":")[2] for ref in refs} == {
        "Portal Administrator": "5f37a46b-9ce2-40f4-8a62-b45b079257fc",
        "Portal User": "d19a3d33-cb77-4ffe-94e6-001432483a4e",
        "VM Restore Operator": "c11c0c38-ba8b-49c7-bf70-fc2058fff1e2",
        "File Restore Operator": "f84a8b62-49b8-4d0c-b25b-92321b52bab6",
        "Exchange Restore Operator": "f83e4c81-0815-452f-9377-9d573dd9d481",
        "Oracle Restore Operator": "e9d90e66-b6d4-49dc-8986-73cf33489623",
        "SQL Restore Operator": "f78a92b8-9f06-4f1e-b522-4f0927cabd0f",
    }
    settings = client.get("/security").json()
    assert [(link["Rel"], link.get("Type")) for link in settings["Links"]] == [
        ("Down", "EnterpriseAccountReferenceList"),
        ("Down", "EnterpriseRoleReferenceList"),
        ("Create", None),
        ("Start", None),
    ]
    rebuilt = client.post("/security/accounts?action=rebuildScope")
    assert (rebuilt.status_code, rebuilt.json()["State"]) == (201, "Finished")


def test_roles_are_given_and_taken_and_the_last_one_stays(client: httpx2.Client) -> None:
    account = add_account(client, "carol", Role.PORTAL_USER)
    uid = {"EnterpriseRoleUid": f"urn:veeam:EnterpriseRole:{Role.PORTAL_ADMINISTRATOR.id}"}
    added = client.post(f"{account}/roles", json=uid)
    assert added.status_code == 201
    assert client.post(f"{account}/roles", json=uid).status_code == 400
    assert client.get(added.headers["Location"]).json()["RoleName"] == ("Portal Administrator")
    assert client.delete(added.headers["Location"]).status_code == 204
    last = client.delete(f"{account}/roles/{Role.PORTAL_USER.id}")
    assert last.status_code == 400
    assert "is the last role of carol" in last.json()["Message"]
    assert client.delete(f"{account}/roles/{Role.SQL_RESTORE_OPERATOR.id}").status_code == 404
    unknown = {"EnterpriseRoleUid": str(uuid4())}
    assert client.post(f"{account}/roles", json=unknown).status_code == 404


def test_the_last_administrator_stays(client: httpx2.Client) -> None:
    own = client.get("/security/accounts").json()["Refs"][0]["Href"]
    refused = client.delete(own)
    assert refused.status_code == 400
    assert "admin is the last portal administrator" in refused.json()["Message"]
    client.post(f"{own}/roles", json={"EnterpriseRoleUid": str(Role.PORTAL_USER.id)})
    assert client.delete(f"{own}/roles/{Role.PORTAL_ADMINISTRATOR.id}").status_code == 400
    add_account(client, "carol", Role.PORTAL_ADMINISTRATOR)
    assert client.delete(own).status_code == 204
    assert client.get("/tasks").status_code == 401, "its sessions have ended"


def test_a_new_password_ends_the_sessions_that_the_old_one_opened(
    running: RunningManager, client: httpx2.Client
) -> None:
    account = add_account(client, "carol", Role.PORTAL_USER)
    carol, elsewhere = logged_on_as(running, "carol"), logged_on_as(running, "CAROL")
    wrong = carol.put("/security/password", json={"CurrentPassword": "x", "Password": "y"})
    assert wrong.status_code == 403
    change = {"CurrentPassword": "s3cret", "Password": "n3w"}
    assert carol.put("/security/password", json=change).status_code == 204
    assert carol.get("/cloud/gateways").status_code == 200
    assert elsewhere.get("/cloud/gateways").status_code == 401
    assert client.put(account, json={"Password": "n3wer"}).status_code == 204
    assert carol.get("/cloud/gateways").status_code == 401
    logged_on_as(running, "carol", "n3wer")
    texts = [event.text for event in running.audited() if event.operation == "ChangePassword"]
    assert texts == ["The password of the account carol has been changed"] * 2
    everything = repr([(event.before, event.after) for event in running.audited()])
    assert "n3w" not in everything
    assert "s3cret" not in everything


def test_a_password_that_was_shown_before_it_was_reset_changes_nothing(
    running: RunningManager, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = add_account(client, "kim", Role.PORTAL_ADMINISTRATOR)
    kim = logged_on_as(running, "kim")
    session, reset = session_id_of(kim.cookies["X-RestSvcSessionId"]), hash_password("reset")

    def resets_meanwhile(password: str) -> str:
        with running.manager.changing("kim") as work:
            account = administration.get_account(work, UUID(where.rpartition("/")[2]))
            administration.set_password(work, account, reset, keep=session)
        return hash_password(password)

    monkeypatch.setattr("cloudgate.api.handlers.security.hash_password", resets_meanwhile)
    change = {"CurrentPassword": "s3cret", "Password": "chosen"}
    refused = kim.put("/security/password", json=change)
    assert refused.status_code == 403
    assert "changed meanwhile" in refused.json()["Message"]
    assert logged_on_as(running, "kim", "reset").get("/tasks").status_code == 200
    client.delete(where).raise_for_status()


def test_an_account_without_a_password_cannot_log_on(
    running: RunningManager, client: httpx2.Client
) -> None:
    spec = account_spec("carol", Role.PORTAL_USER)
    del spec["Password"]
    client.post("/security/accounts", json=spec).raise_for_status()
    for guess in ("", "x"):
        answer = running.client().post("/sessionMngr/", auth=("carol", guess))
        assert answer.status_code == 401


def test_bad_accounts_are_refused_with_the_reason(client: httpx2.Client) -> None:
    add_account(client, "carol", Role.PORTAL_USER)
    good = account_spec("dave", Role.PORTAL_USER)
    scope = {"HierarchyScopeItems": [{"HierarchyObjRef": "urn:VMware:Vm:1", "ObjectName": "x"}]}
    for change, status, words in (
        ({"AccountName": "Carol"}, 400, "named carol is there already"),
        ({"AccountName": " "}, 400, "AccountName"),
        ({"AccountType": "Robot"}, 400, "AccountType"),
        ({"Roles": {}}, 400, "at least one role"),
        ({"Roles": None}, 400, "Roles"),
        ({"Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": "7"}]}}, 400, "EnterpriseRoleUid"),
        ({"Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": str(uuid4())}]}}, 404, "no role"),
        ({"HierarchyScopeObjects": scope}, 501, "does not offer scopes"),
    ):
        answer = client.post("/security/accounts", json={**good, **change})
        assert (answer.status_code, change) == (status, change), answer.text
        assert words in answer.json()["Message"]
    for path, status in (("7", 400), (str(uuid4()), 404)):
        for verb in ("GET", "DELETE", "POST"):
            assert client.request(verb, f"/security/accounts/{path}").status_code == status


def test_the_right_to_restore_everything_is_toggled(client: httpx2.Client) -> None:
    account = add_account(client, "carol", Role.FILE_RESTORE_OPERATOR)
    assert client.post(account).status_code == 204
    assert client.get(f"{account}?format=Entity").json()["AllowRestoreAllVms"] is True


def test_every_call_is_closed_to_those_who_may_not(
    running: RunningManager, client: httpx2.Client
) -> None:
    """Each route asked by each role that is not let through: 403, and nothing else."""
    spec = {"Name": "tenant", "Password": "s3cret"}
    finished(client, client.post("/cloud/tenants", json=spec).json())
    for role in Role:
        if role is Role.TENANT:
            asker = running.client(Accept="application/json")
            asker.post("/sessionMngr/?as=tenant", auth=("tenant", "s3cret")).raise_for_status()
        else:
            add_account(client, role.name.lower(), role)
            asker = logged_on_as(running, role.name.lower())
        for route in ROUTES:
            if not route.needs_session or role in roles_for(route):
                continue
            path = route.path.replace("{id}", str(uuid4())).replace("{item}", str(uuid4()))
            action = {"action": route.action} if route.action else {}
            answer = asker.request(route.verb, path, params=action)
            assert answer.status_code == 403, (role, route.verb, path)
            assert answer.json()["Message"] == "Access denied"
    denied = [event for event in running.audited() if event.operation == "DenyAccess"]
    assert len(denied) > 100
    assert not any(event.success for event in denied)


def test_no_account_is_given_the_role_of_a_tenant(client: httpx2.Client) -> None:
    names = [ref["Name"] for ref in client.get("/security/roles").json()["Refs"]]
    assert Role.TENANT.value not in names
    assert Role.TENANT not in EVERYBODY


def test_restore_operators_ask_for_what_they_may_see(
    running: RunningManager, client: httpx2.Client
) -> None:
    add_account(client, "carol", Role.FILE_RESTORE_OPERATOR)
    carol = logged_on_as(running, "carol")
    assert carol.get("/query?type=Task").status_code == 200
    assert carol.get("/query?type=RestorePoint").status_code == 200
    assert carol.get("/query?type=CloudTenant").status_code == 403


def test_others_see_their_own_sessions_only(running: RunningManager, client: httpx2.Client) -> None:
    add_account(client, "carol", Role.PORTAL_USER)
    carol = logged_on_as(running, "carol")
    (own,) = carol.get("/logonSessions").json()["LogonSessions"]
    assert own["UserName"] == "carol"
    sessions = client.get("/logonSessions").json()["LogonSessions"]
    assert {session["UserName"] for session in sessions} == {"admin", "carol"}
    foreign = next(each["Href"] for each in sessions if each["UserName"] == "admin")
    assert carol.get(foreign).status_code == 404
    assert carol.delete(foreign).status_code == 404
    assert client.get(foreign).status_code == 200


LOGIN_XML = (
    '<LoginSpec xmlns="http://www.veeam.com/ent/v1.0"><TenantCredentials><Username>ABC Company'
    "</Username><Password>P@ssw0rd</Password></TenantCredentials></LoginSpec>"
)


def test_a_session_for_a_tenant_sees_three_branches(
    running: RunningManager, client: httpx2.Client
) -> None:
    spec = {"Name": "ABC Company", "Password": "P@ssw0rd"}
    finished(client, client.post("/cloud/tenants", json=spec).json())
    asker = running.client(Accept="application/xml")
    answer = asker.post(
        "/sessionMngr/?v=v1_7",
        auth=("admin", PASSWORD),
        content=LOGIN_XML,
        headers={"Content-Type": "application/xml"},
    )
    assert answer.status_code == 201, answer.text
    session = etree.fromstring(answer.content)
    links = session.findall("v:Links/v:Link", NS)
    assert [(link.get("Rel"), link.get("Type")) for link in links] == [
        ("Up", "EnterpriseManager"),
        ("Down", "CloudConnectService"),
        ("Delete", None),
    ]
    assert session.findtext("v:UserName", namespaces=NS) == "admin"
    cloud = etree.fromstring(asker.get("/cloud").content)
    paths = [str(link.get("Href")).partition("/api")[2] for link in cloud.iterfind(".//v:Link", NS)]
    assert paths[1:] == [
        "/cloud/cloudFailoverPlans",
        "/cloud/vmReplicaPoints",
        "/cloud/replicas",
        "/cloud/cloudFailoverPlans?format=Entity",
        "/cloud/vmReplicaPoints?format=Entity",
        "/cloud/replicas?format=Entity",
    ]
    assert all(asker.get(path).status_code == 200 for path in paths[1:])
    for route in ROUTES:
        if route.needs_session and not route.for_tenants and route.verb == "GET":
            path = route.path.replace("{id}", str(uuid4())).replace("{item}", str(uuid4()))
            assert asker.get(path).status_code == 403, path


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"TenantCredentials": {"Username": "ABC Company", "Password": "wrong"}}, 401),
        ({"TenantCredentials": {"Username": "Nobody", "Password": "P@ssw0rd"}}, 401),
        ({"TenantCredentials": {"Username": "Disabled", "Password": "P@ssw0rd"}}, 401),
        ({}, 400),
        ({"TenantCredentials": {"Username": "", "Password": ""}}, 400),
        (
            {
                "VCloudOrganizationCredentials": {
                    "OrganizationName": "o",
                    "Login": "l",
                    "Password": "p",
                }
            },
            501,
        ),
    ],
)
def test_a_tenant_that_is_none_does_not_log_on(
    running: RunningManager, client: httpx2.Client, body: dict[str, Any], status: int
) -> None:
    for name, enabled in (("ABC Company", True), ("Disabled", False)):
        spec = {"Name": name, "Password": "P@ssw0rd", "Enabled": enabled}
        finished(client, client.post("/cloud/tenants", json=spec).json())
    asker = running.client(Accept="application/json")
    answer = asker.post("/sessionMngr/", auth=("admin", PASSWORD), json=body)
    assert answer.status_code == status, answer.text


def test_credentials_are_kept_and_their_passwords_never_shown(
    running: RunningManager, client: httpx2.Client
) -> None:
    site = client.get("/backupServers").json()["Refs"][0]
    base = f"{site['Href']}/credentials"
    spec = {
        "Username": "VEEAM\\Administrator",
        "Description": "Credentials created with REST API",
        "Password": "s3cret 1234",
    }
    answer = client.post(f"{base}?action=create", json=spec)
    assert (answer.status_code, answer.content) == (201, b"")
    (listed,) = client.get(base).json()["CredentialsInfos"]
    href = f"{base}/{listed['Id']}"
    assert listed == {
        "Id": listed["Id"],
        "Username": "VEEAM\\Administrator",
        "Description": "Credentials created with REST API",
        "Password": "",
        "Links": [
            {
                "Rel": "Up",
                "Href": f"{site['Href']}?format=Entity",
                "Name": "localhost",
                "Type": "BackupServer",
            },
            {"Rel": "Edit", "Href": href, "Type": "Credentials"},
            {"Rel": "Delete", "Href": href, "Type": "Credentials"},
        ],
        "Href": href,
        "Type": "Credentials",
    }
    changed = {**listed, "Id": str(uuid4()), "Description": "new", "Password": "an0ther"}
    assert client.put(href, json=changed).status_code == 204
    assert client.get(href).json()["Description"] == "new"
    database = running.ca_file.parent / "cloudgate.db"
    kept = database.read_bytes() + database.with_name("cloudgate.db-wal").read_bytes()
    assert b"s3cret 1234" not in kept
    assert b"an0ther" not in kept
    assert client.delete(href).status_code == 204
    assert client.get(href).status_code == 404
    assert client.post(f"{base}?action=create", json={"Password": "x"}).status_code == 400
    assert client.get(f"/backupServers/{uuid4()}/credentials").status_code == 404
    assert client.get(f"{base}/7").status_code == 400


def test_passwords_are_kept_and_their_hints_shown(client: httpx2.Client) -> None:
    base = f"{client.get('/backupServers').json()['Refs'][0]['Href']}/passwords"
    spec = (
        '<PasswordKeyInfoSpec xmlns="http://www.veeam.com/ent/v1.0"><Hint>My favorite book</Hint>'
        "<Password>1234</Password></PasswordKeyInfoSpec>"
    )
    answer = client.post(
        f"{base}?action=create", content=spec, headers={"Content-Type": "application/xml"}
    )
    assert (answer.status_code, answer.content) == (201, b"")
    (listed,) = client.get(base).json()["PasswordKeyInfos"]
    assert (listed["Hint"], listed["Type"]) == ("My favorite book", "PasswordKey")
    assert set(listed) == {"Id", "Hint", "LastModificationDate", "Links", "Href", "Type"}
    before = datetime.fromisoformat(listed["LastModificationDate"])
    assert client.put(listed["Href"], json={"Hint": "other"}).status_code == 204
    after = client.get(listed["Href"]).json()
    assert after["Hint"] == "other"
    assert datetime.fromisoformat(after["LastModificationDate"]) > before
    assert client.delete(listed["Href"]).status_code == 204
    assert client.get(base).json() == {"PasswordKeyInfos": []}


def test_a_secret_opens_for_its_owner_only(running: RunningManager) -> None:
    sealing = running.manager.sealing
    sealed = sealing.seal("s3cret", "Credentials 1")
    assert sealing.open(sealed, "Credentials 1") == "s3cret"
    with pytest.raises(Exception, match="sealed with another key"):
        sealing.open(sealed, "Credentials 2")


def test_guesses_wait_longer_each_time() -> None:
    delays = [delay_seconds(failures) for failures in range(40)]
    assert delays[:FREE_FAILURES] == [0] * FREE_FAILURES
    assert delays == sorted(delays)
    assert delays[FREE_FAILURES] == 0.5
    assert delays[-1] == LONGEST_DELAY_SECONDS


def test_failures_are_remembered_by_account_and_by_address_and_then_forgotten() -> None:
    now = [0.0]
    failures = LoginThrottle(lambda: now[0])
    for _ in range(FREE_FAILURES + 1):
        failures.failed("admin", "192.0.2.1")
    assert failures.delay_for("192.0.2.1") > 0
    assert failures.delay_for("192.0.2.2") == 0, "the owner elsewhere does not wait"
    assert failures.failed("ADMIN", "192.0.2.3") > 0, "but a guess from elsewhere does"
    now[0] += 3600
    assert failures.delay_for("192.0.2.1") == 0
    for number in range(2 * MOST_REMEMBERED):
        failures.failed("x", str(number))
    assert failures.remembered <= 3 * MOST_REMEMBERED


@pytest.mark.parametrize("name", ["admin", "ADMIN", ".\\admin", "localhost\\admin", HOST_ADMIN])
def test_guesses_at_an_account_are_counted_together_however_it_is_written(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    seen = counted(monkeypatch)
    asker = running.client(Accept="application/json")
    assert asker.post("/sessionMngr/", auth=(name, "guess")).status_code == 401
    assert seen == ["admin"]


def test_guesses_at_a_tenant_are_counted_as_such_whoever_tries_them(
    running: RunningManager, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"Name": "admin", "Password": "s3cret"}
    finished(client, client.post("/cloud/tenants", json=spec).json())
    seen, asker = counted(monkeypatch), running.client(Accept="application/json")
    for name in ("admin", "ADMIN"):
        answer = asker.post("/sessionMngr/?as=tenant", auth=(name, "guess"))
        assert answer.status_code == 401
    said = {"TenantCredentials": {"Username": "Admin", "Password": "guess"}}
    answer = asker.post("/sessionMngr/", json=said, auth=("admin", PASSWORD))
    assert answer.status_code == 401
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert "admin" not in seen, "which is the account of that name"


def test_who_was_right_from_an_address_waits_for_nobody_elses_failures_there(
    running: RunningManager, client: httpx2.Client, waits: list[float]
) -> None:
    add_account(client, "ann", Role.PORTAL_USER)
    add_account(client, "new", Role.PORTAL_USER)
    logged_on_as(running, "ann")
    guess(running, ("svc", "guess"))
    waits.clear()
    logged_on_as(running, "ann")
    assert max(waits) <= 0
    logged_on_as(running, "new")
    assert max(waits) > 0, "who was not yet right from there"
    waits.clear()
    guessed = running.client().post("/sessionMngr/", auth=("ann", "guess"))
    assert guessed.status_code == 401
    as_late = delay_seconds(FREE_FAILURES) + delay_seconds(FREE_FAILURES + 1)
    assert max(waits) == as_late, "a wrong one hears as late as of a name that nobody has"


def test_who_guesses_at_tenants_by_an_account_of_his_own_waits_though_that_is_right(
    running: RunningManager, client: httpx2.Client, waits: list[float]
) -> None:
    add_account(client, "eve", Role.PORTAL_USER)
    logged_on_as(running, "eve")
    said = {"TenantCredentials": {"Username": "acme", "Password": "guess"}}
    guess(running, ("eve", "s3cret"), json=said)
    waits.clear()
    for _ in range(2):
        logged_on_as(running, "eve")
        assert max(waits) > 0
        waits.clear()


def guess(running: RunningManager, auth: tuple[str, str], **said: Any) -> None:
    """Be wrong as often as costs nothing, so that the next one of the address waits."""
    asker = running.client(Accept="application/json")
    for _ in range(FREE_FAILURES):
        assert asker.post("/sessionMngr/", auth=auth, **said).status_code == 401


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long logons are made to wait, each time that they are."""
    seen: list[float] = []
    whole = LoginGate._wait

    async def wait(gate: LoginGate, seconds: float) -> None:
        seen.append(seconds)
        await whole(gate, seconds)

    monkeypatch.setattr(LoginGate, "_wait", wait)
    return seen


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whom wrong logons are counted for from now on."""
    seen: list[str] = []
    whole = LoginThrottle.failed

    def failed(self: LoginThrottle, account: str, address: str) -> float:
        seen.append(account)
        return min(0.0, whole(self, account, address))

    monkeypatch.setattr(LoginThrottle, "failed", failed)
    return seen


def test_wrong_logons_are_slowed_and_audited_and_a_right_one_is_not(
    running: RunningManager, client: httpx2.Client
) -> None:
    asker = running.client(Accept="application/json")
    took = []
    for _ in range(FREE_FAILURES + 1):
        begun = time.monotonic()
        refused = asker.post("/sessionMngr/", auth=("admin", "guess"))
        took.append(time.monotonic() - begun)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Basic Realm=RestSvc"
    assert took[-1] >= 0.5
    asker.post("/sessionMngr/", auth=("admin", PASSWORD)).raise_for_status()
    events = [event for event in running.audited() if event.operation == "LogOn"]
    failed = [event for event in events if not event.success]
    assert len(failed) == FREE_FAILURES + 1
    assert {(event.account, event.address) for event in failed} == {("admin", "127.0.0.1")}
    assert "guess" not in repr([(event.text, event.message, event.after) for event in events])
    assert client.get("/tasks").status_code == 200
