"""Does a tenant see its own at the portal, and nothing else? By the real application over HTTPS."""

import csv
import io
import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from cloudgate.api.handlers.sessions import session_id_of
from cloudgate.api.http.login_gate import LoginGate
from cloudgate.api.server import ServerOptions
from cloudgate.console import stream
from cloudgate.console.brand import Brand
from cloudgate.console.browser import HEADERS
from cloudgate.console.languages import LANGUAGES
from cloudgate.console.tenant.site_map import PORTAL
from cloudgate.errors import AccessDeniedError, NotAuthenticatedError
from cloudgate.manager.portal import sessions
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.manager.tenants.own_password import guessed
from cloudgate.protocol import Figures, TenantFigures, Usage, UsageBatch
from tests.support.certificates.client_certificates import new_key, request_pem
from tests.support.project.spoken_page import english_left
from tests.support.running.console import COOKIE, Visitor, signed_in, text_of, visitor
from tests.support.running.customers import SECRET, TARGET, Customer, add_vault, host_of_module
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import (
    PASSWORD,
    RunningManager,
    client_of_module,
    finished,
    manager_of_module,
)

OWN_COOKIE = "__Host-cloudgate-portal"
MARKUP = "<img src=x onerror=alert(1)>"
BRAND = Brand(name="<i>Blue & Harbour", logo=b"<svg/>", logo_type="image/svg+xml", dark="#d7a8f0")
NOBODY = "29e5d158-1f58-44bc-bbaa-2752d787a91d"

running = manager_of_module(extras=ServerOptions(brand=BRAND))
client = client_of_module()
host = host_of_module()


@pytest.fixture(scope="module")
def vault(client: httpx2.Client, host: ScriptedHost) -> str:
    del host  # it only has to be there
    return add_vault(client)


@pytest.fixture(scope="module")
def acme(client: httpx2.Client, vault: str) -> Customer:
    made = Customer(client, "acme", vault, quota_name=MARKUP)
    finished(client, client.put(made.path, json={"MayChangePassword": True}).json())
    return made


@pytest.fixture(scope="module")
def other(client: httpx2.Client, vault: str) -> Customer:
    return Customer(client, "other", vault, users=())


def at_portal(running: RunningManager, name: str, password: str = SECRET) -> Visitor:
    return signed_in(running, name, password, "portal")


def paths(user: object = NOBODY, certificate: object = NOBODY) -> list[str]:
    shown = [each.path for each in PORTAL.pages] + [each.path for each in PORTAL.actions]
    known = {"{user}": str(user), "{certificate}": str(certificate)}
    return [
        each.replace("{user}", known["{user}"]).replace("{certificate}", known["{certificate}"])
        for each in shown
    ]


def certificate_of(client: httpx2.Client, customer: Customer) -> str:
    """The id of a new one."""
    spec = {"CertificateRequest": request_pem(new_key())}
    made = client.post(f"{customer.path}/certificates", json=spec).raise_for_status()
    return str(made.json()["Id"])


def test_each_page_is_shown_to_a_tenant_and_kept_by_nobody(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    came = at_portal(running, "acme")
    for path in paths(acme.user_id("ann"), certificate_of(client, acme)):
        answer = came.get(path)
        assert answer.status_code == 200, (path, text_of(answer.text))
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert "style=" not in answer.text
        assert MARKUP not in answer.text
    overview, connecting = came.get("").text, came.get("connect").text
    assert MARKUP in text_of(overview)
    assert "192.0.2.10:6180" in connecting
    assert f"rest:https://{TARGET}/acme" in text_of(connecting)
    authority = came.get("ca.pem")
    assert authority.headers["content-disposition"] == 'attachment; filename="ca.pem"'
    assert authority.text == running.ca_file.read_text("utf-8")


def test_each_page_is_in_german_to_who_reads_german(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    came = signed_in(running, "acme", SECRET, "portal", Accept_Language="de-CH, en;q=0.5")
    stranger = visitor(running, "portal", Accept_Language="de")
    own = [
        path
        for path in paths(acme.user_id("ann"), certificate_of(client, acme))
        if not path.endswith((".csv", ".pem"))
    ]
    for answer in (came.get(path) for path in own):
        assert '<html lang="de">' in answer.text
        assert english_left(answer.text, LANGUAGES["de"]) == set(), answer.url
    for path in ("sign-in", "password"):
        assert english_left(stranger.get(path).text, LANGUAGES["de"]) == set(), path
    wrong = stranger.http.post("password", data={"name": "acme"})
    assert "Bitte alles ausfüllen." in wrong.text
    with came.http.stream("GET", "events?page=") as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert "Kontingente" in json.loads(first.removeprefix("data: "))


def test_a_certificate_is_seen_and_revoked_by_whose_it_is(
    running: RunningManager, client: httpx2.Client, acme: Customer, other: Customer
) -> None:
    assert other.name
    form = f"certificates/{certificate_of(client, acme)}/revoke"
    for name in ("other", "acme\\ann"):
        stranger = at_portal(running, name)
        assert stranger.get(form).status_code == 404
        assert stranger.http.post(form, data={"token": stranger.token("")}).status_code == 404
    came = at_portal(running, "acme")
    assert form in came.get("certificates").text
    assert came.send(form).headers["location"] == "../../certificates"
    page = came.get("certificates").text
    assert form not in page
    assert "Revoked" in text_of(page)


def test_a_tenant_gets_a_certificate_by_a_form_that_asks_for_its_password(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    came, form = at_portal(running, "acme\\ann"), "certificates/issue"
    assert form not in came.get("certificates").text, "the provider does not let it"
    finished(client, client.put(acme.path, json={"MayGetCertificates": True}).json())
    assert form in came.get("certificates").text
    request = request_pem(new_key())
    refused = came.send(form, request=request, password="wrong")
    assert (refused.status_code, "BEGIN CERTIFICATE REQUEST" in refused.text) == (401, True)
    assert 'role="alert"' in refused.text
    made = came.send(form, request=request, hours="2", password=SECRET)
    assert made.headers["location"] == "../certificates"
    page = came.get("certificates").text
    assert page.count("BEGIN CERTIFICATE") == 1
    assert "acme\\ann" in text_of(page)
    finished(client, client.put(acme.path, json={"MayGetCertificates": False}).json())


def test_what_is_a_tenants_no_other_sees_and_no_user_of_it_but_its_own(
    running: RunningManager, acme: Customer, other: Customer
) -> None:
    assert other.name
    for name in ("other", "acme\\bob"):
        came = at_portal(running, name)
        for path in paths():
            page = came.get(path)
            assert page.status_code == (404 if NOBODY in path else 200), (name, path)
            assert "ann" not in re.findall(r"[a-z]+", text_of(page.text)), (name, path)
            if name == "other":
                assert "acme" not in page.text, path
        form = f"users/{acme.user_id('ann')}/password"
        assert came.get(form).status_code == 404
        sent = {"token": came.token(""), "password": "a longer password"}
        assert came.http.post(form, data=sent).status_code == 404
    assert at_portal(running, "acme\\ann").get("").status_code == 200, "its password is as it was"


def test_when_it_was_last_active_a_tenant_sees_and_no_user_hears_of_others(
    running: RunningManager, acme: Customer
) -> None:
    with running.manager.changing() as work:
        work.session.get_one(CloudTenant, acme.id).last_active_at = work.now
        then = f"{work.now:%Y-%m-%d %H:%M}"
    assert f"Last active{then}" in re.sub(r"\s*\n\s*", "", text_of(came_to(running, "acme")))
    page = came_to(running, "acme\\ann")
    assert "Last active" not in page
    assert then not in page


def came_to(running: RunningManager, name: str) -> str:
    return at_portal(running, name).get("").text


def test_without_a_session_each_page_leads_to_signing_in_and_forms_need_their_token(
    running: RunningManager, acme: Customer
) -> None:
    stranger, came = visitor(running, "portal"), at_portal(running, "acme")
    form = f"users/{acme.user_id('ann')}/password"
    for path in paths(acme.user_id("ann")):
        assert "sign-in" in stranger.get(path).headers["location"], path
    for data in ({}, {"token": "AAAA"}, {"token": signed_in(running).token("")}):
        assert came.http.post(form, data=data).status_code == 403
    sent = {"token": came.token(""), "password": "a longer password"}
    foreign = came.http.post(form, data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert "another site" in text_of(foreign.text)


def test_a_session_is_new_in_a_cookie_of_its_own_and_good_nowhere_else(
    running: RunningManager, acme: Customer
) -> None:
    assert acme.name
    theirs = at_portal(running, "acme").http.cookies[OWN_COOKIE]
    came = visitor(running, "portal")
    form = {"name": "acme", "password": SECRET}
    answer = came.http.post("sign-in", data=form, headers={"Cookie": f"{OWN_COOKIE}={theirs}"})
    said = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert answer.cookies[OWN_COOKIE] != theirs, "none that was put there before"
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(said.split("; "))
    assert "Domain" not in said
    console = visitor(running)
    for path in ("", "tenants", "audit", "accounts"):
        shown = console.http.get(path, headers={"Cookie": f"{COOKIE}={theirs}"})
        assert shown.status_code == 403, path
        assert "acme" not in shown.text
    operators = signed_in(running).http.cookies[COOKIE]
    shown = visitor(running, "portal").http.get("", headers={"Cookie": f"{OWN_COOKIE}={operators}"})
    assert shown.status_code == 403
    wrong = visitor(running, "portal")
    assert (
        wrong.http.post("sign-in", data={"name": "admin", "password": PASSWORD}).status_code == 401
    )


def test_after_signing_out_nothing_comes_from_a_cache_and_the_session_is_over(
    running: RunningManager, acme: Customer
) -> None:
    assert acme.name
    came = at_portal(running, "acme")
    session = came.http.cookies[OWN_COOKIE]
    answer = came.http.post("sign-out", data={"token": came.token("")})
    assert answer.status_code == 303
    assert answer.headers["clear-site-data"] == '"cache"'
    assert "Max-Age=0" in answer.headers["set-cookie"]
    again = visitor(running, "portal").http.get("", headers={"Cookie": f"{OWN_COOKIE}={session}"})
    assert again.status_code == 303


def test_wrong_passwords_are_slowed_and_the_tenant_sees_who_tried(
    running: RunningManager, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert acme.name
    asked: list[str] = []
    whole = LoginGate.log_on

    async def counted(self: LoginGate, request: Any, account: str, *others: Any) -> Any:
        asked.append(account)
        return await whole(self, request, account, *others)

    monkeypatch.setattr(LoginGate, "log_on", counted)
    answer = visitor(running, "portal").http.post(
        "sign-in", data={"name": "acme\\<b>eve", "password": "wrong"}
    )
    assert answer.status_code == 401
    assert "<b>eve" not in answer.text
    assert "set-cookie" not in answer.headers
    assert asked == [guessed("acme\\<b>eve")], "it goes through the gate that slows guessing"
    page = at_portal(running, "acme").get("logins").text
    assert "<b>eve" not in page
    assert "acme\\&lt;b&gt;eve" in page


def test_a_month_is_a_table_that_agrees_with_the_bill_to_the_byte(
    running: RunningManager, client: httpx2.Client, acme: Customer, host: ScriptedHost
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    usage = tuple(
        Usage(
            minute=now,
            tenant_id=acme.id,
            user_id=user,
            target=TARGET,
            tunnels=1,
            bytes_up=up,
            bytes_down=17,
        )
        for user, up in ((None, 1_000_001), (None, 2_000_002), (acme.user_id("ann"), 3_003))
    )
    batch = UsageBatch(batch="of acme", usage=usage)
    host.client.post("/usage", content=batch.model_dump_json()).raise_for_status()
    answer = at_portal(running, "acme").get(f"usage.csv?month={now:%Y-%m}")
    name = f'attachment; filename="usage-{now:%Y-%m}.csv"'
    assert answer.headers["content-disposition"] == name
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(each["Subtenant"], each["BytesUp"]) for each in rows] == [
        ("", "3000003"),
        ("ann", "3003"),
    ]
    billed = client.get(f"{acme.path}/usage?days=31").json()["CloudTenantUsages"]
    for what in ("Tunnels", "BytesUp", "BytesDown"):
        assert sum(int(each[what]) for each in rows) == sum(each[what] for each in billed)
    (own,) = csv.DictReader(io.StringIO(at_portal(running, "acme\\ann").get("usage.csv").text))
    assert own["BytesUp"] == "3003"
    operator = signed_in(running)
    for path in ("", f"tenants/{acme.id}"):
        page = operator.get(path).text
        assert re.search(r'<rect class="up" x="[\d.]+" y="0.0" width="7.5" height="100.0"/>', page)
        assert "Sent: 2.9 MB" in text_of(page)


def test_when_it_was_held_back_is_a_picture_for_the_provider_and_the_tenant_not_for_its_users(
    running: RunningManager, acme: Customer, host: ScriptedHost
) -> None:
    operator, path = signed_in(running), f"tenants/{acme.id}"
    nothing = "Nothing was held back in the last 31 days."
    assert nothing in text_of(operator.get(path).text)
    assert nothing in text_of(at_portal(running, "acme").get("").text)
    for seconds in (0.0, 12.0):
        of_acme = TenantFigures(
            tenant_id=acme.id,
            tunnels=1,
            refused=0,
            held_back_seconds=seconds,
            held_back_by_share_seconds=seconds / 4,
        )
        figures = Figures(run="1", uptime_seconds=seconds, tenants=(of_acme,))
        host.report(figures=figures).raise_for_status()
    for page in (operator.get(path).text, at_portal(running, "acme").get("").text):
        assert page.count('<rect class="limit"') == 2, "of this hour, and of this day"
        assert page.count('<rect class="share"') == 2
        assert 'role="img" aria-label="Time held back in each hour"' in page
        assert text_of(page).count("By the limit: 9 s By a full gateway: 3 s") == 2
        assert f"{datetime.now(UTC):%Y-%m-%d}" in text_of(page)
    assert "eld back" not in at_portal(running, "acme\\ann").get("").text


def test_a_tenant_gives_its_user_a_new_password_that_is_shown_once(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    came, form = at_portal(running, "acme"), f"users/{acme.user_id('bob')}/password"
    short = came.send(form, password="short")
    assert short.status_code == 400
    assert "at least 12" in text_of(short.text)
    made = re.search(r'id="made"><code>([^<]+)<', came.send(form).text)
    assert made
    assert at_portal(running, "acme\\bob", made[1]).get("").status_code == 200
    finished(client, client.put(acme.path, json={"MayChangePassword": False}).json())
    assert form not in came.get("users").text
    refused = came.send(form, password="a longer password")
    assert refused.status_code == 403
    assert "Ask the provider" in text_of(refused.text)
    finished(client, client.put(acme.path, json={"MayChangePassword": True}).json())


def test_a_tenant_and_its_users_have_so_many_live_pages_together_and_leave_others_theirs(
    running: RunningManager, acme: Customer, other: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert acme.name != other.name
    monkeypatch.setattr(stream, "MOST_TOGETHER", 1)
    with at_portal(running, "acme").http.stream("GET", "events?page=") as held:
        lines = held.iter_lines()
        next(line for line in lines if line.startswith("data: "))
        refused = at_portal(running, "acme\\ann").get("events?page=").text
        assert refused.startswith('event: full\ndata: "Too many pages are open'), (
            "a browser shows it"
        )
        with at_portal(running, "other").http.stream("GET", "events?page=") as others:
            assert others.status_code == 200


@pytest.mark.parametrize("change", [{"Enabled": False}, {"Password": "another password"}], ids=str)
def test_who_may_not_come_any_more_is_signed_out_while_the_page_is_open(
    running: RunningManager, client: httpx2.Client, other: Customer, change: dict[str, Any]
) -> None:
    came = at_portal(running, "other")
    heard: list[str] = []
    is_live = threading.Event()

    def listen() -> None:
        with came.http.stream("GET", "events?page=") as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    heard.append(line.removeprefix("event: "))
                    is_live.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert is_live.wait(20)
    client.put(other.path, json=change).raise_for_status()
    thread.join(20)
    assert not thread.is_alive()
    assert (heard[0], heard[-1]) == ("live", "signed-out")
    assert "sign-in" in came.get("").headers["location"]
    back = {"Enabled": True, "Password": SECRET}
    finished(client, client.put(other.path, json=back).json())


def test_the_way_to_the_portal_is_shut_where_the_provider_wants_it(
    running: RunningManager, client: httpx2.Client, other: Customer
) -> None:
    finished(client, client.put(other.path, json={"MayUsePortal": False}).json())
    answer = visitor(running, "portal").http.post(
        "sign-in", data={"name": "other", "password": SECRET}
    )
    assert answer.status_code == 403
    assert "does not let other use the portal" in text_of(answer.text)
    finished(client, client.put(other.path, json={"MayUsePortal": True}).json())
    assert at_portal(running, "other").get("").status_code == 200


def test_the_portal_is_in_the_providers_name_and_colours_and_the_console_is_not(
    running: RunningManager, acme: Customer
) -> None:
    assert acme.name
    stranger, came = visitor(running, "portal"), at_portal(running, "acme")
    for page in (stranger.get("sign-in"), stranger.get("password"), came.get("")):
        assert BRAND.name not in page.text
        assert BRAND.name in text_of(page.text)
        assert "Cloudgate" not in text_of(page.text)
    for name, kind in (("brand.css", "text/css"), ("logo", "image/svg+xml")):
        found = re.search(rf'(assets/\w+/{re.escape(name)})"', came.get("").text)
        assert found, name
        kept = came.get(found[1])
        assert "immutable" in kept.headers["cache-control"]
        assert kept.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in kept.headers["content-security-policy"]
        assert came.get(f"assets/0/{name}").headers["cache-control"] == "no-store"
        assert visitor(running).get(found[1]).status_code == 404
    console = signed_in(running).get("").text
    assert "Cloudgate" in text_of(console)
    assert "brand.css" not in console


def test_a_manager_without_a_portal_lets_no_tenant_in(
    running: RunningManager, acme: Customer
) -> None:
    came = at_portal(running, "acme")
    session = came.http.cookies[OWN_COOKIE]
    shut = replace(running.manager, portal_is_open=False)
    assert sessions.use(running.manager, session_id_of(session), "127.0.0.1").tenant_id == acme.id
    with pytest.raises(NotAuthenticatedError):
        sessions.use(shut, session_id_of(session), "127.0.0.1")
    with running.manager.reading() as work, pytest.raises(AccessDeniedError, match="no portal"):
        sessions.check_may_come(shut, work, work.session.get_one(CloudTenant, acme.id))
