"""Names and passwords have one Unicode form, at every door."""

import base64
import itertools
import sys
import unicodedata
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.connector.tls_connection import Identity
from cloudgate.host.authorization.password_verifier import PasswordVerifier
from cloudgate.host.authorization.policy import parse_credentials
from cloudgate.host.state.principal import tenant_key
from cloudgate.trust.password_hashes import hash_password, hasher, matches
from cloudgate.values import precis
from tests.support.running.manager import (
    RunningManager,
    client_of_module,
    finished,
    manager_of_module,
)

COMPOSED = "M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
WIDE = "\N{FULLWIDTH LATIN CAPITAL LETTER A}bc"
FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")


@given(st.text())
def test_one_form_is_the_same_however_often_it_is_made(text: str) -> None:
    for form in (precis.name, precis.key, precis.password):
        assert form(form(text)) == form(text)
    assert precis.key(precis.name(text)) == precis.key(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_all_forms_of_a_text_have_one_key_and_one_password(text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert precis.key(composed) == precis.key(decomposed)
    assert precis.name(composed) == precis.name(decomposed)
    assert precis.password(composed) == precis.password(decomposed)
    assert precis.password_forms(text)[0] == precis.password(text)


def test_what_differs_otherwise_stays_apart() -> None:
    assert precis.key("ABC") == precis.key("abc") == precis.key(WIDE) == precis.key(" abc ")
    assert precis.key("abc") != precis.key("abd")
    assert precis.password("Abc") != precis.password("abc")
    assert precis.password(" abc ") == " abc "
    assert precis.password("a\N{NO-BREAK SPACE}b") == "a b"
    assert precis.password(WIDE) == WIDE


LETTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


def test_wide_letters_and_spaces_of_any_script_are_the_usual_ones() -> None:
    for letter in LETTERS:
        kind, _, usual = unicodedata.decomposition(letter).partition(" ")
        if kind in ("<wide>", "<narrow>"):
            assert precis.key(letter) == precis.key(chr(int(usual, 16))), ascii(letter)
        if unicodedata.category(letter) == "Zs":
            assert precis.password(letter) == " ", ascii(letter)


MARKS = [each for each in LETTERS if unicodedata.combining(unicodedata.normalize("NFD", each)[0])]
"""What is put in order before the letter that comes next."""
MANY = ["a" + mark * 40 for mark in MARKS] + ["".join(MARKS), "x: " + "".join(MARKS[::-1])]


def test_what_has_more_marks_than_any_language_is_put_into_no_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes the square of their number, of whoever may say a name."""
    real = unicodedata.normalize
    longest = 0

    def normalize(form: Literal["NFC", "NFD"], text: str) -> str:
        nonlocal longest
        runs = itertools.groupby(real("NFD", text), lambda each: unicodedata.combining(each) > 0)
        longest = max([longest, *(len([*run]) for marks, run in runs if marks)])
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", normalize)
    for text in MANY:
        for form in (precis.name, precis.key, precis.password):
            assert form(form(text)) == form(text), ascii(text)
        assert precis.password_forms(text)[0] == precis.password(text)
    assert longest < 65
    precis.name("a" + "\N{COMBINING ACUTE ACCENT}" * 30)
    assert longest >= 30, "it is seen"


def test_nothing_else_puts_marks_in_order() -> None:
    sources = Path(precis.__file__).parents[1]
    users = [each for each in sources.rglob("*.py") if "unicodedata.normalize(" in each.read_text()]
    assert users == [Path(precis.__file__)]


def test_a_password_is_right_in_whichever_form_it_is_typed_and_was_hashed() -> None:
    former = hasher.hash(DECOMPOSED), hasher.hash(COMPOSED)
    for known in (hash_password(DECOMPOSED), hash_password(COMPOSED), *former):
        assert matches(known, COMPOSED)
        assert matches(known, DECOMPOSED)
        assert not matches(known, "Muller")


def test_the_connector_sends_the_one_form() -> None:
    sent = {
        Identity(name, password).authorization
        for name in (COMPOSED, DECOMPOSED)
        for password in (COMPOSED, DECOMPOSED)
    }
    (only,) = sent
    decoded = base64.b64decode(only.removeprefix("Basic ")).decode()
    assert decoded == f"{COMPOSED}:{COMPOSED}"


@pytest.mark.anyio
async def test_a_gateway_finds_and_remembers_them_by_the_one_form() -> None:
    check = PasswordVerifier()
    known = hash_password(COMPOSED)
    for form in FORMS:
        name = unicodedata.normalize(form, COMPOSED)
        encoded = base64.b64encode(f"{name}:{name}".encode()).decode()
        said = parse_credentials(f"Basic {encoded}")
        assert said is not None
        assert tenant_key(said.name) == tenant_key(COMPOSED.upper())
        assert await check.verify((known,), said.password)
        assert check.cached((known,), COMPOSED) == known
        assert check.cache_key((known,), said.password) == check.cache_key((known,), COMPOSED)
    check.close()


running = manager_of_module()
client = client_of_module()


def refused(answer: httpx2.Response) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["Message"])


def test_two_things_cannot_have_names_that_differ_in_their_form_only(
    client: httpx2.Client,
) -> None:
    def tenant(name: str) -> httpx2.Response:
        return client.post("/cloud/tenants", json={"Name": name, "Password": "p"})

    def repository(name: str) -> httpx2.Response:
        number = len(client.get("/repositories").json()["Refs"])
        return client.post("/repositories", json={"Name": name, "Endpoint": f"r{number}.example:1"})

    def account(name: str) -> httpx2.Response:
        role = "urn:veeam:EnterpriseRole:d19a3d33-cb77-4ffe-94e6-001432483a4e"
        roles = {"EnterpriseRoles": [{"EnterpriseRoleUid": role}]}
        spec = {"AccountType": "User", "AccountName": name, "Roles": roles, "Password": DECOMPOSED}
        return client.post("/security/accounts", json=spec)

    for make in (tenant, repository, account):
        assert make(DECOMPOSED).is_success, make
        assert "already" in refused(make(COMPOSED))
        assert "already" in refused(make(COMPOSED.upper()))
    for path in ("/cloud/tenants", "/repositories"):
        (ref,) = client.get(path).json()["Refs"]
        assert ref["Name"] == COMPOSED
        kind = ref["Type"].removesuffix("Reference")
        for name in (COMPOSED, DECOMPOSED):
            filtered = {"type": kind, "filter": f'Name=="{name}"'}
            found = client.get("/query", params=filtered).json()["Refs"]["Refs"]
            assert [each["Name"] for each in found] == [COMPOSED]


def test_accounts_and_tenants_log_on_in_every_form(
    running: RunningManager, client: httpx2.Client
) -> None:
    role = "urn:veeam:EnterpriseRole:d19a3d33-cb77-4ffe-94e6-001432483a4e"
    roles = {"EnterpriseRoles": [{"EnterpriseRoleUid": role}]}
    name = f"{DECOMPOSED}2"
    spec = {"AccountType": "User", "AccountName": name, "Roles": roles, "Password": DECOMPOSED}
    client.post("/security/accounts", json=spec).raise_for_status()
    other = running.client(Accept="application/json")
    for form in FORMS:
        said = tuple(unicodedata.normalize(form, each) for each in (name, COMPOSED))
        encoded = base64.b64encode(":".join(said).encode()).decode()
        answer = other.post("/sessionMngr", headers={"Authorization": f"Basic {encoded}"})
        assert answer.status_code == 201, form
    latin = base64.b64encode(f"{COMPOSED}2:{COMPOSED}".encode("latin-1")).decode()
    answer = other.post("/sessionMngr", headers={"Authorization": f"Basic {latin}"})
    assert answer.status_code == 201
    task = client.post("/cloud/tenants", json={"Name": f"{COMPOSED}3", "Password": COMPOSED})
    finished(client, task.json())
    body = {"TenantCredentials": {"Username": f"{DECOMPOSED}3", "Password": DECOMPOSED}}
    logged_on = running.client(Accept="application/json")
    headers: Any = {"Content-Type": "application/json"}
    answer = logged_on.post(
        "/sessionMngr",
        json=body,
        headers=headers,
        auth=("admin", "correct horse battery staple"),
    )
    assert answer.status_code == 201, answer.text


def test_names_may_hold_an_at_sign_but_for_tenants(client: httpx2.Client) -> None:
    """The product's guide forbids it in the name of a tenant, and of nothing else of this API."""
    repository = {"Name": "a@vault", "Endpoint": "at.example:1"}
    vault = client.post("/repositories", json=repository).raise_for_status().json()
    assert "has the character '@'" in refused(
        client.post("/cloud/tenants", json={"Name": "a@b", "Password": "p"})
    )
    quota = {"Name": "q@q", "RepositoryUid": vault["UID"], "QuotaMb": 1024}
    spec = {"Name": "at", "Password": "p", "Resources": {"BackupResources": [quota]}}
    task = finished(client, client.post("/cloud/tenants", json=spec).json())
    tenant = client.get(task["Links"][1]["Href"]).json()
    resource = tenant["Resources"]["CloudTenantResources"][0]["Id"]
    user = {"Name": "who@mail.example", "Password": "p", "TenantResourceId": resource}
    href = tenant["Href"].removesuffix("?format=Entity")
    made = client.post(f"{href}/subtenants", json={**user, "UnlimitedQuota": True})
    assert finished(client, made.json())["Result"]["Success"]
