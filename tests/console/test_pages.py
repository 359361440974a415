"""Does a browser get each page, and nobody but who may? By the real application, over HTTPS."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
from lxml import html
from sqlalchemy.exc import OperationalError

from cloudgate.api import authentication
from cloudgate.api.http.login_gate import LoginGate
from cloudgate.api.http.proxies import networks
from cloudgate.api.server import ServerOptions, open_listener
from cloudgate.console.browser import HEADERS
from cloudgate.console.declarations import Action, Page
from cloudgate.console.languages import LANGUAGES
from cloudgate.console.operator import audit
from cloudgate.console.operator.site_map import CONSOLE
from cloudgate.console.rendering import asset_version
from cloudgate.manager.host_protocol.enrolment import preregister
from cloudgate.manager.servers.backup_servers import list_backup_servers
from cloudgate.manager.sessions import totp
from cloudgate.manager.sessions.roles import Role
from tests.support.certificates.client_certificates import new_key, request_pem
from tests.support.project.spoken_page import english_left
from tests.support.running.console import (
    COOKIE,
    Visitor,
    operator_of_module,
    signed_in,
    text_of,
    visitor,
)
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import (
    PASSWORD,
    RunningManager,
    finished,
    manager_of_module,
    running_manager,
)
from tests.support.waiting import PATIENCE_SECONDS, until

NOBODY = "29e5d158-1f58-44bc-bbaa-2752d787a91d"
NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "abc\N{RIGHT-TO-LEFT OVERRIDE}dcb",
    "\N{CLOUD} \N{FLEXED BICEPS}" * 20,
    "x" * 255,
)
OWN_SCRIPTS = {
    f'<script src="{root}assets/{asset_version()}/{name}" defer>'
    for root in ("./", "../", "../../", "../../../")
    for name in ("console.js", "htmx.min.js")
}
Known = dict[str, str]
OWN_COOKIES = {"console": COOKIE, "portal": f"{COOKIE}-portal"}

running = manager_of_module()


@pytest.fixture(scope="module")
def known(running: RunningManager) -> Iterator[Known]:
    """Ids of things that are there, by the variable of a path and what comes before."""
    joined = ScriptedHost(running)
    client = running.logged_on()
    vault = client.post(
        "/repositories", json={"Name": "vault", "Endpoint": "vault.example:8443"}
    ).json()
    quota = {"Name": "vault", "RepositoryUid": vault["UID"], "QuotaMb": 10240}
    tenant = finished(
        client,
        client.post(
            "/cloud/tenants",
            json={
                "Name": "acme",
                "Password": "a long password",
                "Resources": {"BackupResources": [quota]},
            },
        ).json(),
    )
    (acme,) = client.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
    (resource,) = acme["Resources"]["CloudTenantResources"]
    user = {
        "Enabled": True,
        "Name": "ann",
        "Password": "a long password",
        "TenantResourceId": resource["Id"],
        "UnlimitedQuota": True,
    }
    finished(client, client.post(f"/cloud/tenants/{bare(acme)}/subtenants", json=user).json())
    (ann,) = client.get(f"/cloud/tenants/{bare(acme)}/subtenants").json()["CloudSubtenants"]
    spec = {"CertificateRequest": request_pem(new_key())}
    certificate = client.post(f"/cloud/tenants/{bare(acme)}/certificates", json=spec).json()
    accounts = client.get("/security/accounts?format=Entity").json()["EnterpriseAccounts"]
    yield {
        "tenants": bare(acme),
        "repositories": bare(vault),
        "servers": str(joined.server_id),
        "accounts": bare(accounts[0]),
        "tasks": tenant["TaskId"],
        "resource": resource["Id"],
        "user": ann["Id"],
        "certificate": certificate["Id"],
    }
    joined.close()


operator = operator_of_module()


def bare(thing: dict[str, Any]) -> str:
    return str(thing["UID"]).rpartition(":")[2]


def at(shown: Page | Action, known: Known) -> str:
    """A path, with the ids of what is there, or of nothing."""
    path = shown.path.replace("{id}", known.get(shown.path.partition("/")[0], NOBODY))
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], NOBODY), path)


def is_there(shown: Page | Action, known: Known) -> bool:
    return NOBODY not in at(shown, known)


PAGES: list[Page | Action] = [*CONSOLE.pages, *CONSOLE.actions]


@pytest.mark.parametrize("shown", PAGES, ids=lambda each: each.path or "overview")
def test_each_page_is_shown_to_an_operator_and_kept_by_nobody(
    operator: Visitor, known: Known, shown: Page | Action
) -> None:
    answer = operator.get(at(shown, known))
    assert answer.status_code == (200 if is_there(shown, known) else 404), text_of(answer.text)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "style=" not in answer.text
    assert " onclick" not in answer.text
    # Who hears a page is told with each field what stands below it.
    hints = re.findall(r'id="([\w-]+-hint)"', answer.text)
    assert set(hints) == set(re.findall(r'aria-describedby="([\w-]+-hint)"', answer.text))


GERMAN = LANGUAGES["de"]


def test_each_page_is_in_german_to_who_reads_german(running: RunningManager, known: Known) -> None:
    came = signed_in(running, Accept_Language="de-AT,de;q=0.9,en;q=0.8")
    for shown in PAGES:
        answer = came.get(at(shown, known))
        if "content-disposition" in answer.headers:
            assert "content-language" not in answer.headers
            continue
        assert '<html lang="de">' in answer.text
        assert answer.headers["content-language"] == "de"
        assert {"Accept-Language", "Cookie"} <= set(answer.headers["vary"].split(", "))
        assert english_left(answer.text, GERMAN) == set(), shown.path
    assert english_left(signed_in(running).get("").text, GERMAN), "where it is, it is found"
    tenant = f"tenants/{known['tenants']}"
    wrong = came.send(f"{tenant}/edit", speed="fast")
    assert "Geschwindigkeit: „fast“ ist keine Zahl wie 1.5." in text_of(wrong.text)
    missing = came.send("repositories/create", name="x")
    assert "Bitte ausfüllen: Endpunkt" in text_of(missing.text)
    refused = came.send("repositories/create", name="bad", endpoint="*.vault.example:8443")
    assert re.search(r'role="alert"><p><span lang="en">[^<]*\*\.vault\.example', refused.text)


def test_a_language_is_chosen_in_the_foot_of_a_page_and_kept_by_the_browser(
    running: RunningManager,
) -> None:
    came = signed_in(running, Accept_Language="en")
    assert '<button class="plain" name="language" value="de" lang="de">' in came.get("about").text
    form = {"language": "de", "back": "tasks?state=Running"}
    foreign = came.http.post("language", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    unknown = came.http.post("language", data={"language": "tlh", "back": "//elsewhere.example"})
    assert (foreign.status_code, unknown.headers["location"]) == (303, "./")
    assert not {"set-cookie"} & ({*foreign.headers} | {*unknown.headers})
    chosen = came.http.post("language", data=form)
    assert chosen.headers["location"] == form["back"]
    name, _, rest = chosen.headers["set-cookie"].partition("=")
    assert (name, rest.partition(";")[0]) == ("__Host-cloudgate-language", "de")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(rest.split("; "))
    page = came.get("about").text
    assert '<html lang="de">' in page
    assert 'value="de" lang="de" aria-current="true"' in page
    came.http.post("language", data={"language": "en", "back": ""})
    assert '<html lang="en">' in came.get("about").text


ADMINISTRATORS = ("audit", "accounts", "factor-rules", "settings", "notifications")
ROLES = (Role.PORTAL_USER, Role.VM_RESTORE_OPERATOR)
EVERYBODYS = {
    "tasks/{id}", "tasks", "tasks/{id}/delete", "password",
    "tokens", "tokens/create", "tokens/{id}/revoke",
    "factor", "factor/begin", "factor/confirm", "factor/remove",
    "passkeys", "passkeys/begin", "passkeys/add", "passkeys/{id}/remove",
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES, ids=lambda each: each.name)
def test_each_page_is_shown_to_the_roles_that_may_see_it_and_no_form_is_taken_of_others(
    running: RunningManager, known: Known, role: Role
) -> None:
    client = running.logged_on()
    roles = client.get("/security/roles").json()["Refs"]
    uid = next(each["UID"] for each in roles if each["Name"] == role.value)
    client.post(
        "/security/accounts",
        json={
            "AccountType": "User",
            "AccountName": role.name,
            "Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": uid}]},
            "Password": PASSWORD,
        },
    ).raise_for_status()
    came = signed_in(running, role.name)
    for shown in CONSOLE.pages:
        status = came.get(at(shown, known)).status_code
        if role is Role.PORTAL_USER:
            may = not shown.path.startswith(ADMINISTRATORS)
        else:
            may = shown.path in EVERYBODYS
        is_others = shown.path.startswith("tasks/{id}")  # shown to whoever began it
        expected = 200 if is_there(shown, known) and not is_others else 404
        assert status == (expected if may else 403), shown
    for action in CONSOLE.actions:
        path, token = at(action, known), came.token("password")
        if action.path in EVERYBODYS or role is Role.PORTAL_USER:
            continue
        fields = {each.name: "1" for each in action.fields}
        assert came.http.post(path, data={"token": token, **fields}).status_code == 403, path


@pytest.mark.parametrize("action", CONSOLE.actions, ids=lambda each: each.path)
def test_no_form_is_taken_without_the_token_of_the_session(
    operator: Visitor, known: Known, action: Action
) -> None:
    shown = operator.get(at(action, known)).status_code
    for token in ({}, {"token": ""}, {"token": "AAAA"}):
        answer = operator.http.post(at(action, known), data=token)
        assert answer.status_code == (403 if shown == 200 else shown)
        assert shown != 200 or "not from a page of this session" in text_of(answer.text)


def typed_before(running: RunningManager) -> tuple[Visitor, dict[str, str]]:
    """Who has filled in a form, and signs in anew before it is sent."""
    came = signed_in(running)
    role = f"urn:veeam:EnterpriseRole:{Role.PORTAL_USER.id}"
    typed = {"name": "typed", "role": role, "password": "a secret that was typed"}
    filled_in = {**typed, "token": came.token("accounts/create")}
    came.http.post("sign-in", data={"name": "admin", "password": PASSWORD})
    return came, filled_in


def test_who_signed_in_anew_meanwhile_has_the_form_again_as_it_was_filled_in(
    running: RunningManager,
) -> None:
    came, filled_in = typed_before(running)
    again = came.http.post("accounts/create", data=filled_in)
    assert again.status_code == 403
    said = text_of(again.text)
    assert "not from a page of this session. Nothing was done." in said
    assert "Passwords have to be typed again." in said
    assert 'value="typed"' in again.text
    assert f'value="{filled_in["role"]}" selected' in again.text
    assert filled_in["password"] not in again.text
    assert "typed" not in came.get("accounts").text
    token = re.search(r'name="token" value="([^"]+)"', again.text)
    assert token
    assert token[1] != filled_in["token"]
    done = came.http.post("accounts/create", data={**filled_in, "token": token[1]})
    assert done.status_code == 303
    assert "typed" in came.get("accounts").text


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_another_site_fills_in_no_form_for_anybody(running: RunningManager, site: str) -> None:
    came, filled_in = typed_before(running)
    request = came.http.build_request("POST", "accounts/create", data=filled_in)
    request.headers.pop("sec-fetch-site")
    request.headers.update({"Sec-Fetch-Site": site} if site else {})
    answer = came.http.send(request)
    assert answer.status_code == 403
    assert "typed" not in answer.text


def test_a_form_that_is_sent_too_late_is_what_signing_in_leads_to(
    running: RunningManager, known: Known
) -> None:
    came, path = signed_in(running), f"tenants/{known['tenants']}/edit"
    filled_in = {"token": came.token(path), "description": "typed"}
    ended = visitor(running)
    ended.http.cookies.update(came.http.cookies)
    ended.http.post("sign-out", data={"token": ended.token("")})
    for who in (came, visitor(running), visitor(running, "portal")):
        form = path if who.http.base_url.path == "/console/" else f"users/{NOBODY}/password"
        led = who.http.post(form, data=filled_in).headers["location"]
        assert led == f"../../sign-in?{urlencode({'next': form})}"
    again = {"name": "admin", "password": PASSWORD, "next": path}
    assert came.http.post("sign-in", data=again).headers["location"] == path
    assert came.http.post("sign-out", data={}).headers.get("location") is None
    led = visitor(running).http.post("sign-out", data={}).headers["location"]
    assert led == "./sign-in"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": ""},
    ],
    ids=str,
)
def test_what_a_page_of_another_site_sends_is_refused_even_with_the_token(
    running: RunningManager, operator: Visitor, headers: dict[str, str]
) -> None:
    given = {name: value for name, value in headers.items() if value}
    fields = {
        "token": operator.token("repositories/create"),
        "name": "x",
        "endpoint": "x.example:1",
    }
    request = operator.http.build_request("POST", "repositories/create", data=fields)
    request.headers.pop("sec-fetch-site")
    request.headers.update(given)
    answer = operator.http.send(request)
    assert answer.status_code == 403
    assert "another site" in text_of(answer.text)
    signing = operator.http.build_request(
        "POST", "sign-in", data={"name": "admin", "password": PASSWORD}
    )
    signing.headers.pop("sec-fetch-site")
    signing.headers.update(given)
    answer = operator.http.send(signing)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_without_a_session_each_page_leads_to_signing_in_and_from_there_back(
    running: RunningManager, known: Known
) -> None:
    came = visitor(running)
    for shown in PAGES:
        answer = came.get(at(shown, known))
        assert answer.status_code == 303, shown.path
        assert "sign-in" in answer.headers["location"]
        assert came.http.post(at(shown, known), data={"token": "x"}).status_code == 303
    where = came.get("audit?page=2").headers["location"]
    assert where == "./sign-in?next=audit%3Fpage%3D2"
    form = {"name": "admin", "password": PASSWORD, "next": "audit?page=2"}
    assert came.http.post("sign-in", data=form).headers["location"] == "audit?page=2"
    form["next"] = "//elsewhere.example/"
    assert came.http.post("sign-in", data=form).headers["location"] == "./"


@pytest.mark.parametrize("session", ["", "ended"], ids=["no cookie", "ended"])
@pytest.mark.parametrize("section", ["console", "portal"])
def test_an_open_page_hears_that_it_is_signed_out_however_that_came_about(
    running: RunningManager, section: str, session: str
) -> None:
    came, cookie = visitor(running, section), OWN_COOKIES[section]
    headers = {"Cookie": f"{cookie}={session}"} if session else {}
    with came.http.stream("GET", "events?page=", headers=headers) as heard:
        assert heard.headers["content-type"].startswith("text/event-stream")
        events = [line for line in heard.iter_lines() if line.startswith("event: ")]
    assert (heard.status_code, events) == (200, ["event: signed-out"])


def test_the_news_of_a_page_that_has_none_are_that_it_has_none(operator: Visitor) -> None:
    said = operator.get("events?page=tenants").text
    assert said == 'event: gone\ndata: "There is nothing live at that page."\n\n'


def test_the_cookie_is_for_this_host_over_tls_and_for_no_script(running: RunningManager) -> None:
    came = visitor(running)
    answer = came.http.post("sign-in", data={"name": "admin", "password": PASSWORD})
    said = answer.headers["set-cookie"]
    name, _, rest = said.partition("=")
    assert name == COOKIE
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(rest.split("; "))
    assert "Domain" not in said


def test_who_signs_in_gets_a_session_of_its_own_whatever_was_put_there_before(
    running: RunningManager,
) -> None:
    theirs = signed_in(running).http.cookies[COOKIE]
    came = visitor(running)
    form = {"name": "admin", "password": PASSWORD}
    answer = came.http.post("sign-in", data=form, headers={"Cookie": f"{COOKIE}={theirs}"})
    assert answer.status_code == 303
    assert answer.cookies[COOKIE] != theirs


def test_signing_out_ends_the_session_itself(running: RunningManager) -> None:
    came = signed_in(running)
    session = came.http.cookies[COOKIE]
    answer = came.http.post("sign-out", data={"token": came.token("")})
    assert answer.status_code == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]
    kept = visitor(running).http.get("tenants", headers={"Cookie": f"{COOKIE}={session}"})
    assert kept.status_code == 303


def test_wrong_passwords_are_refused_slowed_and_on_record(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    whole = LoginGate.log_on

    async def counted(self: LoginGate, request: Any, account: str, *others: Any) -> Any:
        asked.append(account)
        return await whole(self, request, account, *others)

    monkeypatch.setattr(LoginGate, "log_on", counted)
    came = visitor(running)
    answer = came.http.post("sign-in", data={"name": "<b>admin", "password": "wrong"})
    assert answer.status_code == 401
    assert "<b>admin" not in answer.text
    assert "set-cookie" not in answer.headers
    assert asked == ["<b>admin"], "it goes through the gate that slows guessing"
    assert [each.operation for each in running.audited() if each.success is False][-1] == "LogOn"


def test_behind_a_proxy_the_address_is_what_the_proxy_says_and_not_the_browser(
    tmp_path: Path,
) -> None:
    extras = ServerOptions(trusted_proxies=networks(["127.0.0.0/8"]))
    said = [("X-Forwarded-For", "203.0.113.77"), ("X-Forwarded-For", "198.51.100.9")]
    with running_manager(tmp_path, extras=extras) as behind:
        came = visitor(behind)
        form = {"name": "admin", "password": "wrong"}
        headers = [*came.http.headers.items(), *said]
        assert came.http.post("sign-in", data=form, headers=headers).status_code == 401
        wrong = behind.client()
        headers = [*wrong.headers.items(), *said]
        path = "/sessionMngr/?v=latest"
        assert wrong.post(path, auth=("admin", "wrong"), headers=headers).status_code == 401
        refused = [each.address for each in behind.audited() if each.success is False]
        assert refused == ["198.51.100.9", "198.51.100.9"]


def test_a_browser_is_led_to_the_console_and_programs_get_what_they_got(
    running: RunningManager,
) -> None:
    client = running.client()
    base = running.url
    for accept in ("", "*/*", "application/xml", "application/json"):
        answer = client.get(f"{base}/", headers={"Accept": accept})
        assert answer.status_code == 404
        assert "the API is at /api/" in answer.text
    answer = client.get(f"{base}/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["location"]) == (303, "console/")
    assert client.get(f"{base}/console").headers["location"] == "console/"


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_of_any_kind_are_shown_as_text(
    running: RunningManager, operator: Visitor, known: Known, name: str
) -> None:
    client = running.logged_on()
    spec = {"Description": name, "Password": "a long password"}
    created = client.post("/cloud/tenants", json={**spec, "Name": name})
    called = name if created.status_code == 202 else "plain"
    if created.status_code != 202:
        assert created.status_code == 400
        created = client.post("/cloud/tenants", json={**spec, "Name": called})
    assert created.status_code == 202, created.text
    finished(client, created.json())
    tenants = client.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
    (one,) = (each for each in tenants if each.get("Description") == name)
    for below in ("", "/edit", "/connect", "/delete"):
        page = operator.get(f"tenants/{bare(one)}{below}").text
        assert set(re.findall(r"<script[^>]*>", page)) <= OWN_SCRIPTS
        assert "<img src=x" not in page
        assert ">49<" not in page
    assert name[:60] in text_of(operator.get(f"tenants/{bare(one)}").text)
    assert name[:60] in text_of(operator.get("tenants").text)
    finished(client, client.delete(f"/cloud/tenants/{bare(one)}").json())


def test_lists_are_paged_and_searched_by_the_server(
    running: RunningManager, operator: Visitor
) -> None:
    with running.manager.changing() as work:
        (site,) = list_backup_servers(work)
        for number in range(55):
            preregister(work, site, f"many{number:03}.example")
    first = operator.get("servers")
    assert first.text.count('class="thing"') == 50
    assert 'href="?page=2"' in first.text
    assert "many054" in operator.get("servers?page=2").text
    found = operator.get("servers?search=MANY05")
    assert found.text.count('class="thing"') == 5
    assert 'value="MANY05"' in found.text
    for search in ('"', "a;b,c)", "\N{CLOUD}"):
        assert operator.http.get("servers", params={"search": search}).status_code == 200


def test_a_tenant_is_made_changed_and_removed_by_forms_alone(
    running: RunningManager, operator: Visitor, known: Known
) -> None:
    client = running.logged_on()
    vault = f"urn:veeam:Repository:{known['repositories']}"
    made = operator.send(
        "tenants/create", name="walked", repository=vault, quota="5", lease="2030-12-31"
    )
    password = re.search(r'id="made"><code>([^<]+)<', made.text)
    assert made.status_code == 200
    assert password, "the password is shown once"
    assert len(password[1]) > 20
    task = re.search(r'href="\.\./tasks/(task-\d+)"', made.text)
    assert task
    finished(client, {"Href": f"/tasks/{task[1]}"})
    (one,) = (
        each
        for each in client.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
        if each["Name"] == "walked"
    )
    assert one["LeaseOptions"]["ExpirationDate"].startswith("2030-12-31")
    own = f"tenants/{bare(one)}"
    led = operator.send(
        f"{own}/edit", speed="100", tunnels="4", networks="198.51.100.0/24\n10.0.0.0/8"
    )
    assert led.headers["location"].startswith("../../tasks/task-")
    finished(client, {"Href": f"/tasks/{led.headers['location'].rpartition('/')[2]}"})
    told = text_of(operator.get(led.headers["location"].removeprefix("../../")).text)
    assert "Before and after: walked" in told
    assert '["198.51.100.0/24", "10.0.0.0/8"]' in told
    changed = client.get(f"/cloud/{own}?format=Entity").json()
    assert (changed["ThrottlingSpeedLimit"], changed["MaxConcurrentTasks"]) == (100, 4)
    assert changed["AllowedNetworks"]["Networks"] == ["198.51.100.0/24", "10.0.0.0/8"]
    wrong = operator.send(f"{own}/edit", speed="fast", description="kept")
    assert wrong.status_code == 400
    assert "no number such as 1.5" in text_of(wrong.text)
    assert 'value="kept"' in wrong.text
    wrong = operator.send(f"{own}/certificates/issue", request="no request")
    assert "expected a certificate request" in text_of(wrong.text)
    issued = operator.send(f"{own}/certificates/issue", request=request_pem(new_key()), hours="2")
    assert issued.status_code == 303
    shown = operator.get(own).text
    assert "BEGIN CERTIFICATE" in shown
    revoke = re.search(r'href="[^"]*(certificates/[-0-9a-f]+/revoke)"', shown)
    assert revoke
    assert operator.send(f"{own}/{revoke[1]}").status_code == 303
    assert "Revoked" in text_of(operator.get(own).text)
    turned = operator.send(f"{own}/password", old="0")
    assert 'id="made"' in turned.text
    assert operator.send(f"{own}/disable").status_code == 303
    gone = operator.send(f"{own}/delete")
    finished(client, {"Href": f"/tasks/{gone.headers['location'].rpartition('/')[2]}"})
    assert operator.get(own).status_code == 404


def test_a_form_that_is_sent_as_it_was_shown_changes_nothing(
    running: RunningManager, operator: Visitor, known: Known
) -> None:
    """So what is empty there means what it was: none, and not a nought that was chosen."""
    edits = [
        each
        for each in CONSOLE.actions
        if each.path.endswith(("/edit", "/quotas", "/probe", "/protect"))
    ]
    client, sent = running.logged_on(), []
    odd = {
        "EgressQuotaMb": 500,
        "LeaseOptions": {"Enabled": True, "ExpirationDate": "2090-12-01T18:00:00Z"},
        "ThrottlingEnabled": True,
        "ThrottlingSpeedLimit": 10,
        "ThrottlingSpeedUnit": "KBps",
    }
    tenant = f"/cloud/tenants/{known['tenants']}"
    finished(client, client.put(tenant, json=odd).json())
    for action in edits:
        if not is_there(action, known):
            continue
        path = at(action, known)
        page = operator.get(path)
        document: Any = html.fromstring(page.text)
        (form,) = document.xpath("//main//form")
        before = len(running.audited())
        answer = operator.http.post(path, data=dict(form.form_values()))
        led = answer.headers.get("location", "")
        if "tasks/" in led:
            finished(client, {"Href": f"/tasks/{led.rpartition('/')[2]}"})
        for event in running.audited()[before:]:
            assert event.before == event.after, (action.path, event.before, event.after)
        if answer.status_code == 303:
            sent.append(action.path)
    assert {"tenants/{id}/edit", "repositories/{id}/edit", "repositories/{id}/quotas"} <= set(sent)


def test_what_the_api_refuses_is_said_in_its_words_beside_the_form(operator: Visitor) -> None:
    answer = operator.send("repositories/create", name="bad", endpoint="*.vault.example:8443")
    assert answer.status_code == 400
    assert "*.vault.example" in text_of(answer.text)
    assert 'role="alert"' in answer.text
    assert operator.send("repositories/create", name="bad").status_code == 400


def test_a_lease_is_over_when_it_is_by_the_managers_clock(
    running: RunningManager, operator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, end = running.logged_on(), running.manager.clock() + timedelta(minutes=5)
    spec = {
        "Name": "for a while",
        "Password": "a long password",
        "LeaseExpirationDate": end.isoformat(),
    }
    made = finished(client, client.post("/cloud/tenants", json=spec).json())
    path = urlsplit(made["Links"][1]["Href"]).path
    page = f"tenants/{path.rpartition('/')[2]}"
    assert "Expired" not in operator.get(page).text
    monkeypatch.setattr(running.clock, "ahead", running.clock.ahead + timedelta(minutes=6))
    for shown in (page, "tenants?search=for+a+while"):
        assert "Expired" in operator.get(shown).text


def test_what_a_repository_does_with_quotas_that_are_used_up_is_said_by_a_form(
    running: RunningManager, operator: Visitor, known: Known
) -> None:
    vault = f"repositories/{known['repositories']}"
    path = f"/{vault}?format=Entity"
    for said, levels, enforced in (("70, 90", [70, 90], False), ("", [], True)):
        sent = operator.send(
            f"{vault}/quotas", warnings=said, grace="5", enforced="yes" if enforced else ""
        )
        assert sent.status_code == 303
        entity = running.logged_on().get(path).json()
        assert (entity.get("QuotaWarningPercents") or {}).get("Percents") == levels
        assert (entity["QuotaGracePercent"], entity["QuotaEnforced"]) == (5, enforced)
    assert operator.send(f"{vault}/quotas", warnings="often").status_code == 400


def test_what_keeps_deleted_backups_is_said_by_forms_and_nothing_is_promised_without(
    running: RunningManager, operator: Visitor, known: Known
) -> None:
    vault, acme = (f"{each}/{known[each]}" for each in ("repositories", "tenants"))
    elsewhere = "https://elsewhere.example/cloudgate/"
    answer = operator.send(f"{vault}/protect", method="RestServer", url=elsewhere)
    assert answer.status_code == 400
    assert "vault.example:8443" in text_of(answer.text)
    assert operator.send(f"{vault}/protect", method="Snapshots").status_code == 303
    until(lambda: "--protection-hook" in text_of(operator.get(vault).text))
    assert operator.send(f"{vault}/protect", method="None").status_code == 303
    assert "may be gone" in text_of(operator.get(vault).text)
    answer = operator.send(f"{acme}/edit", kept="yes", days="7")
    assert answer.status_code == 400
    assert "nothing would be protected" in text_of(answer.text)
    assert 'value="7"' in answer.text
    shown = running.logged_on().get(f"/cloud/{acme}?format=Entity").json()
    assert shown["BackupProtectionEnabled"] is False


def test_a_server_joins_by_the_two_commands_that_are_shown(
    running: RunningManager, operator: Visitor
) -> None:
    shown = text_of(operator.send("servers/create", name="gw7.example").text)
    said = re.search(r"cloudgate host join (\S+) --token (\S+) --fingerprint (\S+)", shown)
    assert said
    assert said[1] == running.url
    assert "cloudgate host run" in shown
    packaged = f"-- {said[0]} --data /var/lib/cloudgate-host"
    assert f"runuser -u cloudgate-host {packaged}" in shown
    assert said[2] not in operator.get("servers").text


def test_usage_of_a_month_is_a_table_for_the_bill(operator: Visitor) -> None:
    answer = operator.get("usage.csv?month=2026-01")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="usage-2026-01.csv"'
    (heading, *_rows) = csv.reader(io.StringIO(answer.text))
    assert heading[:2] == ["CloudTenant", "Subtenant"]


def test_the_audit_log_is_exported_as_it_is_filtered_and_no_cell_is_a_formula(
    running: RunningManager, operator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "AT_ONCE", 3)
    hostile = '=HYPERLINK("//elsewhere.example")'
    for _ in range(4):
        visitor(running).http.post("sign-in", data={"name": hostile, "password": "wrong"})
    answer = operator.get("audit.csv?operation=LogOn&result=false")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [each["Account"] for each in rows][-4:] == [f"'{hostile}"] * 4
    assert {each["Operation"] for each in rows} == {"LogOn"}
    said = operator.get("audit.json?operation=LogOn&result=false").json()
    assert [each["Number"] for each in said] == [int(each["Number"]) for each in rows]
    assert said[-1]["Account"] == hostile
    assert said == sorted(said, key=lambda each: each["Number"])
    assert operator.get("audit.json?account=nobody%20such").json() == []
    page = operator.get("audit?operation=LogOn&result=false&account=a%26b").text
    assert 'href="./audit.csv?account=a%26b&amp;operation=LogOn&amp;result=false"' in page


def test_who_is_told_of_what_happens_is_added_changed_and_removed_by_forms(
    running: RunningManager, operator: Visitor
) -> None:
    added = operator.send(
        "notifications/create", name="<b>ops", kind="Webhook", address="https://hook.invalid/",
        events=["GatewayDown", "TaskFailed"], until="06:00", **{"from": "22:00"},
    )  # fmt: skip
    assert re.search(r'id="made"><code>\S{20,}<', added.text), text_of(added.text)
    page = operator.get("notifications").text
    assert "&lt;b&gt;ops" in page
    found = re.search(r'href="\S*(notifications/[0-9a-f-]+)/edit"', page)
    assert found
    (made,) = (
        running.logged_on()
        .get("/notifications/receivers?format=Entity")
        .json()["NotificationReceivers"]
    )
    assert made["Events"]["Events"] == ["GatewayDown", "TaskFailed"]
    assert (made["QuietFrom"], made["QuietUntil"]) == ("22:00", "06:00")
    assert re.search(r'value="TaskFailed" selected', operator.get(f"{found[1]}/edit").text)
    changed = operator.send(f"{found[1]}/edit", address="https://other.invalid/")
    assert changed.status_code == 303, text_of(changed.text)
    page = text_of(operator.get("notifications").text)
    assert "https://other.invalid/" in page
    assert "Disabled" in page
    assert operator.send(f"{found[1]}/test").status_code == 503, "there is no such host"
    assert operator.send(f"{found[1]}/delete").status_code == 303
    assert "Nobody is told yet" in text_of(operator.get("notifications").text)


def test_a_backup_server_is_connected_changed_and_disconnected_by_forms(
    running: RunningManager, operator: Visitor
) -> None:
    assert operator.send("sites/create", name="second.example").status_code == 303
    page = operator.get("sites?search=second").text
    found = re.search(r'href="\S*(sites/[0-9a-f-]+)/edit"', page)
    assert found
    assert 'value="9392"' in operator.get(f"{found[1]}/edit").text
    assert operator.send(f"{found[1]}/edit", name="third.example", port="9393").status_code == 303
    assert "third.example" in operator.get("sites").text
    assert operator.send(f"{found[1]}/collect").status_code == 303
    assert operator.send(f"{found[1]}/delete").status_code == 303
    assert "third.example" not in operator.get("sites").text


def test_assets_may_be_kept_for_ever_by_the_name_of_what_they_hold(operator: Visitor) -> None:
    page = operator.get("tenants").text
    for name in ("console.css", "console.js", "htmx.min.js", "icon.svg"):
        found = re.search(rf'(assets/\w+/{re.escape(name)})"', page)
        assert found, name
        kept = operator.get(found[1])
        assert kept.status_code == 200
        assert "immutable" in kept.headers["cache-control"]
        assert operator.get(f"assets/0/{name}").headers["cache-control"] == "no-store"
    assert operator.get("assets/0/README.md").status_code == 404
    assert operator.get("assets/0/../templates/frame.html").status_code == 404


@pytest.mark.parametrize("form", ["name=" + "x" * 20_000, "a&" * 4_000])
def test_a_form_of_any_size_is_not_read_from_strangers(running: RunningManager, form: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = visitor(running).http.post("sign-in", content=form, headers=headers)
    assert answer.status_code == 413
    assert "more than a form may hold" in answer.text


def test_an_api_token_is_made_shown_once_and_revoked_by_forms(
    running: RunningManager, operator: Visitor
) -> None:
    made = operator.send("tokens/create", name="<b>report", role="Portal User", days="30")
    secret = re.findall(r"cgt_[0-9A-Za-z]{49}", text_of(made.text))[0]
    program = running.client(Authorization=f"Bearer {secret}")
    assert program.get("/cloud/tenants").status_code == 200
    page = operator.get("tokens").text
    assert "&lt;b&gt;report" in page
    assert secret not in page
    found = re.search(r'href="\S*(tokens/[0-9a-f-]+/revoke)"', page)
    assert found
    assert "refused from now on" in text_of(operator.get(found[1]).text)
    assert operator.send(found[1]).status_code == 303
    assert program.get("/cloud/tenants").status_code == 401
    again = operator.send("tokens/create", name="x", role="Portal User", days="many")
    assert again.status_code == 400
    assert "is not a whole number" in text_of(again.text)
    assert 'value="many"' in again.text


def test_two_operators_who_edit_the_same_hear_of_each_other_and_lose_nothing_they_typed(
    running: RunningManager, operator: Visitor, known: Known
) -> None:
    path, other = f"repositories/{known['repositories']}/edit", signed_in(running)
    seen = operator.get(path).text
    tag = re.search(r'name="etag" value="([^"]+)"', seen)
    assert tag
    typed = {"name": "vault", "endpoint": "vault.example:8443"}
    filled_in = {**typed, "token": operator.token(path), "etag": unescape(tag[1])}
    first = other.send(path, **typed, description="by the first")
    assert first.status_code == 303, text_of(first.text)
    second = operator.http.post(path, data={**filled_in, "description": "by the second"})
    assert second.status_code == 412
    said = text_of(second.text)
    assert "vault was changed since you looked at it by admin" in said
    assert 'value="by the second"' in second.text
    again = re.search(r'name="etag" value="([^"]+)"', second.text)
    assert again
    assert again[1] != tag[1]
    filled_in = {**filled_in, "etag": unescape(again[1]), "description": "by the second"}
    assert operator.http.post(path, data=filled_in).status_code == 303
    assert "by the second" in operator.get(path).text


def test_a_second_factor_is_set_up_by_forms_and_asked_for_at_sign_in(
    running: RunningManager, operator: Visitor
) -> None:
    name, password = "with-a-telephone", PASSWORD
    uid = next(role for role in Role if role is Role.PORTAL_USER).id
    made = operator.send("accounts/create", name=name, role=str(uid), password=password)
    assert made.status_code == 303, text_of(made.text)
    came = signed_in(running, name)
    begun = came.send("factor/begin")
    assert "<svg" in begun.text
    found = re.search(r'id="made"><code>([A-Z2-7]{32})<', begun.text)
    assert found
    running.clock.begin(totp.STEP_SECONDS)
    now = totp.step_at(running.clock())
    wrong = came.send("factor/confirm", code="12345x")
    assert wrong.status_code == 403
    assert 'role="alert"' in wrong.text
    done = came.send("factor/confirm", code=totp.code_of(found[1], now - 1))
    codes = re.findall(r"\b[2-9a-z]{4}-[2-9a-z]{4}-[2-9a-z]{4}\b", text_of(done.text))
    assert len(codes) == 10
    other = visitor(running)
    said = {"name": name, "password": password}
    refused = other.http.post("sign-in", data=said)
    assert refused.status_code == 401
    assert "second factor" in text_of(refused.text)
    shown = other.http.post("sign-in", data={**said, "code": totp.code_of(found[1], now)})
    assert shown.status_code == 303
    assert "10 recovery codes are left." in text_of(other.get("factor").text)
    assert other.send("factor/remove", code=codes[0]).status_code == 303
    assert visitor(running).http.post("sign-in", data=said).status_code == 303


@pytest.fixture(scope="module")
def portal(running: RunningManager, known: Known) -> Visitor:
    """A stranger at the portal; the tenant and its user may change their passwords."""
    client = running.logged_on()
    change = {"MayChangePassword": True}
    finished(client, client.put(f"/cloud/tenants/{known['tenants']}", json=change).json())
    return visitor(running, "portal")


def fields(name: str, current: str, password: str, again: str = "") -> dict[str, str]:
    return {"name": name, "current": current, "password": password, "again": again or password}


def has_changed(running: RunningManager, who: str) -> bool:
    """Whether that is on record, which is written when the change's task ends."""
    return who in {
        each.account
        for each in running.audited()
        if each.operation.startswith("ChangeOwn") and each.success
    }


def test_a_tenant_and_its_user_change_their_own_passwords_in_a_browser(
    running: RunningManager, portal: Visitor
) -> None:
    first, second = "a long password", "chosen by ourselves"
    for name in ("acme", "acme\\ann"):
        answer = portal.http.post("password", data=fields(name, first, second))
        assert answer.status_code == 200, text_of(answer.text)
        assert "good now" in text_of(answer.text)
        assert "set-cookie" not in answer.headers
        until(partial(has_changed, running, name))
        assert (
            portal.http.post("password", data=fields(name, first, "another one more")).status_code
            == 401
        )


def test_the_portal_says_why_not_and_keeps_nothing_of_it(
    running: RunningManager, portal: Visitor
) -> None:
    page = portal.get("password")
    assert page.status_code == 200
    for name, value in HEADERS.items():
        assert page.headers[name] == value
    wrong = {
        400: (
            fields("acme", "a long password", "chosen by ourselves", "chosen by Ourselves"),
            fields("", "a long password", "chosen by ourselves"),
        ),
        401: (fields("<b>acme", "a long password", "chosen by ourselves"),),
        413: (fields("x" * 9000, "x", "chosen by ourselves"),),
    }
    for status, sent in wrong.items():
        for each in sent:
            answer = portal.http.post("password", data=each)
            assert answer.status_code == status, text_of(answer.text)
            assert 'role="alert"' in answer.text
            assert "<b>acme" not in answer.text
            assert "chosen by" not in answer.text
    sent_from = fields("acme", "a long password", "chosen by them too")
    foreign = portal.http.post("password", data=sent_from, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert "another site" in text_of(foreign.text)


def test_over_plain_http_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    listener = open_listener("127.0.0.1", 0)
    plain = f"http://localhost:{listener.getsockname()[1]}"
    with (
        running_manager(tmp_path, extras=ServerOptions(http_listener=listener)) as started,
        httpx2.Client(timeout=PATIENCE_SECONDS) as client,
    ):
        for path in ("console/sign-in", "portal/sign-in", "portal/password"):
            assert 'type="password"' in visitor(started).http.get(f"{started.url}/{path}").text
            assert 'type="password"' not in client.get(f"{plain}/{path}").text
            answer = client.post(f"{plain}/{path}", data={"name": "admin", "password": PASSWORD})
            assert answer.status_code in (403, 405)
            assert "set-cookie" not in answer.headers


def test_a_database_that_fails_as_somebody_is_looked_up_is_a_page_in_words(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = signed_in(running)

    def fail(*_: object) -> None:
        raise OperationalError("select", {}, OSError("gone"))

    monkeypatch.setattr(authentication, "use_session", fail)
    # Beyond what is remembered of a session.
    monkeypatch.setattr(running.clock, "ahead", running.clock.ahead + timedelta(minutes=2))
    for answer in (came.get("tenants"), came.send("tenants/create", name="x")):
        assert answer.status_code == 503
        assert "The database cannot be used right now" in text_of(answer.text)
        assert "frame-ancestors" in answer.headers["Content-Security-Policy"]
