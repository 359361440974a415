"""Is what was begun before a right was taken away done after that? By the real port, over HTTPS."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any

import httpx2
import pytest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cloudgate.api.http import bodies
from cloudgate.api.http.login_gate import LoginGate
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.sessions import totp
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.sessions.second_factor import RECOVERY_CODES
from cloudgate.trust.login_throttle import LoginThrottle
from tests.api.handlers.accounts import account_spec, add_account, logged_on_as
from tests.api.handlers.api_tokens import make, shows
from tests.support.running.customers import SECRET, Customer, add_vault, listening_host
from tests.support.running.manager import (
    RunningManager,
    client_of_module,
    finished,
    manager_of_module,
)
from tests.support.waiting import PATIENCE_SECONDS

Happen = Callable[[], object]

running = manager_of_module()
admin = client_of_module()


@dataclass
class Meanwhile:
    """Has something happen while a call is under way, after it was seen who asks."""

    patch: pytest.MonkeyPatch
    body_waits: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        whole = bodies.received

        async def received(request: Request, limit_bytes: int) -> bytes:
            self.body_waits.set()
            return await whole(request, limit_bytes)

        self.patch.setattr(bodies, "received", received)

    def while_the_body_comes(
        self, client: httpx2.Client, verb: str, path: str, said: Any, happen: Happen
    ) -> httpx2.Response:
        def body() -> Iterator[bytes]:
            assert self.body_waits.wait(PATIENCE_SECONDS)
            happen()
            yield json.dumps(said).encode()

        self.body_waits.clear()
        headers = {"Content-Type": "application/json"}
        return client.request(verb, path, content=body(), headers=headers)

    def before_the_change_has_its_turn(
        self, client: httpx2.Client, verb: str, path: str, said: Any, happen: Happen
    ) -> httpx2.Response:
        whole, todo = Manager.changing, [happen]

        def changing(
            manager: Manager, author: str = "", *args: Any, **more: Any
        ) -> AbstractContextManager[UnitOfWork]:
            if author not in ("", "admin") and todo:
                todo.pop()()
            return whole(manager, author, *args, **more)

        with self.patch.context() as patch:
            patch.setattr(Manager, "changing", changing)
            answer = client.request(verb, path, json=said)
        assert not todo
        return answer

    def once_what_was_shown_is_right(
        self, client: httpx2.Client, verb: str, path: str, said: Any, happen: Happen
    ) -> httpx2.Response:
        whole, done = LoginGate.log_on, Event()

        async def log_on(*args: Any) -> Any:
            proven = await whole(*args)
            await run_in_threadpool(happen)
            done.set()
            return proven

        with self.patch.context() as patch:
            patch.setattr(LoginGate, "log_on", log_on)
            answer = client.request(verb, path, json=said)
        assert done.is_set()
        return answer


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    return Meanwhile(monkeypatch)


MOMENTS = [Meanwhile.while_the_body_comes, Meanwhile.before_the_change_has_its_turn]
FACTOR = "/security/factor"
Moment = Callable[..., httpx2.Response]
HAPPENINGS: dict[str, tuple[Callable[[httpx2.Client, str], httpx2.Response], int]] = {
    "the account is deleted": (lambda admin, where: admin.delete(where), 401),
    "another password": (lambda admin, where: admin.put(where, json={"Password": "new"}), 401),
    "a session ended": (lambda admin, _where: _end_session(admin, "eve"), 401),
    "a role taken": (
        lambda admin, where: admin.delete(f"{where}/roles/{Role.PORTAL_ADMINISTRATOR.id}"),
        403,
    ),
    "a second factor wanted": (lambda admin, _where: _want_factor(admin, wanted=True), 403),
}


def _end_session(admin: httpx2.Client, name: str) -> httpx2.Response:
    listed = admin.get("/logonSessions").json()["LogonSessions"]
    (found,) = (each["Href"] for each in listed if each["UserName"] == name)
    return admin.delete(found)


def _want_factor(admin: httpx2.Client, *, wanted: bool) -> httpx2.Response:
    said = {"EnterpriseRoleUid": str(Role.FILE_RESTORE_OPERATOR.id), "Required": wanted}
    return admin.put("/security/factorRules", json=said)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_who_has_no_right_any_more_makes_no_account_by_a_call_that_began_before(
    running: RunningManager,
    admin: httpx2.Client,
    meanwhile: Meanwhile,
    moment: Moment,
    happening: str,
) -> None:
    where = add_account(admin, "eve", Role.PORTAL_ADMINISTRATOR, Role.FILE_RESTORE_OPERATOR)
    eve = logged_on_as(running, "eve")
    happen, status = HAPPENINGS[happening]
    spec = account_spec("mallory", Role.PORTAL_ADMINISTRATOR)
    takes = lambda: happen(admin, where).raise_for_status()  # noqa: E731
    answer = moment(meanwhile, eve, "POST", "/security/accounts", spec, takes)
    assert answer.status_code == status, answer.text
    names = {each["Name"] for each in admin.get("/security/accounts").json()["Refs"]}
    assert "mallory" not in names
    _want_factor(admin, wanted=False).raise_for_status()
    admin.delete(where)


@pytest.mark.parametrize("happening", ["a session ended", "a role taken"])
@pytest.mark.parametrize("asked", [("PUT", FACTOR), ("POST", f"{FACTOR}?action=remove")])
def test_a_code_that_is_not_looked_at_any_more_is_no_wrong_one(
    running: RunningManager,
    admin: httpx2.Client,
    meanwhile: Meanwhile,
    asked: tuple[str, str],
    happening: str,
) -> None:
    where = add_account(admin, "eve", Role.PORTAL_ADMINISTRATOR, Role.FILE_RESTORE_OPERATOR)
    eve = logged_on_as(running, "eve")
    happen, status = HAPPENINGS[happening]
    takes = lambda: happen(admin, where).raise_for_status()  # noqa: E731
    failed: list[str] = []

    def counted(_throttle: LoginThrottle, account: str, _address: str) -> float:
        failed.append(account)
        return 0.0

    meanwhile.patch.setattr(LoginThrottle, "failed", counted)
    moment, before = meanwhile.before_the_change_has_its_turn, len(running.audited())
    answer = moment(eve, *asked, {"Code": "123456"}, takes)
    assert answer.status_code == status, answer.text
    assert failed == []
    said = [each.message for each in running.audited()[before:]]
    assert "The code is wrong." not in said
    admin.delete(where).raise_for_status()


def test_who_has_confirmed_a_second_factor_gets_its_recovery_codes_whatever_ends_then(
    running: RunningManager, admin: httpx2.Client, meanwhile: Meanwhile
) -> None:
    where = add_account(admin, "eve", Role.PORTAL_ADMINISTRATOR)
    eve = logged_on_as(running, "eve")
    secret = eve.post(FACTOR).raise_for_status().json()["Secret"]
    running.clock.begin(totp.STEP_SECONDS)
    said = {"Code": totp.code_of(secret, totp.step_at(running.clock()))}
    ends = lambda: _end_session(admin, "eve").raise_for_status()  # noqa: E731
    answer = meanwhile.once_what_was_shown_is_right(eve, "PUT", FACTOR, said, ends)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["RecoveryCodes"]["RecoveryCodes"]) == RECOVERY_CODES
    assert eve.get(FACTOR).status_code == 401
    admin.delete(where).raise_for_status()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_call_that_began_before_with_a_token_that_is_revoked_changes_nothing(
    running: RunningManager, admin: httpx2.Client, meanwhile: Meanwhile, moment: Moment
) -> None:
    made = make(admin, "automation", "Portal Administrator")
    program = shows(running, made["Secret"])
    before = admin.get("/cloud/maintenance").json()
    revoke = lambda: admin.delete(made["Href"]).raise_for_status()  # noqa: E731
    said = {"Message": "x", "Enabled": True}
    answer = moment(meanwhile, program, "PUT", "/cloud/maintenance", said, revoke)
    assert answer.status_code == 401
    assert admin.get("/cloud/maintenance").json() == before


def test_what_is_only_read_is_shown_to_nobody_who_was_shut_out_meanwhile(
    running: RunningManager, admin: httpx2.Client, meanwhile: Meanwhile
) -> None:
    where = add_account(admin, "eve", Role.PORTAL_ADMINISTRATOR)
    eve = logged_on_as(running, "eve")
    delete = lambda: admin.delete(where).raise_for_status()  # noqa: E731
    answer = meanwhile.while_the_body_comes(eve, "GET", "/security/tokens", {}, delete)
    assert answer.status_code == 401


@pytest.fixture(scope="module")
def acme(running: RunningManager, admin: httpx2.Client) -> Iterator[Customer]:
    with listening_host(running, admin):
        yield Customer(admin, "acme", add_vault(admin), users=("ann",))


def _edit(admin: httpx2.Client, tenant: Customer, **said: bool) -> None:
    finished(admin, admin.put(tenant.path, json=said).json())


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_tenant_that_may_not_come_any_more_changes_no_password_by_a_call_that_began_before(
    running: RunningManager,
    admin: httpx2.Client,
    meanwhile: Meanwhile,
    acme: Customer,
    moment: Moment,
) -> None:
    came = running.client(Accept="application/json")
    came.post("/sessionMngr/?as=tenant", auth=("acme", SECRET)).raise_for_status()
    (user,) = came.get("/cloud/self/subtenants").json()["CloudSubtenants"]
    path = f"{user['Href']}/password"
    _edit(admin, acme, MayChangePassword=True)
    said = {"Password": "a password of twelve"}
    answer = moment(meanwhile, came, "PUT", path, said, partial(_edit, admin, acme, Enabled=False))
    assert answer.status_code == 401, answer.text
    _edit(admin, acme, Enabled=True)
    assert running.client().post("/sessionMngr/?as=tenant", auth=("acme\\ann", SECRET)).is_success


def test_a_tenant_that_is_disabled_meanwhile_changes_no_password_without_a_session(
    running: RunningManager, admin: httpx2.Client, meanwhile: Meanwhile, acme: Customer
) -> None:
    _edit(admin, acme, MayChangePassword=True)
    came = running.client(Accept="application/json")
    came.auth = httpx2.BasicAuth("acme", SECRET)
    said = {"Password": "a password of twelve"}
    disable = partial(_edit, admin, acme, Enabled=False)
    moment = meanwhile.before_the_change_has_its_turn
    assert moment(came, "PUT", "/cloud/password", said, disable).status_code == 401
    _edit(admin, acme, Enabled=True)
    assert running.client().post("/sessionMngr/?as=tenant", auth=("acme", SECRET)).is_success


def test_who_ends_the_own_session_or_changes_the_own_password_is_told_that_it_is_done(
    running: RunningManager, admin: httpx2.Client
) -> None:
    where = add_account(admin, "eve", Role.PORTAL_ADMINISTRATOR)
    eve = logged_on_as(running, "eve")
    change = {"CurrentPassword": "s3cret", "Password": "s3cret-2"}
    assert eve.put("/security/password", json=change).status_code == 204
    (own,) = (
        each["Href"]
        for each in eve.get("/logonSessions").json()["LogonSessions"]
        if each["UserName"] == "eve"
    )
    assert eve.delete(own).status_code == 204
    assert eve.get("/logonSessions").status_code == 401
    eve = logged_on_as(running, "eve", "s3cret-2")
    assert eve.delete(where).status_code == 204, "also the own account"
