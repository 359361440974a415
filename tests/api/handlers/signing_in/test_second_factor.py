"""Second factor: set up, asked for at logon, lost, taken away, and asked of roles."""

import base64
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from cloudgate.manager.sessions import totp
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.tables import SecondFactor
from tests.support.running.manager import RunningManager, client_of_module, manager_of_module

PATH = "/security/factor"
RULES = "/security/factorRules"

running = manager_of_module()


@pytest.fixture(autouse=True)
def step(running: RunningManager) -> None:
    """Codes are of steps of the clock: where one ends meanwhile, they are those of before."""
    running.clock.begin(totp.STEP_SECONDS)


admin = client_of_module()


def account(admin: httpx2.Client, name: str, role: Role = Role.PORTAL_USER) -> str:
    """Where a new account is."""
    roles = {"EnterpriseRoles": [{"EnterpriseRoleUid": str(role.id)}]}
    spec = {"AccountType": "User", "AccountName": name, "Password": "s3cret", "Roles": roles}
    made = admin.post("/security/accounts", json=spec).raise_for_status()
    return str(made.headers["Location"])


def log_on(running: RunningManager, name: str, code: str = "") -> httpx2.Response:
    client = running.client(Accept="application/json")
    shown = {"X-Cloudgate-Code": code} if code else {}
    return client.post("/sessionMngr/", auth=(name, "s3cret"), headers=shown)


def session_of(running: RunningManager, name: str, code: str = "") -> httpx2.Client:
    answer = log_on(running, name, code)
    assert answer.status_code == 201, answer.text
    token = answer.headers["X-RestSvcSessionId"]
    client = running.client(Accept="application/json")
    client.headers["X-RestSvcSessionId"] = token
    return client


def code_at(running: RunningManager, secret: str, ahead: int = 0) -> str:
    return totp.code_of(secret, totp.step_at(running.clock()) + ahead)


def set_up(running: RunningManager, client: httpx2.Client) -> tuple[str, list[str]]:
    """A second factor: its secret, and the recovery codes. The code of the step before is used."""
    secret = client.post(PATH).raise_for_status().json()["Secret"]
    answer = client.put(PATH, json={"Code": code_at(running, secret, -1)})
    assert answer.status_code == 200, answer.text
    return secret, answer.json()["RecoveryCodes"]["RecoveryCodes"]


def test_it_is_asked_for_once_it_was_confirmed_and_each_code_is_good_once(
    running: RunningManager, admin: httpx2.Client
) -> None:
    account(admin, "ann")
    ann = session_of(running, "ann")
    begun = ann.post(PATH).json()
    assert begun["Uri"].startswith("otpauth://totp/Cloudgate%3Aann?secret=")
    assert log_on(running, "ann").status_code == 201  # nothing asks for what is not confirmed
    wrong = ann.put(PATH, json={"Code": "000000"})
    assert wrong.status_code == 403
    secret, _codes = set_up(running, ann)
    refused = log_on(running, "ann")
    assert refused.status_code == 401
    assert "X-Cloudgate-Code" in refused.json()["FirstChanceExceptionMessage"]
    code = code_at(running, secret)
    assert log_on(running, "ann", f"{code[:3]} {code[3:]}").status_code == 201
    assert log_on(running, "ann", code).status_code == 401
    assert ann.get(PATH).json()["Enabled"] is True
    assert ann.post(PATH).status_code == 400


def test_its_secret_is_sealed_and_of_recovery_codes_marks_are_kept(
    running: RunningManager, admin: httpx2.Client
) -> None:
    where = account(admin, "bob")
    secret, codes = set_up(running, session_of(running, "bob"))
    with running.manager.reading() as work:
        kept = work.session.get_one(SecondFactor, UUID(where.rpartition("/")[2]))
        said = f"{kept.sealed_secret} {kept.recovery_marks}"
    assert secret not in said
    assert not any(each in said for each in codes)
    assert not any(secret in f"{vars(each)}" for each in running.audited())


def test_a_recovery_code_is_good_once_in_place_of_a_code(
    running: RunningManager, admin: httpx2.Client
) -> None:
    account(admin, "eve")
    _secret, codes = set_up(running, session_of(running, "eve"))
    assert len(set(codes)) == 10
    eve = session_of(running, "eve", codes[0].upper())
    assert eve.get(PATH).json()["RecoveryCodesLeft"] == 9
    assert log_on(running, "eve", codes[0]).status_code == 401
    assert eve.post(f"{PATH}?action=remove", json={"Code": "000000"}).status_code == 403
    assert eve.post(f"{PATH}?action=remove", json={"Code": codes[1]}).status_code == 204
    assert log_on(running, "eve").status_code == 201


def test_an_administrator_resets_the_one_of_somebody_else(
    running: RunningManager, admin: httpx2.Client
) -> None:
    where = account(admin, "tom")
    tom = session_of(running, "tom")
    set_up(running, tom)
    assert tom.delete(f"{where}/factor").status_code == 403
    assert admin.delete(f"{where}/factor").status_code == 204
    assert admin.delete(f"{where}/factor").status_code == 400
    assert log_on(running, "tom").status_code == 201
    done = [each.operation for each in running.audited() if each.object_name == "tom"]
    assert done.count("SetSecondFactor") == done.count("RemoveSecondFactor") == 1


def test_who_has_a_role_that_asks_for_one_does_nothing_until_it_is_there(
    running: RunningManager, admin: httpx2.Client
) -> None:
    account(admin, "joe", Role.VM_RESTORE_OPERATOR)
    joe = session_of(running, "joe")
    token = joe.post("/security/tokens", json={"Name": "x", "Role": "VM Restore Operator"}).json()
    program = running.client(Accept="application/json", Authorization=f"Bearer {token['Secret']}")
    rule: dict[str, Any] = {"EnterpriseRoleUid": str(Role.VM_RESTORE_OPERATOR.id), "Required": True}
    assert admin.put(RULES, json=rule).status_code == 204
    try:
        rules = admin.get(RULES).json()["SecondFactorRules"]
        assert [each["RoleName"] for each in rules if each["Required"]] == ["VM Restore Operator"]
        refused = joe.get("/tasks")
        assert refused.status_code == 403
        assert "asks for a second factor" in refused.json()["Message"]
        assert session_of(running, "joe").get("/tasks").status_code == 403
        assert joe.post("/security/tokens", json={"Name": "y", "Role": "x"}).status_code == 403
        assert program.get("/tasks").status_code == 200
        set_up(running, joe)
        assert joe.get("/tasks").status_code == 200
        assert admin.get("/tasks").status_code == 200
    finally:
        admin.put(RULES, json={**rule, "Required": False}).raise_for_status()


def test_who_has_yet_to_set_one_up_sees_and_ends_no_session_but_its_own(
    running: RunningManager, admin: httpx2.Client
) -> None:
    account(admin, "lea", Role.PORTAL_ADMINISTRATOR)
    lea = session_of(running, "lea")
    others = [each for each in sessions(lea) if each["UserName"] == "admin"]
    rule: dict[str, Any] = {"EnterpriseRoleUid": str(Role.PORTAL_ADMINISTRATOR.id)}
    assert lea.put(RULES, json=rule | {"Required": True}).status_code == 204
    try:
        (own,) = sessions(lea)
        assert own["UserName"] == "lea"
        for each in others:
            assert lea.delete(each["Href"]).status_code == 404
        mine = dict(admin.cookies)["X-RestSvcSessionId"]
        kept = base64.b64decode(mine).decode()
        assert lea.delete(f"/logonSessions/{kept}").status_code == 404
    finally:
        set_up(running, lea)
        lea.put(RULES, json=rule | {"Required": False}).raise_for_status()
    assert len(sessions(lea)) > 1
    assert admin.get("/tasks").status_code == 200


def sessions(client: httpx2.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        client.get("/logonSessions").raise_for_status().json()["LogonSessions"]
    )
    return found


def test_codes_of_before_and_later_are_no_good(
    running: RunningManager, admin: httpx2.Client
) -> None:
    account(admin, "kim")
    secret, _codes = set_up(running, session_of(running, "kim"))
    running.clock.ahead = timedelta(minutes=10)
    try:
        for ahead in (-3, 3):
            assert log_on(running, "kim", code_at(running, secret, ahead)).status_code == 401
        assert log_on(running, "kim", code_at(running, secret, 1)).status_code == 201
    finally:
        running.clock.ahead = timedelta()


def test_a_token_sets_up_no_second_factor(running: RunningManager, admin: httpx2.Client) -> None:
    made = admin.post("/security/tokens", json={"Name": "t", "Role": "Portal Administrator"})
    program = running.client(Authorization=f"Bearer {made.json()['Secret']}")
    for verb, path in (("POST", PATH), ("GET", PATH), ("PUT", RULES)):
        assert program.request(verb, path).status_code == 403, path
