"""Single sign-on: who comes in by a provider, as whom, with which roles, and who does not."""

import base64
import hmac
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy.exc import OperationalError

from cloudgate.api.http.login_gate import LoginGate
from cloudgate.cli.service.manager.options import SigningInOptions
from cloudgate.cli.service.manager.signing_in import signing_in_of
from cloudgate.errors import CloudgateError, NotAuthenticatedError, TooManyRequestsError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.sessions import operations
from cloudgate.manager.sessions.accounts import authenticate
from cloudgate.manager.sessions.openid_keys import public_keys
from cloudgate.manager.sessions.operations import begin_session, write_pending_sessions
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.sessions.single_sign_on import roles_said
from cloudgate.manager.storage.tables import Account
from cloudgate.network.api_headers import SESSION_ID
from tests.api.handlers.accounts import add_account, logged_on_as
from tests.support.programs.authenticator import Authenticator
from tests.support.programs.openid import (
    CLIENT,
    ScriptedProvider,
    conformant_provider,
    honest,
    scripted_provider,
    settings,
)
from tests.support.running.console import text_of, visitor
from tests.support.running.manager import (
    PASSWORD,
    RunningManager,
    client_of_module,
    running_manager,
)
from tests.support.waiting import PATIENCE_SECONDS, looks

PATH = "/sessionMngr/sso"
PEOPLE = {
    "p-100": {"preferred_username": "olga", "groups": ["admins", "chess"]},
    "p-200": {"preferred_username": "admin", "email": "admin@x.example", "groups": ["staff"]},
}


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with scripted_provider() as started:
        yield started


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, provider: ScriptedProvider
) -> Iterator[RunningManager]:
    folder = tmp_path_factory.mktemp("manager")
    said = lambda url: settings(url, provider.issuer)  # noqa: E731
    with running_manager(folder, signing_in=said) as started:
        yield started


@pytest.fixture(autouse=True)
def _anew(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test has a provider that is honest, and that nothing is known of."""
    yield
    if "provider" not in request.fixturenames:
        return
    script: ScriptedProvider = request.getfixturevalue("provider")
    script.claims, script.sign, script.metadata, script.keys = {}, honest, {}, []
    request.getfixturevalue("running").manager.openid.documents.clear()


@pytest.fixture
def slowed() -> None:
    """Who is wrong waits in this test, as he does in earnest."""


@pytest.fixture(autouse=True)
def _not_slowed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "slowed" not in request.fixturenames:
        monkeypatch.setattr("cloudgate.trust.login_throttle.delay_seconds", lambda _failures: 0.0)


admin = client_of_module()


def begun(running: RunningManager) -> dict[str, Any]:
    client = running.client(Accept="application/json")
    found: dict[str, Any] = client.post(PATH).raise_for_status().json()
    return found


def complete(running: RunningManager, kept: str, back: dict[str, str]) -> httpx2.Response:
    named = {"code": "Code", "state": "State", "error": "Error", "iss": "Issuer"}
    spec = {"Kept": kept} | {named[name]: value for name, value in back.items()}
    client = running.client(Accept="application/json")
    return client.post(f"{PATH}?action=complete", json=spec)


def come(running: RunningManager, provider: ScriptedProvider, **claims: Any) -> httpx2.Response:
    """Somebody of whom the provider says this."""
    provider.claims = claims
    found = begun(running)
    return complete(running, found["Kept"], provider.authorize(found["Url"]))


def roles_of(manager: Manager, name: str) -> list[str] | None:
    with manager.reading() as work:
        account = work.session.query(Account).filter_by(name=name).one_or_none()
        by_id = {role.id: role.value for role in Role if role is not Role.TENANT}
        return None if account is None else sorted(by_id[each.role_id] for each in account.roles)


@pytest.mark.parametrize(
    ("claim", "claims", "found"),
    [
        ("groups", {"groups": ["staff", "chess", 7, None]}, {Role.PORTAL_USER}),
        ("groups", {"groups": "admins"}, {Role.PORTAL_ADMINISTRATOR}),
        ("groups", {"groups": {"staff": True}}, set()),
        ("groups", {}, set()),
        ("realm_access.roles", {"realm_access": {"roles": ["staff"]}}, {Role.PORTAL_USER}),
        ("realm_access.roles", {"realm_access": ["staff"]}, set()),
        ("https://x.example/roles", {"https://x.example/roles": "staff"}, {Role.PORTAL_USER}),
    ],
)
def test_roles_are_those_of_the_claims_values(
    claim: str, claims: dict[str, Any], found: set[Role]
) -> None:
    said = settings("https://console.example", "https://id.example", role_claim=claim)
    assert said.single_sign_on is not None
    assert roles_said(said.single_sign_on, claims) == found


GOOD = SigningInOptions(
    console_url="https://console.example/",
    sso_issuer="https://id.example/realms/main/",
    sso_client_id="cloudgate",
    sso_role=("CN=admins,O=x=Portal Administrator", "staff=portaluser"),
)


def test_settings_are_read_as_people_write_them() -> None:
    found = signing_in_of(GOOD)
    assert found.callback_url == "https://console.example/console/sso"
    said = found.single_sign_on
    assert said is not None
    assert (said.issuer, said.name) == ("https://id.example/realms/main", "id.example")
    assert said.roles["CN=admins,O=x"] == Role.PORTAL_ADMINISTRATOR.id
    assert signing_in_of(SigningInOptions()).single_sign_on is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sso_issuer": None}, "--sso-issuer"),
        ({"sso_issuer": "http://id.example"}, "--sso-issuer"),
        ({"sso_issuer": "https://user@id.example"}, "--sso-issuer"),
        ({"console_url": None}, "--console-url"),
        ({"console_url": "https://console.example:0"}, "--console-url"),
        ({"sso_client_id": None}, "--sso-client-id"),
        ({"sso_role": ()}, "--sso-role"),
        ({"sso_role": ("admins",)}, "VALUE=ROLE"),
        ({"sso_role": ("admins=King",)}, "King"),
        ({"sso_accounts": "some"}, "--sso-accounts"),
        ({"sso_passwords": "maybe"}, "--sso-passwords"),
        ({"sso_client_secret_file": Path("/nowhere/secret")}, "client secret"),
    ],
)
def test_settings_that_are_wrong_are_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(CloudgateError, match=said):
        signing_in_of(replace(GOOD, **wrong))


def test_who_comes_has_an_account_with_the_roles_of_the_claim_and_loses_them_with_it(
    running: RunningManager, provider: ScriptedProvider
) -> None:
    answer = come(running, provider)
    assert answer.status_code == 201, answer.text
    assert answer.json()["UserName"] == "ann"
    assert roles_of(running.manager, "ann") == ["Portal User"]
    session = running.client(Accept="application/json")
    session.headers["X-RestSvcSessionId"] = answer.headers["X-RestSvcSessionId"]
    assert session.get("/cloud/tenants").status_code == 200
    entry = running.audited()[-1]
    assert (entry.operation, entry.account, entry.success) == ("LogOn", "ann", True)
    assert entry.after == {"By": "SingleSignOn", "Issuer": provider.issuer, "Subject": "person-1"}
    both = come(running, provider, groups=["admins", "staff"], preferred_username="admin")
    assert both.json()["UserName"] == "ann"
    added, came = running.audited()[-2:]
    assert (added.operation, added.account) == ("AddAccountRole", "ann")
    assert (came.operation, came.account) == ("LogOn", "ann")
    assert roles_of(running.manager, "ann") == ["Portal Administrator", "Portal User"]
    none = come(running, provider, groups="nothing of ours")
    assert none.status_code == 401
    assert "no role" in none.json()["Message"]
    assert roles_of(running.manager, "ann") == []
    assert session.get("/cloud/tenants").status_code == 401
    refused = running.audited()[-1]
    assert (refused.operation, refused.account, refused.success) == ("LogOn", "ann", False)
    assert come(running, provider).status_code == 201
    assert session.get("/cloud/tenants").status_code == 401


def test_an_account_is_never_taken_over_by_a_name_or_an_address(
    running: RunningManager, provider: ScriptedProvider, admin: httpx2.Client
) -> None:
    roles = {"EnterpriseRoles": [{"EnterpriseRoleUid": str(Role.PORTAL_USER.id)}]}
    spec = {"AccountType": "User", "AccountName": "eve@x.example", "Roles": roles}
    where = admin.post("/security/accounts", json=spec).headers["Location"]
    said = {"sub": "person-2", "preferred_username": None, "email": "Eve@x.example"}
    for claims in (said, said | {"preferred_username": "ADMIN", "groups": ["admins"]}):
        answer = come(running, provider, **claims)
        assert answer.status_code == 401
        assert "person-2" in answer.json()["Message"]
    assert roles_of(running.manager, "eve@x.example") == ["Portal User"]
    assert admin.put(f"{where}/identity", json={"Subject": "person-2"}).status_code == 204
    assert admin.get(f"{where}/identity").json()["Subject"] == "person-2"
    answer = come(running, provider, **said)
    assert answer.json()["UserName"] == "eve@x.example"
    eve = running.client(Accept="application/json")
    eve.headers["X-RestSvcSessionId"] = answer.headers["X-RestSvcSessionId"]
    for subject, status in (("person-2", 200), ("person-3", 401)):
        assert admin.put(f"{where}/identity", json={"Subject": subject}).status_code == 204
        assert eve.get("/cloud/tenants").status_code == status
    assert admin.delete(f"{where}/identity").status_code == 204
    assert come(running, provider, **said).status_code == 401
    names = [entry.operation for entry in running.audited()]
    assert {"LinkAccount", "UnlinkAccount"} <= set(names)


def test_the_way_out_is_linked_to_nobody_and_one_person_to_one_account(
    running: RunningManager, provider: ScriptedProvider, admin: httpx2.Client
) -> None:
    come(running, provider, sub="person-7", preferred_username="gus")
    refs = admin.get("/security/accounts").json()["Refs"]
    found = {each["Name"]: each["UID"].rpartition(":")[2] for each in refs}
    path = f"/security/accounts/{found['admin']}/identity"
    assert admin.put(path, json={"Subject": "person-8"}).status_code == 400
    come(running, provider, sub="person-9", preferred_username="hal")
    path = f"/security/accounts/{found['gus']}/identity"
    assert admin.put(path, json={"Subject": "x" * 256}).status_code == 400
    assert "hal" in admin.put(path, json={"Subject": "person-9"}).json()["Message"]
    assert admin.delete(f"/security/accounts/{found['gus']}").status_code == 204
    again = come(running, provider, sub="person-7", preferred_username="gus")
    assert again.status_code == 201  # as another account


def test_what_comes_back_is_good_once_for_ten_minutes_and_where_it_began(
    running: RunningManager, provider: ScriptedProvider
) -> None:
    found, other = begun(running), begun(running)
    back = provider.authorize(found["Url"])
    assert complete(running, other["Kept"], back).status_code == 401  # another's browser
    assert complete(running, found["Kept"], back | {"state": ""}).status_code == 401
    assert complete(running, found["Kept"][:-8] + "AAAAAAA=", back).status_code == 401
    assert complete(running, "?", back).status_code == 401
    assert complete(running, found["Kept"], {"state": back["state"]}).status_code == 401
    assert complete(running, found["Kept"], back).status_code == 201
    assert complete(running, found["Kept"], back).status_code == 401  # its code is spent
    again = provider.authorize(found["Url"], "code-2")
    assert complete(running, found["Kept"], again).status_code == 401  # and so is the attempt
    late = begun(running)
    running.clock.ahead = timedelta(minutes=11)
    try:
        answer = complete(running, late["Kept"], provider.authorize(late["Url"]))
    finally:
        running.clock.ahead = timedelta()
    assert "too long" in answer.json()["Message"]


def test_what_another_provider_leads_back_with_is_refused(
    running: RunningManager, provider: ScriptedProvider
) -> None:
    for said, issuer, status in (
        ({}, "https://other.example", 401),
        ({"authorization_response_iss_parameter_supported": True}, "", 401),
        ({"authorization_response_iss_parameter_supported": True}, provider.issuer, 201),
    ):
        provider.metadata = said
        running.manager.openid.documents.clear()
        found = begun(running)
        back = provider.authorize(found["Url"]) | ({"iss": issuer} if issuer else {})
        assert complete(running, found["Kept"], back).status_code == status


def unsigned(claims: dict[str, Any], _key: RSAKey) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(_encoded(json.dumps(each).encode()) for each in parts) + "."


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed_with_what_is_public(claims: dict[str, Any], key: RSAKey) -> str:
    parts = ({"alg": "HS256", "kid": key.kid}, claims)
    text = ".".join(_encoded(json.dumps(each).encode()) for each in parts)
    return f"{text}.{_encoded(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"


def signed_by_somebody(claims: dict[str, Any], key: RSAKey) -> str:
    other = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, other)


def signed_with_a_key_nobody_knows(claims: dict[str, Any], _key: RSAKey) -> str:
    other = RSAKey.generate_key(2048, auto_kid=True)
    return jwt.encode({"alg": "RS256", "kid": other.kid}, claims, other)


def nothing(_claims: dict[str, Any], _key: RSAKey) -> str:
    return "no token"


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        signed_with_what_is_public,
        signed_by_somebody,
        signed_with_a_key_nobody_knows,
        nothing,
    ],
)
def test_a_token_that_the_provider_has_not_signed_is_not_believed(
    running: RunningManager,
    provider: ScriptedProvider,
    sign: Callable[[dict[str, Any], RSAKey], str],
) -> None:
    provider.sign = sign
    answer = come(running, provider)
    assert answer.status_code == 401
    assert "cannot be believed" in answer.json()["Message"]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"azp": "another-client"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 9_000_000_000, "exp": 9_100_000_000},
        {"nonce": "another attempt's"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "x\0"},
    ],
    ids=str,
)
def test_a_token_of_another_attempt_client_or_time_is_not_believed(
    running: RunningManager, provider: ScriptedProvider, claims: dict[str, Any]
) -> None:
    assert come(running, provider, **claims).status_code == 401


def test_a_new_key_of_the_provider_is_looked_for(
    running: RunningManager, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert come(running, provider).status_code == 201
    monkeypatch.setattr("cloudgate.manager.sessions.openid_provider._KEYS_AGAIN_SECONDS", 0.0)
    provider.key = RSAKey.generate_key(2048, auto_kid=True)
    assert come(running, provider).status_code == 201


def test_keys_are_only_what_of_them_is_public_and_those_that_cannot_be_read_are_passed_over(
    running: RunningManager, provider: ScriptedProvider
) -> None:
    own = provider.key.as_dict(private=False)
    for others in (
        [{"kty": "RSA", "n": "_" * 8000, "e": "AQAB", "d": "_" * 8000}],  # a day, for nobody
        [own | {"d": "_" * 2700}],
        [{"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}, {"kty": "RSA", "n": "AQ", "e": "A"}],
        [{"kty": "oct", "k": "AA", "kid": own["kid"]}, {"kty": ["RSA"]}, {"kid": []}, {}, 5],
    ):
        provider.keys = others
        running.manager.openid.documents.clear()
        answer = come(running, provider, sub="person-40", preferred_username="kay")
        assert answer.status_code == 201, answer.text
    assert public_keys({}) == public_keys({"keys": 5}) == []
    assert public_keys({"keys": [own | {"use": "enc"}]}) == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://localhost/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"padding": "x" * 300_000},
        {"deep": 2000},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a_provider_that_lies_of_itself_is_not_gone_to(
    running: RunningManager, provider: ScriptedProvider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    running.manager.openid.documents.clear()
    answer = running.client(Accept="application/json").post(PATH)
    assert answer.status_code == 503
    assert answer.json()["Message"]


def test_a_provider_that_does_not_know_this_manager_is_named_and_the_secret_is_not(
    tmp_path: Path,
    provider: ScriptedProvider,
    running: RunningManager,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert running.url
    said = lambda url: settings(url, provider.issuer, client_secret="hush hush")  # noqa: E731
    with running_manager(tmp_path, signing_in=said) as other:
        answer = come(other, provider)
        assert "hush" not in repr(other.manager.signing_in)
    assert answer.status_code == 503
    assert "invalid_client" in answer.json()["Message"]
    assert "--sso-client-secret-file" in answer.json()["Message"]
    assert "hush" not in answer.text + "".join(capfd.readouterr())


def test_a_silent_provider_is_given_up_and_passwords_are_good_meanwhile(
    running: RunningManager, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudgate.manager.sessions.openid_provider.ANSWER_SECONDS", 2.0)
    running.manager.openid.documents.clear()
    provider.silent.set()
    before = len(provider.asked)
    try:
        with ThreadPoolExecutor() as others:
            client = running.client(Accept="application/json")
            waiting = others.submit(client.post, PATH)
            for _ in looks(PATIENCE_SECONDS):
                if len(provider.asked) > before:
                    break
            running.logged_on()
            assert not waiting.done()
            answer = waiting.result()
        asked = len(provider.asked)
        again = running.client(Accept="application/json").post(PATH)
    finally:
        provider.silent.clear()
    assert answer.status_code == again.status_code == 503
    assert "does not answer" in answer.json()["Message"]
    assert "password" in answer.json()["Message"]
    assert len(provider.asked) == asked  # it is not asked again at once


def test_no_more_than_a_few_wait_for_the_provider_and_two_of_one_address(
    running: RunningManager, provider: ScriptedProvider
) -> None:
    assert provider.issuer
    memory = running.manager.openid
    with memory.seat("127.0.0.1"), memory.seat("127.0.0.1"):
        assert running.client(Accept="application/json").post(PATH).status_code == 429
    with (
        memory.seat("2001:db8::1"),
        memory.seat("2001:db8::2"),
        pytest.raises(TooManyRequestsError),
        memory.seat("2001:db8::3"),
    ):
        pass
    assert not memory.asking


@pytest.mark.usefixtures("running")
def test_who_comes_back_with_what_is_wrong_waits_longer_each_time_and_nobody_else_does(
    tmp_path: Path,
    provider: ScriptedProvider,
    slowed: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def wait(_gate: LoginGate, seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(LoginGate, "_wait", wait)
    # The module's own manager remembers who was wrong in the tests before.
    said = lambda url: settings(url, provider.issuer)  # noqa: E731
    with running_manager(tmp_path, signing_in=said) as fresh:
        found = begun(fresh)
        back = provider.authorize(found["Url"]) | {"code": "guessed"}
        for _ in range(12):
            assert complete(fresh, found["Kept"], back).status_code == 401
        before, after = waits[::2], waits[1::2]
        assert before[0] < 1 < before[-1]
        assert after[0] < 1 < after[-1]
        assert complete(fresh, found["Kept"], back | {"code": "code-1"}).status_code == 201


def test_what_one_manager_has_begun_another_completes(
    tmp_path: Path, provider: ScriptedProvider, running: RunningManager
) -> None:
    assert running.url
    said = lambda _url: settings("https://console.example", provider.issuer)  # noqa: E731
    with running_manager(tmp_path, signing_in=said) as first:
        found = begun(first)
    with running_manager(tmp_path, signing_in=said, site=None) as second:
        back = provider.authorize(found["Url"])
        assert complete(second, found["Kept"], back).status_code == 201
    with running_manager(tmp_path, signing_in=said, site=None) as third:
        again = provider.authorize(found["Url"], "code-3")
        assert complete(third, found["Kept"], again).status_code == 401


def by_passkey(running: RunningManager, key: Authenticator) -> httpx2.Response:
    client = running.client(Accept="application/json")
    asked = client.post("/sessionMngr/passkey").json()
    spec = {"Kept": asked["Kept"], "Credential": key.sign(asked["Options"])}
    return client.post("/sessionMngr/passkey?action=complete", json=spec)


def test_nobody_is_led_out_of_the_console(
    running: RunningManager, provider: ScriptedProvider
) -> None:
    for where in ("//evil.example", "https://evil.example", "..//evil.example", "\\evil", "%0d"):
        came = visitor(running)
        url = came.http.get("sso/begin", params={"next": where}).headers["location"]
        kept, _dot, page = came.http.cookies["__Host-cloudgate-sso"].partition(".")
        assert page == ""
        came.http.cookies.clear()
        forged = base64.urlsafe_b64encode(where.encode()).decode()
        cookie = {"Cookie": f"__Host-cloudgate-sso={kept}.{forged}"}
        back = came.http.get("sso", params=provider.authorize(url), headers=cookie)
        assert back.headers["location"] == "./"


def test_accounts_may_have_to_be_known_and_to_come_by_the_provider_alone(
    tmp_path: Path, provider: ScriptedProvider, running: RunningManager
) -> None:
    assert running.url
    more = {"makes_accounts": False, "passwords_are_good": False}
    said = lambda url: settings(url, provider.issuer, **more)  # noqa: E731
    with running_manager(tmp_path, signing_in=said) as strict:
        answer = come(strict, provider)
        assert answer.status_code == 401
        assert "person-1" in answer.json()["Message"]
        client = strict.logged_on()
        roles = {"EnterpriseRoles": [{"EnterpriseRoleUid": str(Role.PORTAL_USER.id)}]}
        spec = {"AccountType": "User", "AccountName": "ann", "Password": "s3cret", "Roles": roles}
        where = client.post("/security/accounts", json=spec).headers["Location"]
        stranger = strict.client(Accept="application/json")
        assert stranger.post("/sessionMngr/", auth=("ann", "s3cret")).status_code == 201
        key = Authenticator(strict.url)
        begin, spec = "/security/passkeys?action=begin", {"CurrentPassword": "s3cret"}
        asked = stranger.post(begin, json=spec).json()
        made = {"Kept": asked["Kept"], "Credential": key.make(asked["Options"]), "Name": "n"}
        assert stranger.post("/security/passkeys", json=made).status_code == 200
        came = by_passkey(strict, key)
        assert came.status_code == 201
        with_key = strict.client(**{SESSION_ID: came.headers[SESSION_ID]})
        assert [each.get("/tasks").status_code for each in (stranger, with_key)] == [200, 200]
        proven = authenticate(strict.manager, "ann", "s3cret")
        assert client.put(f"{where}/identity", json={"Subject": "person-1"}).status_code == 204
        assert [each.get("/tasks").status_code for each in (stranger, with_key)] == [401, 401]
        with pytest.raises(NotAuthenticatedError):
            begin_session(strict.manager, proven, "latest", None, "127.0.0.1")
        refused = stranger.post("/sessionMngr/", auth=("ann", "s3cret"))
        assert refused.status_code == 401
        assert come(strict, provider).status_code == 201
        assert by_passkey(strict, key).status_code == 401
        assert stranger.post("/sessionMngr/", auth=("admin", PASSWORD)).status_code == 201


ENDINGS: dict[str, Callable[[httpx2.Client, RunningManager, ScriptedProvider, str], object]] = {
    "another person": lambda admin, _running, _provider, where: admin.put(
        f"{where}/identity", json={"Subject": "person-71"}
    ).raise_for_status(),
    "no role": lambda _admin, running, provider, _where: come(
        running, provider, sub="person-70", groups="nothing of ours"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ends_the_sessions_of_an_account_ends_those_that_could_not_be_written_yet(
    running: RunningManager,
    provider: ScriptedProvider,
    admin: httpx2.Client,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:
    where = add_account(admin, "noa", Role.PORTAL_USER)
    admin.put(f"{where}/identity", json={"Subject": "person-70"}).raise_for_status()
    written = logged_on_as(running, "noa")
    with monkeypatch.context() as full:
        full.setattr(operations, "open_session", _cannot_be_written)
        pending, other = logged_on_as(running, "noa"), logged_on_as(running, "admin", PASSWORD)
    own = [written, pending, other]
    assert [each.get("/tasks").status_code for each in own] == [200, 200, 200]
    ENDINGS[ending](admin, running, provider, where)
    if ending == "no role":
        given = {"EnterpriseRoleUid": str(Role.PORTAL_USER.id)}
        admin.post(f"{where}/roles", json=given).raise_for_status()
    assert [each.get("/tasks").status_code for each in own] == [401, 401, 200]
    write_pending_sessions(running.manager)
    assert [each.get("/tasks").status_code for each in own] == [401, 401, 200]
    admin.delete(where).raise_for_status()


def _cannot_be_written(*_args: object, **_more: object) -> NoReturn:
    raise OperationalError("", {}, Exception("the disk is full"))


def test_a_role_that_asks_for_a_second_factor_takes_the_providers_word(
    running: RunningManager, provider: ScriptedProvider, admin: httpx2.Client
) -> None:
    rule = {"EnterpriseRoleUid": str(Role.PORTAL_USER.id), "Required": True}
    assert admin.put("/security/factorRules", json=rule).status_code == 204
    try:
        answer = come(running, provider, sub="person-30", preferred_username="kim")
        session = running.client(Accept="application/json")
        session.headers["X-RestSvcSessionId"] = answer.headers["X-RestSvcSessionId"]
        assert session.get("/cloud/tenants").status_code == 200
    finally:
        admin.put("/security/factorRules", json=rule | {"Required": False})


@pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")
def test_people_come_by_the_console_and_a_conformant_provider(
    tmp_path: Path,
) -> None:
    with (
        conformant_provider(PEOPLE) as issuer,
        running_manager(tmp_path, signing_in=lambda url: settings(url, issuer)) as manager,
    ):
        came = visitor(manager)
        page = came.get("sign-in?next=audit").text
        link = re.search(r'href="([^"]+sso/begin[^"]*)"', page)
        assert link, page
        sent = came.get(link[1])
        assert sent.status_code == 303
        form = sent.headers["location"]
        assert form.startswith(issuer)
        there = httpx2.Client(verify=False, timeout=PATIENCE_SECONDS)
        with there:
            led = there.post(form, data={"sub": "p-100"})
            stranger = visitor(manager).get(led.headers["location"])
            cross_site = {"Sec-Fetch-Site": "cross-site"}
            back = came.http.get(led.headers["location"], headers=cross_site)
            refused = there.post(form, data={"action": "deny"}).headers["location"]
        assert stranger.status_code == 401
        assert "has not begun" in text_of(stranger.text)
        assert back.status_code == 303, text_of(back.text)
        assert back.headers["location"] == "audit"
        assert back.headers.get_list("set-cookie")[-1].startswith("__Host-cloudgate-sso=;")
        assert came.get("audit").status_code == 200
        assert roles_of(manager.manager, "olga") == ["Portal Administrator"]
        out = came.http.post("sign-out", data={"token": came.token("tokens/create")})
        assert out.headers["location"] == "sign-in?out"
        gone = came.get("sign-in?out").text
        assert f"{issuer}/oauth2/end_session?client_id={CLIENT}" in gone
        assert came.get("audit").status_code == 303
        denied = came.get(urljoin(str(came.http.base_url), f"sso?{urlsplit(refused).query}"))
        assert denied.status_code == 401
        assert parse_qs(urlsplit(form).query)["code_challenge_method"] == ["S256"]
