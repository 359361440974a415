"""Passkeys: made, shown alone or beside a password, and not believed when something is wrong."""

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as some

from cloudgate.errors import InvalidRequestError, NotAuthenticatedError
from cloudgate.manager.sessions import passkey_rules
from cloudgate.manager.sessions.passkey_rules import ExpectedAssertion, PasskeyUser, RelyingParty
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.settings.signing_in import SigningInSettings
from tests.support.programs.authenticator import PRESENT, VERIFIED, Authenticator, raw
from tests.support.programs.authenticator import text as encoded
from tests.support.running.manager import (
    PASSWORD,
    RunningManager,
    client_of_module,
    manager_of_module,
    running_manager,
)
from tests.support.waiting import PATIENCE_SECONDS

PATH, LOGON = "/security/passkeys", "/sessionMngr/passkey"

running = manager_of_module()
admin = client_of_module()


@dataclass
class Person:
    """An account with a session and a passkey."""

    running: RunningManager
    where: str
    name: str
    session: httpx2.Client
    key: Authenticator

    def asked(self) -> dict[str, Any]:
        found: dict[str, Any] = self.running.client(Accept="application/json").post(LOGON).json()
        return found

    def come(self, asked: dict[str, Any] | None = None, **more: Any) -> httpx2.Response:
        asked = asked or self.asked()
        spec = {"Kept": asked["Kept"], "Credential": self.key.sign(asked["Options"])} | more
        client = self.running.client(Accept="application/json")
        return client.post(f"{LOGON}?action=complete", json=spec)

    def come_by_password(self, password: str = "s3cret", code: str = "") -> httpx2.Response:
        shown = {"X-Cloudgate-Code": code} if code else {}
        client = self.running.client(Accept="application/json")
        return client.post("/sessionMngr/", auth=(self.name, password), headers=shown)

    def code(self) -> str:
        asked = self.asked()
        said = {"Kept": asked["Kept"], "Credential": self.key.sign(asked["Options"])}
        return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def account(admin: httpx2.Client, name: str) -> str:
    roles = {"EnterpriseRoles": [{"EnterpriseRoleUid": str(Role.PORTAL_USER.id)}]}
    spec = {"AccountType": "User", "AccountName": name, "Password": "s3cret", "Roles": roles}
    return str(admin.post("/security/accounts", json=spec).raise_for_status().headers["Location"])


def session_of(running: RunningManager, name: str) -> httpx2.Client:
    client = running.client(Accept="application/json")
    client.post("/sessionMngr/", auth=(name, "s3cret")).raise_for_status()
    return client


def make(session: httpx2.Client, key: Authenticator, name: str = "phone") -> httpx2.Response:
    begun = session.post(f"{PATH}?action=begin", json={"CurrentPassword": "s3cret"}).json()
    spec = {"Kept": begun["Kept"], "Credential": key.make(begun["Options"]), "Name": name}
    return session.post(PATH, json=spec)


def person(running: RunningManager, admin: httpx2.Client, name: str) -> Person:
    where = account(admin, name)
    session = session_of(running, name)
    key = Authenticator(running.url)
    assert make(session, key).status_code == 200
    return Person(running, where, name, session, key)


@pytest.fixture(scope="module")
def ann(running: RunningManager, admin: httpx2.Client) -> Person:
    return person(running, admin, "ann")


def test_it_is_made_with_the_password_and_opens_a_session_alone(
    running: RunningManager, admin: httpx2.Client
) -> None:
    account(admin, "bea")
    session = session_of(running, "bea")
    begin = f"{PATH}?action=begin"
    assert session.post(begin, json={"CurrentPassword": "wrong"}).status_code == 403
    key = Authenticator(running.url)
    made = make(session, key, "bea's telephone")
    assert made.json()["Name"] == "bea's telephone"
    (listed,) = session.get(PATH).json()["Passkeys"]
    assert listed["UID"] == made.json()["UID"]
    bea = Person(running, "", "bea", session, key)
    answer = bea.come()
    assert answer.status_code == 201, answer.text
    assert answer.json()["UserName"] == "bea"
    entry = running.audited()[-1]
    assert (entry.operation, entry.account) == ("LogOn", "bea")
    assert entry.after == {"By": "Passkey", "Passkey": "bea's telephone"}
    (listed,) = session.get(PATH).json()["Passkeys"]
    assert listed["LastUseTime"]


def test_what_is_signed_is_good_once_for_ten_minutes(ann: Person) -> None:
    asked = ann.asked()
    spec = {"Kept": asked["Kept"], "Credential": ann.key.sign(asked["Options"])}
    client = ann.running.client(Accept="application/json")
    assert client.post(f"{LOGON}?action=complete", json=spec).status_code == 201
    assert client.post(f"{LOGON}?action=complete", json=spec).status_code == 401
    assert ann.come(asked).status_code == 401
    late = ann.asked()
    ann.running.clock.ahead = timedelta(minutes=11)
    try:
        assert ann.come(late).status_code == 401
    finally:
        ann.running.clock.ahead = timedelta()
    assert ann.come(Kept=ann.asked()["Kept"]).status_code == 401  # another challenge
    begun = ann.session.post(f"{PATH}?action=begin", json={"CurrentPassword": "s3cret"}).json()
    assert ann.come(Kept=begun["Kept"]).status_code == 401  # one to make a passkey by
    refused = ann.running.audited()[-1]
    assert (refused.operation, refused.account, refused.success) == ("LogOn", "Passkey", False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://localhost:1"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"user": b"another account.."},
        {"credential_id": b"nobody's"},
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"client_data": {"type": "webauthn.create"}},
        {"client_data": {"crossOrigin": True}},
        {"client_data": {"challenge": "AAAA"}},
    ],
    ids=lambda each: " ".join(f"{name}" for name in each),
)
def test_what_is_not_signed_here_and_now_by_its_owner_opens_nothing(
    ann: Person, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    monkeypatch.setattr("cloudgate.trust.login_throttle.LoginThrottle.failed", lambda *_: 0.0)
    for name, value in wrong.items():
        monkeypatch.setattr(ann.key, name, value)
    assert ann.come().status_code == 401


def test_one_that_counts_back_was_copied(running: RunningManager, admin: httpx2.Client) -> None:
    eve = person(running, admin, "eve")
    assert eve.come().status_code == 201
    eve.key.count -= 1
    answer = eve.come()
    assert answer.status_code == 401
    assert "copied" in answer.json()["Message"]
    assert eve.come().status_code == 201


def test_beside_a_password_it_takes_the_place_of_a_code(
    running: RunningManager, admin: httpx2.Client, ann: Person
) -> None:
    cat = person(running, admin, "cat")
    assert cat.come_by_password().status_code == 401
    cat.key.flags = PRESENT
    shown = cat.code()
    assert cat.come_by_password(code=shown).status_code == 201
    assert cat.come_by_password(code=shown).status_code == 401  # once
    assert cat.come_by_password("wrong", code=cat.code()).status_code == 401
    assert cat.come_by_password(code=ann.code()).status_code == 401
    assert cat.come_by_password(code="A" * 2000).status_code == 401


DEEP = base64.urlsafe_b64encode(b"[" * 6000).decode()


def test_who_guesses_hears_the_same_of_a_right_password_as_of_a_wrong_one(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slow in ("failed", "delay_for"):
        monkeypatch.setattr(f"cloudgate.trust.login_throttle.LoginThrottle.{slow}", lambda *_: 0.0)
    client = ann.running.client(Accept="application/json")

    def told(password: str, code: str, spec: dict[str, Any] | None) -> tuple[int, str]:
        shown = {b"X-Cloudgate-Code": code.encode()}
        answer = client.post("/sessionMngr/", auth=("ann", password), headers=shown, json=spec)
        return answer.status_code, answer.text

    tenant = {"TenantCredentials": {"Username": "nobody", "Password": "x"}}
    specs: tuple[dict[str, Any] | None, ...] = (None, {}, {"VMwareSSOToken": "x"}, tenant)
    for code, spec in [*((each, None) for each in ("", "é" * 7, DEEP)), *(("", s) for s in specs)]:
        assert told("s3cret", code, spec) == told("wrong", code, spec)


def come_in(who: Person) -> httpx2.Client:
    """A session that was begun by a passkey."""
    session = who.running.client(Accept="application/json")
    session.headers["X-RestSvcSessionId"] = who.come().headers["X-RestSvcSessionId"]
    return session


def test_it_is_removed_with_the_password_and_by_an_administrator_with_all_else(
    running: RunningManager, admin: httpx2.Client, ann: Person
) -> None:
    dan = person(running, admin, "dan")
    other = Authenticator(running.url)
    made = make(dan.session, other, "second").json()
    path = f"{PATH}/{made['UID']}?action=remove"
    assert dan.session.post(path, json={"CurrentPassword": "wrong"}).status_code == 403
    right = {"CurrentPassword": "s3cret"}
    assert ann.session.post(path, json=right).status_code == 404
    by_passkey, by_another = come_in(dan), come_in(Person(running, "", "dan", dan.session, other))
    assert by_passkey.post(path, json=right).status_code == 204
    assert by_passkey.get(PATH).status_code == dan.session.get(PATH).status_code == 200
    assert by_another.get(PATH).status_code == 401
    gone = Person(running, "", "dan", dan.session, other)
    assert gone.come().status_code == 401
    assert dan.come().status_code == 201
    assert admin.delete(f"{dan.where}/factor").status_code == 204
    assert by_passkey.get(PATH).status_code == 401
    assert dan.come().status_code == 401
    assert dan.come_by_password().status_code == 201
    names = [entry.operation for entry in running.audited()]
    assert {"AddPasskey", "RemovePasskey"} <= set(names)


def test_it_is_for_no_ip_address(running: RunningManager, ann: Person) -> None:
    assert ann.asked()["Options"]
    number = running.url.replace("localhost", "127.0.0.1")
    with httpx2.Client(verify=running.context, timeout=PATIENCE_SECONDS) as client:
        answer = client.post(f"{number}/api{LOGON}", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert "by its name" in answer.json()["Message"]


def test_it_is_for_the_name_that_the_operator_has_set(tmp_path: Path) -> None:
    named = SigningInSettings(console_url="https://console.example")
    with running_manager(tmp_path, signing_in=lambda _url: named) as running:
        client = running.client(Accept="application/json")
        assert "https://console.example" in client.post(LOGON).json()["Message"]
        at_it = client.post(LOGON, headers={"Host": "console.example"})
        assert (at_it.status_code, at_it.json()) == (200, {})  # nobody has one


def test_what_one_manager_has_asked_for_another_takes_once(tmp_path: Path) -> None:
    said = SigningInSettings(console_url="https://console.example")
    place = {"Host": "console.example", "Accept": "application/json"}
    spec = {"CurrentPassword": PASSWORD}
    key = Authenticator(said.console_url)
    with running_manager(tmp_path, signing_in=lambda _url: said) as first:
        session = first.logged_on()
        begun = session.post(f"{PATH}?action=begin", json=spec, headers=place).json()
        made = {"Kept": begun["Kept"], "Credential": key.make(begun["Options"]), "Name": "n"}
        assert session.post(PATH, json=made).status_code == 200
        asked = first.client(**place).post(LOGON).json()
    shown = {"Kept": asked["Kept"], "Credential": key.sign(asked["Options"])}
    for expected in (201, 401):
        with running_manager(tmp_path, signing_in=lambda _url: said, site=None) as other:
            answer = other.client(**place).post(f"{LOGON}?action=complete", json=shown)
            assert answer.status_code == expected


def test_one_is_made_here_and_now_and_once(
    running: RunningManager, admin: httpx2.Client, ann: Person
) -> None:
    assert "there already" in make(ann.session, ann.key).json()["Message"]
    for wrong in (
        Authenticator("https://evil.example"),
        Authenticator(running.url, rp_id="evil.example"),
        Authenticator(running.url, client_data={"type": "webauthn.get"}),
        Authenticator(running.url, client_data={"challenge": "AAAA"}),
        Authenticator(running.url, credential_id=b""),
    ):
        assert make(ann.session, wrong).status_code == 400
    assert make(ann.session, Authenticator(running.url), "x" * 101).status_code == 400
    begun = ann.session.post(f"{PATH}?action=begin", json={"CurrentPassword": "s3cret"}).json()
    made = Authenticator(running.url).make(begun["Options"])
    spec = {"Kept": begun["Kept"], "Credential": made, "Name": "n"}
    account(admin, "fay")
    assert session_of(running, "fay").post(PATH, json=spec).status_code == 400


HERE, OWNER = RelyingParty("https://console.example"), UUID(int=7)
CHALLENGE = bytes(32)
KEY = Authenticator(HERE.origin)
MADE = KEY.make(
    passkey_rules.creation_options(HERE, PasskeyUser(id=OWNER, name="ann", has=()), CHALLENGE)
)
SIGNED = KEY.sign(passkey_rules.request_options(HERE, CHALLENGE))
EXPECTED = ExpectedAssertion(where=HERE, challenge="A" * 43, owner=OWNER, alone=True)


@given(
    some.sampled_from([(MADE, "attestationObject"), (SIGNED, "authenticatorData")]),
    some.integers(0, 400),
    some.binary(max_size=3),
    some.integers(0, 4),
)
def test_what_was_changed_on_the_way_is_refused_in_words(
    whole: tuple[str, str], place: int, put: bytes, taken: int
) -> None:
    text, name = whole
    said = json.loads(text)
    before = raw(said["response"][name])
    after = before[:place] + put + before[place + taken :]
    said["response"][name] = encoded(after)
    if text is MADE:
        try:
            passkey_rules.verify_registration(HERE, "A" * 43, json.dumps(said))
        except InvalidRequestError:
            return  # what nobody has signed may be changed by who makes it
        return
    public_key = passkey_rules.verify_registration(HERE, "A" * 43, MADE).public_key
    if after == before:
        assert passkey_rules.verify_assertion(EXPECTED, public_key, text).sign_count == KEY.count
        return
    with pytest.raises(NotAuthenticatedError):
        passkey_rules.verify_assertion(EXPECTED, public_key, json.dumps(said))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"response": 1}', '{"rawId": "?"}'])
def test_what_is_no_answer_of_an_authenticator_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        passkey_rules.verify_registration(HERE, "AAAA", text)
    with pytest.raises(NotAuthenticatedError):
        passkey_rules.credential_id(text)
