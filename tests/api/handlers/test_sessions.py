"""Logging on and off, as programs that others wrote do it."""

import base64
import re
from datetime import timedelta

import httpx2
import pytest
from lxml import etree

from cloudgate.errors import NotAuthenticatedError
from cloudgate.manager.sessions.accounts import authenticate
from cloudgate.manager.sessions.administration import NewAccount, create_account
from cloudgate.manager.sessions.operations import begin_session
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.tables import Account
from cloudgate.trust.password_hashes import hash_password
from tests.support.running.manager import PASSWORD, RunningManager

NS = {"v": "http://www.veeam.com/ent/v1.0"}
HEADER = "X-RestSvcSessionId"


def log_on(client: httpx2.Client, path: str = "/sessionMngr/?v=v1_7") -> httpx2.Response:
    answer = client.post(path, auth=("admin", PASSWORD))
    client.cookies.clear()
    return answer


def test_logon_answers_with_session_token_location_and_cookie(running: RunningManager) -> None:
    client = running.client()
    answer = log_on(client)
    assert answer.status_code == 201
    root = etree.fromstring(answer.content)
    session_id = root.findtext("v:SessionId", namespaces=NS)
    assert session_id is not None
    token = base64.b64encode(session_id.encode()).decode()
    assert answer.headers[HEADER] == token
    assert answer.headers["Set-Cookie"] == (
        f"{HEADER}={token}; Path=/api; HttpOnly; SameSite=Strict; Secure"
    )
    assert answer.headers["Location"] == f"{running.url}/api/logonSessions/{session_id}"
    assert root.findtext("v:UserName", namespaces=NS) == "admin"
    rels = [link.get("Rel") for link in root.iterfind("v:Links/v:Link", NS)]
    assert rels.count("Delete") == 1
    assert rels[-1] == "Delete"


def test_logon_in_json_has_its_links(running: RunningManager) -> None:
    answer = log_on(running.client(Accept="application/json"))
    assert list(answer.json()) == ["UserName", "SessionId", "Links", "Href", "Type"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/sessionMngr",
        "/api/sessionMngr/",
        "/api//sessionMngr",
        "/API/SessionMngr/",
        "/api/sessionMngr/?v=latest",
        "/api/sessionMngr/?v=v1_1",
        "/api/sessionMngr/?V=V1_4&x=y",
    ],
)
def test_logon_takes_every_spelling_that_clients_use(running: RunningManager, path: str) -> None:
    assert log_on(running.client(), running.url + path).status_code == 201


def test_logon_takes_any_content_type_without_a_body(running: RunningManager) -> None:
    client = running.client()
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json"):
        answer = client.post(
            "/sessionMngr", auth=("admin", PASSWORD), headers={"Content-Type": kind}
        )
        assert answer.status_code == 201


def test_an_unknown_version_is_refused(running: RunningManager) -> None:
    assert log_on(running.client(), "/sessionMngr/?v=v9").status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic " + base64.b64encode(b"admin:wrong").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"nobody:wrong").decode()},
        {"Authorization": "Basic " + base64.b64encode("ädmin:wröng".encode("latin-1")).decode()},
    ],
)
def test_a_wrong_logon_is_401_and_asks_for_basic(
    running: RunningManager, headers: dict[str, str]
) -> None:
    answer = running.client().post("/sessionMngr/?v=v1_7", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Basic Realm=RestSvc"
    assert b'StatusCode="401"' in answer.content
    assert HEADER not in answer.headers


@pytest.mark.parametrize("query", ["v=latest", "v=latest&as=tenant"])
def test_a_name_that_no_database_takes_is_no_logon(running: RunningManager, query: str) -> None:
    answer = running.client().post(f"/sessionMngr/?{query}", auth=("a\0b", "x"))
    assert answer.status_code == 401
    assert "U+0000" in answer.text


def test_the_token_is_taken_from_header_or_cookie_and_the_cookie_wins(
    running: RunningManager,
) -> None:
    client = running.client()
    good = log_on(client).headers[HEADER]
    bad = base64.b64encode(b"29e5d158-1f58-44bc-bbaa-2752d787a91d").decode()
    for headers, status in [
        ({HEADER: good}, 200),
        ({HEADER.upper(): good}, 200),
        ({"Cookie": f"{HEADER}={good}"}, 200),
        ({"Cookie": f"{HEADER}={good}", HEADER: bad}, 200),
        ({"Cookie": f"{HEADER}={bad}", HEADER: good}, 401),
        ({HEADER: bad}, 401),
        ({HEADER: "nonsense"}, 401),
        ({}, 401),
    ]:
        assert client.get("/backupServers", headers=headers).status_code == status


def test_authorization_on_later_requests_does_no_harm(running: RunningManager) -> None:
    client = running.logged_on()
    assert client.get("/tasks", auth=("somebody", "else")).status_code == 200


def test_a_session_ends_after_fifteen_minutes_without_a_request(running: RunningManager) -> None:
    client = running.logged_on()
    for _ in range(3):
        running.clock.ahead += timedelta(minutes=14, seconds=50)
        assert client.get("/tasks").status_code == 200
    running.clock.ahead += timedelta(minutes=15, seconds=31)
    answer = client.get("/tasks")
    assert answer.status_code == 401
    assert answer.json()["Message"] == "Authentication token has expired"
    assert "15 minutes" in answer.json()["FirstChanceExceptionMessage"]


def test_whoever_comes_with_a_session_that_is_not_there_is_told_so_in_the_published_words(
    running: RunningManager,
) -> None:
    ended = running.logged_on()
    token = ended.cookies[HEADER]
    ended.delete(ended.get("/logonSessions").json()["LogonSessions"][0]["Href"])
    never = base64.b64encode(b"29e5d158-1f58-44bc-bbaa-2752d787a91d").decode()
    client = running.client()
    for each in (token, never, "nonsense", "", "=="):
        answer = client.get("/tasks", headers={"Cookie": f"{HEADER}={each}", HEADER: each})
        error = etree.fromstring(answer.content)
        assert answer.status_code == 401
        if each:
            assert error.get("Message") == "Authentication token has expired"
            (advice,) = error
            assert "POST /api/sessionMngr/?v=latest" in str(advice.text)
        else:
            assert "is missing" in str(error.get("Message"))


def test_the_session_of_who_is_asking_is_the_first_in_the_list(running: RunningManager) -> None:
    """Programs take the first for their own, and end it."""
    clients = [running.logged_on() for _ in range(3)]
    own = []
    for client in clients:
        listed = client.get("/logonSessions").json()["LogonSessions"]
        assert len(listed) == 3
        own.append(listed[0]["SessionId"])
        token = base64.b64encode(own[-1].encode()).decode()
        assert token == client.cookies[HEADER]
    assert len(set(own)) == 3
    clients[1].delete(f"/logonSessions/{own[1]}").raise_for_status()
    assert [client.get("/tasks").status_code for client in clients] == [200, 401, 200]


def test_the_session_of_another_is_named_by_what_opens_nothing_and_ended_by_it(
    running: RunningManager,
) -> None:
    client, other = running.logged_on(), running.logged_on()
    own = other.get("/logonSessions").json()["LogonSessions"][0]["SessionId"]
    found = client.get("/logonSessions").json()["LogonSessions"]
    (alias,) = {each["SessionId"] for each in found[1:]}
    assert alias not in (own, found[0]["SessionId"])
    token = base64.b64encode(alias.encode()).decode()
    assert running.client(**{HEADER: token}).get("/tasks").status_code == 401
    shown = client.get(f"/logonSessions/{alias}").json()
    assert own not in str(shown)
    assert shown == found[1]
    assert [each["Rel"] for each in shown["Links"]] == ["Up", "Delete"], "all that it is good for"
    # A program that has kept the id from its logon may end it by another session.
    third = running.logged_on()
    kept = third.get("/logonSessions").json()["LogonSessions"][0]["SessionId"]
    assert kept not in client.get(f"/logonSessions/{kept}").text
    assert client.delete(f"/logonSessions/{kept}").status_code == 204
    assert client.delete(f"/logonSessions/{alias}").status_code == 204
    assert [each.get("/tasks").status_code for each in (client, other, third)] == [200, 401, 401]


@pytest.mark.parametrize("host", ["[", "[::1", "]:9398", "a:b", "host:99999", "host:0", ":9398"])
def test_a_host_that_no_url_can_have_stands_in_no_link(running: RunningManager, host: str) -> None:
    answer = running.client(Host=host).post("/sessionMngr/", auth=("admin", PASSWORD))
    assert answer.status_code == 201
    assert host not in answer.headers["Location"]
    assert answer.headers["Location"].startswith("https://127.0.0.1:")


def test_a_session_is_listed_shown_and_ended(running: RunningManager) -> None:
    client = running.logged_on()
    sessions = client.get("/logonSessions").json()["LogonSessions"]
    assert len(sessions) == 1
    session = sessions[0]
    assert client.get(session["Href"]).json() == session
    assert client.delete(session["Href"]).status_code == 204
    assert client.get("/tasks").status_code == 401


def test_the_root_lists_the_versions_and_needs_no_session(running: RunningManager) -> None:
    for path in ("/api", "/api/", "/Api/"):
        answer = running.client(Accept="application/json").get(running.url + path)
        assert answer.status_code == 200
        root = answer.json()
        names = [found["Name"] for found in root["SupportedVersions"]["SupportedVersions"]]
        assert names == ["v1", *(f"v1_{minor}" for minor in range(1, 8))]
        assert root["Links"][1]["Href"] == f"{running.url}/api/sessionMngr/?v=latest"
        assert (root["Href"], root["Type"]) == (None, None)


def test_the_schema_is_published(running: RunningManager) -> None:
    answer = running.client().get("/schema")
    assert answer.headers["Content-Type"].startswith("application/xml")
    assert etree.XMLSchema(etree.fromstring(answer.content)) is not None


def test_hrefs_lead_back_by_the_name_that_the_client_used(running: RunningManager) -> None:
    port = running.url.rpartition(":")[2]
    answer = running.client().get(f"https://127.0.0.1:{port}/api/")
    hrefs = re.findall(r'Href="([^"]+)"', answer.text)
    assert hrefs
    assert all(href.startswith(f"https://127.0.0.1:{port}/api/") for href in hrefs)


def test_a_session_of_a_clock_that_was_ahead_ends_as_soon_as_others(
    running: RunningManager,
) -> None:
    running.clock.ahead = timedelta(days=1)
    idle, used = running.logged_on(), running.logged_on()
    running.clock.ahead -= timedelta(minutes=10)
    used.get("/backupServers").raise_for_status()
    running.clock.ahead = timedelta()
    assert [each.get("/backupServers").status_code for each in (idle, used)] == [401, 401]
    running.clock.ahead = timedelta(minutes=10)
    of_now = running.logged_on()
    assert len(of_now.get("/logonSessions").json()["LogonSessions"]) == 1
    # A clock that is put right by little ends nobody's, and 15 minutes count from then on.
    running.clock.ahead = timedelta()
    of_now.get("/backupServers").raise_for_status()
    running.clock.ahead = timedelta(minutes=15, seconds=31)
    assert of_now.get("/backupServers").status_code == 401


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/xml"),
        ("application/xml", "application/xml"),
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("application/xml, text/xml, application/json", "application/xml"),
        ("text/html, application/json", "application/json"),
        ("text/html", "application/xml"),
    ],
)
def test_the_answer_is_in_the_form_that_accept_names_first(
    running: RunningManager, accept: str, kind: str
) -> None:
    answer = running.client().get("/", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == kind
    assert not answer.content.startswith(b"\xef\xbb\xbf")


def test_a_password_never_comes_back(running: RunningManager) -> None:
    client = running.logged_on()
    task = client.post("/cloud/tenants", json={"Name": "acme", "Password": "s3cret-s3cret"}).json()
    del task
    for path in ("/cloud/tenants?format=Entity", "/tasks", "/logonSessions"):
        text = client.get(path).text
        assert "s3cret" not in text
        assert PASSWORD not in text
        assert "argon2" not in text


def test_everybody_sees_and_removes_the_own_tasks_and_administrators_all(
    running: RunningManager,
) -> None:
    admin = running.logged_on()
    users = {}
    for name in ("ann", "ben"):
        password_hash = hash_password("a long password")
        with running.manager.changing() as work:
            spec = NewAccount(
                name=name,
                kind="InternalUser",
                role_ids=[Role.PORTAL_USER.id, Role.VM_RESTORE_OPERATOR.id],
                password_hash=password_hash,
            )
            create_account(work, spec)
        users[name] = running.client(Accept="application/json")
        users[name].post("/sessionMngr/", auth=(name, "a long password")).raise_for_status()
    (site,) = admin.get("/backupServers").json()["Refs"]
    tasks = {
        name: client.post(f"{site['Href']}?action=collect").json()["TaskId"]
        for name, client in {"admin": admin, **users}.items()
    }

    def seen(client: httpx2.Client) -> set[str]:
        listed = {each["TaskId"] for each in client.get("/tasks").json()["Tasks"]}
        queried = client.get("/query?type=Task").json()["Resources"]["Tasks"]
        assert {each["TaskId"] for each in queried["Tasks"]} == listed
        return listed

    ann = users["ann"]
    assert seen(admin) == set(tasks.values())
    assert seen(ann) == {tasks["ann"]}
    for verb in ("GET", "DELETE"):
        assert ann.request(verb, f"/tasks/{tasks['ben']}").status_code == 404
        assert ann.request(verb, f"/tasks/{tasks['admin']}").status_code == 404
    assert ann.get(f"/tasks/{tasks['ann']}").status_code == 200
    again = running.client(Accept="application/json")
    again.post("/sessionMngr/", auth=("ann", "a long password")).raise_for_status()
    assert seen(again) == {tasks["ann"]}, "in another session, too"
    assert ann.delete(f"/tasks/{tasks['ann']}").status_code == 204
    assert seen(admin) == {tasks["admin"], tasks["ben"]}
    assert admin.delete(f"/tasks/{tasks['ben']}").status_code == 204


def test_a_tenants_own_session_sees_no_task_of_its_provider(running: RunningManager) -> None:
    admin = running.logged_on()
    made = admin.post("/cloud/tenants", json={"Name": "acme", "Password": "a long password"})
    task = made.json()["TaskId"]
    own = running.client(Accept="application/json")
    spec = {"TenantCredentials": {"Username": "acme", "Password": "a long password"}}
    own.post("/sessionMngr/", json=spec, auth=("admin", PASSWORD)).raise_for_status()
    assert own.get("/tasks").json() == {"Tasks": []}
    assert own.get(f"/tasks/{task}").status_code == 404
    assert own.delete(f"/tasks/{task}").status_code == 404
    assert admin.get(f"/tasks/{task}").status_code == 200


def test_a_logon_brings_back_nothing_of_the_account_that_was_changed_meanwhile(
    running: RunningManager,
) -> None:
    manager = running.manager
    password_hash = hash_password("s3cret")
    with manager.changing() as work:
        role = Role.PORTAL_ADMINISTRATOR
        new = NewAccount(
            name="carol",
            kind="InternalUser",
            role_ids=[role.id],
            password_hash=password_hash,
        )
        create_account(work, new)
    before = authenticate(manager, "carol", "s3cret")
    with manager.changing() as work:
        account = work.session.get(Account, before.id)
        assert account is not None
        account.roles = []
    begun = begin_session(manager, before, "latest", None, "127.0.0.1")
    assert not begun.account.roles
    with manager.changing() as work:
        account = work.session.get(Account, before.id)
        assert account is not None
        assert not account.roles
        account.password_hash = "another"
    with pytest.raises(NotAuthenticatedError):
        begin_session(manager, before, "latest", None, "127.0.0.1")
