"""API tokens: who may make one, what does it open, and when is it good no more?"""

import base64
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.table import ROUTES
from cloudgate.manager.sessions import tokens
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.tables import ApiToken
from cloudgate.trust.login_throttle import LoginThrottle
from cloudgate.trust.token_hashes import token_hash
from tests.api.handlers.api_tokens import PATH, make, shows
from tests.support.running.manager import (
    PASSWORD,
    RunningManager,
    client_of_module,
    manager_of_module,
)

running = manager_of_module()
admin = client_of_module()


@pytest.fixture
def user(running: RunningManager, admin: httpx2.Client) -> Iterator[httpx2.Client]:
    """A portal user."""
    role = {"EnterpriseRoleUid": str(Role.PORTAL_USER.id)}
    spec = {"AccountName": "ann", "Password": "s3cret", "Roles": {"EnterpriseRoles": [role]}}
    made = admin.post("/security/accounts", json={"AccountType": "User", **spec})
    client = running.client(Accept="application/json")
    client.post("/sessionMngr/", auth=("ann", "s3cret")).raise_for_status()
    client.headers["X-Account"] = made.headers["Location"]
    yield client
    admin.delete(made.headers["Location"])


def test_a_token_is_shown_once_and_lets_a_program_in_as_its_role(
    running: RunningManager, admin: httpx2.Client
) -> None:
    made = make(admin, "report")
    assert tokens.is_one(made["Secret"])
    program = shows(running, made["Secret"])
    assert program.get("/cloud/tenants").status_code == 200
    assert program.get("/security/accounts").status_code == 403
    again = admin.get(f"{made['Href']}").json()
    assert (again["Account"], again["Role"]) == ("admin", "Portal User")
    assert "Secret" not in again
    with running.manager.reading() as work:
        kept = work.session.get_one(ApiToken, tokens.get_token(work, _id(made), None).id)
        assert kept.secret_hash == token_hash(made["Secret"])
        assert made["Secret"] not in str(vars(kept))


def _id(made: dict[str, Any]) -> UUID:
    return UUID(made["UID"].rpartition(":")[2])


def test_it_ends_after_90_days_unless_told_otherwise_and_after_a_year_at_most(
    admin: httpx2.Client,
) -> None:
    for days, expected in ((None, 90), (1, 1), (366, 366)):
        made = make(admin, f"for {days}", ValidDays=days)
        ends, begins = (_moment(made[each]) for each in ("ExpirationTime", "CreationTime"))
        assert ends - begins == timedelta(days=expected)
    for days in (0, 367, -1):
        refused = admin.post(PATH, json={"Name": "x", "Role": "Portal User", "ValidDays": days})
        assert refused.status_code == 400, days


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_nobody_gives_a_token_more_than_he_has(
    running: RunningManager, admin: httpx2.Client, user: httpx2.Client
) -> None:
    for role, status in (
        ("Portal User", 201),
        ("Metrics", 201),
        ("Portal Administrator", 403),
        ("VM Restore Operator", 403),
        ("King", 400),
    ):
        answer = user.post(PATH, json={"Name": role, "Role": role})
        assert answer.status_code == status, answer.text
    program = shows(running, make(user, "own")["Secret"])
    assert program.get("/cloud/tenants").status_code == 200
    own = user.headers["X-Account"]
    restorer = {"EnterpriseRoleUid": str(Role.VM_RESTORE_OPERATOR.id)}
    admin.post(f"{own}/roles", json=restorer).raise_for_status()
    admin.delete(f"{own}/roles/{Role.PORTAL_USER.id}").raise_for_status()
    lost = program.get("/cloud/tenants")
    assert lost.status_code == 401
    assert "has not any more" in lost.text


def test_each_sees_and_revokes_the_own_ones_and_an_administrator_everybodys(
    admin: httpx2.Client, user: httpx2.Client
) -> None:
    hers, his = make(user, "hers"), make(admin, "his")
    seen = [each["Name"] for each in user.get(f"{PATH}?format=Entity").json()["ApiTokens"]]
    assert seen == ["hers"]
    assert user.get(f"{PATH}/{_id(his)}").status_code == 404
    assert user.delete(f"{PATH}/{_id(his)}").status_code == 404
    everybodys = admin.get(f"{PATH}?format=Entity").json()["ApiTokens"]
    assert {"hers", "his"} <= {each["Name"] for each in everybodys}
    assert admin.delete(f"{PATH}/{_id(hers)}").status_code == 204
    assert user.post(PATH, json={"Name": "same", "Role": "Metrics"}).status_code == 201
    assert user.post(PATH, json={"Name": "same", "Role": "Metrics"}).status_code == 400


def test_a_program_with_a_lesser_role_sees_and_revokes_its_own_token_alone(
    running: RunningManager, admin: httpx2.Client
) -> None:
    automation = make(admin, "automation", "Portal Administrator")
    little = make(admin, "little", "File Restore Operator")
    program = shows(running, little["Secret"])
    seen = program.get(f"{PATH}?format=Entity").json()["ApiTokens"]
    assert [each["Name"] for each in seen] == ["little"]
    for verb in ("GET", "DELETE"):
        assert program.request(verb, f"{PATH}/{_id(automation)}").status_code == 404
    strong = shows(running, automation["Secret"])
    seen = strong.get(f"{PATH}?format=Entity").json()["ApiTokens"]
    assert {"automation", "little"} <= {each["Name"] for each in seen}
    assert program.delete(f"{PATH}/{_id(little)}").status_code == 204
    assert program.get("/tasks").status_code == 401


def test_who_is_revoked_ended_or_whose_account_is_gone_is_refused_at_once(
    running: RunningManager, admin: httpx2.Client, user: httpx2.Client
) -> None:
    revoked, gone, ended = make(admin, "revoked"), make(user, "gone"), make(admin, "ended")
    programs = [shows(running, each["Secret"]) for each in (revoked, gone, ended)]
    for program in programs:
        assert program.get("/cloud/tenants").status_code == 200
    admin.delete(f"{PATH}/{_id(revoked)}").raise_for_status()
    admin.delete(user.headers["X-Account"]).raise_for_status()
    refused = [each.get("/cloud/tenants") for each in programs[:2]]
    running.clock.ahead = timedelta(days=91)
    try:
        refused.append(programs[2].get("/cloud/tenants"))
    finally:
        running.clock.ahead = timedelta()
    for answer in refused:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert "has ended at" in refused[2].text
    noted = [each for each in running.audited() if each.operation == "RefuseApiToken"]
    assert {each.account for each in noted} >= {"unknown API token", "admin (token ended)"}
    assert not any(each.success for each in noted)


def test_the_audit_log_says_which_token_it_was(
    running: RunningManager, admin: httpx2.Client
) -> None:
    made = make(admin, "robot", "Portal Administrator")
    program = shows(running, made["Secret"])
    program.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"})
    event = running.audited()[-1]
    assert (event.operation, event.account) == ("CreateRepository", "admin (token robot)")
    assert all(made["Secret"] not in f"{vars(each)}" for each in running.audited())


def test_a_token_makes_nothing_that_would_let_it_in_when_it_is_revoked(
    running: RunningManager, admin: httpx2.Client, user: httpx2.Client
) -> None:
    program = shows(running, make(admin, "root", "Portal Administrator")["Secret"])
    account = user.headers["X-Account"]
    role = {"EnterpriseRoleUid": str(Role.PORTAL_ADMINISTRATOR.id)}
    new = {"AccountType": "User", "AccountName": "eve", "Password": "x"}
    refused = [
        program.post(PATH, json={"Name": "child", "Role": "Metrics"}),
        program.put("/security/password", json={"CurrentPassword": PASSWORD, "Password": "x"}),
        program.put(account, json={"Password": "x"}),
        program.post("/security/accounts", json=new | {"Roles": {"EnterpriseRoles": [role]}}),
        program.post(f"{account}/roles", json=role),
        program.delete(f"{account}/factor"),
    ]
    for answer in refused:
        assert answer.status_code == 403, answer.text
        assert "not an API token" in answer.text
    assert user.get("/logonSessions").status_code == 200


HARMLESS = {
    ("POST", "/security/accounts/{id}", None),
    ("POST", "/security/accounts", "rebuildscope"),
    ("POST", "/security/accounts/{id}/scopes", None),
}
"""Rights to restore and scopes, which decide nothing here."""


def test_what_gives_rights_to_accounts_wants_somebody_who_has_logged_on() -> None:
    giving = [each for each in ROUTES if each.path.startswith("/security/")]
    open_to_tokens = {
        (each.verb, each.path, each.action)
        for each in giving
        if each.by_token and each.verb in ("POST", "PUT")
    }
    assert open_to_tokens <= HARMLESS
    assert {each.verb for each in giving} >= {"POST", "PUT"}, "there are some"


def test_a_token_sees_no_session_that_it_could_use(
    running: RunningManager, admin: httpx2.Client
) -> None:
    program = shows(running, make(admin, "watcher", "Portal Administrator")["Secret"])
    mine = admin.get("/logonSessions").json()["LogonSessions"][0]["SessionId"]
    listed = program.get("/logonSessions").json()["LogonSessions"]
    assert listed
    for each in [*listed, *(program.get(one["Href"]).json() for one in listed)]:
        assert mine not in str(each)
        token = base64.b64encode(each["SessionId"].encode()).decode()
        tried = running.client(Accept="application/json", **{"X-RestSvcSessionId": token})
        assert tried.get("/security/accounts").status_code == 401
        assert each["Href"].endswith(f"/logonSessions/{each['SessionId']}")


def test_a_session_goes_before_a_token(running: RunningManager, admin: httpx2.Client) -> None:
    made = make(admin, "beside")
    session = dict(admin.cookies)["X-RestSvcSessionId"]
    both = shows(running, made["Secret"])
    both.headers["X-RestSvcSessionId"] = session
    assert both.get("/security/accounts").status_code == 200


def test_its_last_use_is_written_down_once_a_minute(
    running: RunningManager, admin: httpx2.Client
) -> None:
    made = make(admin, "used")
    program = shows(running, made["Secret"])
    assert "LastUseTime" not in made or made["LastUseTime"] is None
    seen = []
    try:
        for ahead in (0, 30, 61):
            running.clock.ahead = timedelta(seconds=ahead)
            program.get("/cloud/tenants").raise_for_status()
            seen.append(admin.get(made["Href"]).json()["LastUseTime"])
    finally:
        running.clock.ahead = timedelta()
    assert seen[0] == seen[1] != seen[2]


def test_a_token_for_figures_shows_them_and_nothing_else(
    running: RunningManager, admin: httpx2.Client
) -> None:
    watcher = shows(running, make(admin, "prometheus", "Metrics")["Secret"])
    portal = shows(running, make(admin, "portal")["Secret"])
    for client, status in ((watcher, 403), (portal, 200)):
        assert client.get(f"{running.url}/livez?verbose").status_code == 200
        assert "ok" in client.get(f"{running.url}/readyz?verbose").text
        assert client.get("/cloud/tenants").status_code == status
        assert client.get("/cloud/gateways").status_code == status


def test_who_guesses_waits_longer_and_who_is_right_does_not(
    running: RunningManager, admin: httpx2.Client
) -> None:
    right = shows(running, make(admin, "right")["Secret"])
    began, guessing = time.monotonic(), 0.0
    for _ in range(5):
        answer = shows(running, tokens.new_secret()).get("/cloud/tenants")
        assert answer.status_code == 401
        guessing = time.monotonic() - began
        if guessing > 1.0:
            break
    assert guessing > 1.0
    began = time.monotonic()
    right.get("/cloud/tenants").raise_for_status()
    assert time.monotonic() - began < guessing


def test_one_that_was_good_once_is_refused_at_once_and_counts_as_no_guess(
    running: RunningManager, admin: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = shows(running, make(admin, "over", ValidDays=1)["Secret"])
    ended.get("/cloud/tenants").raise_for_status()
    counted: list[str] = []
    whole = LoginThrottle.failed

    def failed(self: LoginThrottle, account: str, address: str) -> float:
        counted.append(account)
        return whole(self, account, address)

    monkeypatch.setattr(LoginThrottle, "failed", failed)
    running.clock.ahead += timedelta(days=1)
    answer = ended.get("/cloud/tenants")
    running.clock.ahead -= timedelta(days=1)
    assert answer.status_code == 401
    assert "has ended" in answer.json()["Message"]
    assert not counted
    assert running.logged("RefuseApiToken").account == "admin (token over)"
    assert shows(running, tokens.new_secret()).get("/cloud/tenants").status_code == 401
    assert len(counted) == 1


def test_a_token_is_there_also_after_the_clock_was_ahead_for_a_moment(
    running: RunningManager, admin: httpx2.Client
) -> None:
    identifier = _id(make(admin, "before"))
    with running.manager.reading() as work:
        account = tokens.get_token(work, identifier, None).account_id
    running.manager.hosts.listening.beat(running.manager.clock())
    running.clock.stepped += timedelta(days=3650)
    try:
        with running.manager.changing() as work:
            tokens.create_token(work, account, tokens.NewToken(name="meanwhile", role="Metrics"))
    finally:
        running.clock.stepped -= timedelta(days=3650)
    assert admin.get(f"{PATH}/{identifier}").json()["Name"] == "before"


@pytest.mark.parametrize("shown", ["x", "cgt_", "cgt_" + "0" * 49, "cgt_" + "é" * 49])
def test_what_is_no_token_is_refused_and_said_so(running: RunningManager, shown: str) -> None:
    header = [(b"Authorization", f"Bearer {shown}".encode())]
    answer = running.client().get("/cloud/tenants", headers=header)
    assert answer.status_code == 401
    assert "is no API token" in answer.text


@given(st.integers(4, 52), st.sampled_from("0aZ9"))
def test_a_secret_is_known_by_its_form_and_by_nothing_that_differs(place: int, other: str) -> None:
    secret = tokens.new_secret()
    assert tokens.is_one(secret)
    changed = secret[:place] + other + secret[place + 1 :]
    assert tokens.is_one(changed) is (changed == secret)
