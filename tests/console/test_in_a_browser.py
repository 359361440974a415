"""Can people use the console? In Debian's Chromium, on the whole product with real tunnels."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from cloudgate.console.declarations import Action, Page
from cloudgate.console.operator.site_map import CONSOLE
from cloudgate.console.tenant.site_map import PORTAL
from tests.support.certificates.client_certificates import new_key, request_pem
from tests.support.ports import free_port
from tests.support.programs.browser import (
    NARROW,
    WIDE,
    Person,
    chromium,
    has_broken_buttons,
    is_too_wide,
    needs_chromium,
)
from tests.support.running.product import PASSWORD, Client, Installation, installation
from tests.support.running.tunnel import open_tunnel, repository

pytestmark = [pytest.mark.end_to_end, needs_chromium]
FOUND_WRONG = {"resultTypes": ["violations"]}
"""To tell of each node that is as it should be took a fifth of the browser's time."""
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]} | FOUND_WRONG
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="26" height="26" viewBox="0 0 1 1">'
    '<rect width="1" height="1" fill="#7a1fa2"/></svg>'
)
COLOUR = "#7a1fa2"
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}} | FOUND_WRONG


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """With a portal in the provider's name and colours."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "logo.svg").write_text(LOGO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDGATE_PORTAL_NAME", "Blue Harbour")
        patch.setenv("CLOUDGATE_PORTAL_LOGO", str(folder / "logo.svg"))
        patch.setenv("CLOUDGATE_PORTAL_COLOR", COLOUR)
        patch.setenv("CLOUDGATE_PORTAL_DARK_COLOR", "#d7a8f0")
        with installation(folder / "data") as running:
            yield running


@pytest.fixture(scope="module")
def operator(browser: Any, installed: Installation) -> Iterator[Person]:
    came = Person(browser, installed.product.url)
    yield came
    assert came.complaints == []
    came.context.close()


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    with repository() as address:
        yield address


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def password(operator: Person, port: int, storage: str) -> str:
    """Of the tenant that is there after the first steps, done by clicks alone."""
    operator.sees("h2", "What to do first")
    operator.clicks("New gateway")
    operator.page.fill("#port", str(port))
    operator.clicks("Make it a gateway")
    operator.sees("#live .state", "Success")
    operator.goes("")
    operator.clicks("New repository")
    operator.page.fill("#name", "vault")
    operator.page.fill("#endpoint", "vault.example:8443")
    operator.page.fill("#address", storage)
    operator.clicks("Add it")
    operator.goes("")
    operator.clicks("New tenant")
    operator.page.fill("#name", "acme")
    operator.page.select_option("#repository", label="vault")
    operator.clicks("Add it")
    made = operator.page.inner_text("#made code")
    operator.clicks("See how it goes")
    operator.sees("#live .state", "Success")
    operator.goes("")
    assert operator.page.locator("h2", has_text="What to do first").count() == 0
    return str(made)


def test_the_first_tenant_comes_in_by_what_was_clicked_and_is_seen_and_closed(
    operator: Person, password: str, port: int, installed: Installation
) -> None:
    operator.goes("tenants")
    operator.clicks("acme")
    operator.wait_until_live()
    assert operator.page.inner_text("#count") == "0"
    tunnel = open_tunnel(port, installed.product.ca_file, "vault.example:8443", f"acme:{password}")
    assert tunnel.status == 200
    operator.sees("#count", "^1$")
    operator.goes("")
    operator.sees("#tunnels", "^1$")
    operator.page.go_back()
    operator.clicks("Close tunnel " + operator.page.inner_text("td.mono"))
    operator.clicks("Close the tunnel")
    assert tunnel.is_cut(20)
    tunnel.close()
    operator.goes("")
    operator.wait_until_live()
    operator.sees("#tunnels", "^0$")


def tenant_called(name: str, client: Client) -> dict[str, Any]:
    found = client.http.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
    return dict(next(each for each in found if each["Name"] == name))


@pytest.fixture(scope="module")
def tenant(browser: Any, installed: Installation, password: str) -> Iterator[Person]:
    """The first tenant, at the portal; it has a user."""
    with installed.product.client() as client:
        acme = tenant_called("acme", client)
        path = f"/cloud/tenants/{acme['UID']}"
        client.done(client.http.put(path, json={"MayChangePassword": True}))
        user = {
            "Name": "ann",
            "Password": password,
            "Enabled": True,
            "TenantResourceId": acme["Resources"]["CloudTenantResources"][0]["Id"],
            "UnlimitedQuota": True,
        }
        client.done(client.http.post(f"{path}/subtenants", json=user))
    came = Person(browser, installed.product.url, "acme", password, "portal")
    yield came
    assert came.complaints == []
    came.context.close()


def test_a_tenant_sees_its_tunnels_come_and_go_and_none_of_others(
    tenant: Person, password: str, port: int, installed: Installation
) -> None:
    tenant.goes("")
    tenant.wait_until_live()
    assert tenant.page.inner_text("#count") == "0"
    ca, target = installed.product.ca_file, "vault.example:8443"
    tunnel = open_tunnel(port, ca, target, f"acme\\ann:{password}")
    assert tunnel.status == 200, tunnel.reason
    tenant.sees("#count", "^1$")
    tenant.sees("td[data-label=User]", "^ann$")
    tenant.sees("td[data-label=From]", "^127.0.0.1:")
    assert tenant.page.locator("td[data-label=Since] time").count() == 1
    tunnel.close()
    tenant.sees("#count", "^0$")
    assert tenant.page.inner_text(".side a.brand") == "Blue Harbour"
    logo = tenant.page.locator(".side a.brand img")
    assert logo.evaluate("(img) => img.complete && img.naturalWidth") == 26
    main = tenant.page.locator("a.button.main")
    assert main.evaluate("(one) => getComputedStyle(one).backgroundColor") == "rgb(122, 31, 162)"
    tenant.clicks("How to connect")
    tenant.sees("pre", f"https://acme:PASSWORD@.*:{port}")


def test_what_is_pressed_stays_where_it_is_until_it_is_let_go(
    operator: Person, password: str, port: int, installed: Installation
) -> None:
    operator.goes("gateways")
    operator.wait_until_live()
    link = operator.page.locator("#live a[href]").first
    address = link.evaluate("(link) => link.href")
    link.hover()
    operator.page.mouse.down()
    ca, target = installed.product.ca_file, "vault.example:8443"
    tunnel = open_tunnel(port, ca, target, f"acme:{password}")
    operator.page.wait_for_selector("#live[data-state=held]", state="attached")
    operator.page.mouse.up()
    operator.page.wait_for_url(address)
    tunnel.close()


CLICKS = """() => {
  const button = document.querySelector("main form button.main"), refused = [];
  addEventListener("submit", (event) => {
    refused.push(event.defaultPrevented);
    event.preventDefault();
  });
  button.click();
  button.click();
  const said = document.getElementById("news").textContent;
  dispatchEvent(new PageTransitionEvent("pageshow"));
  button.click();
  return [refused, said];
}"""
"""What a page does with three clicks, before the last of which somebody has gone and come back."""


def test_a_form_whose_button_is_clicked_again_is_sent_once_and_the_old_password_stays_good(
    operator: Person, password: str, port: int, installed: Installation
) -> None:
    with installed.product.client() as client:
        (vault,) = client.http.get("/repositories?format=Entity").json()["Repositories"]
        client.add_tenant("twice", password, vault["UID"])
    operator.goes("tenants")
    operator.clicks("twice")
    operator.clicks("New password")
    refused, said = operator.page.evaluate(CLICKS)
    assert refused == [False, True, False]
    assert "sent already" in said
    operator.page.reload()
    operator.page.dblclick("main form button.main", no_wait_after=True)
    assert operator.page.inner_text("#made code") != password
    ca, target = installed.product.ca_file, "vault.example:8443"
    tunnel = open_tunnel(port, ca, target, f"twice:{password}")
    assert tunnel.status == 200, tunnel.reason
    tunnel.close()


def test_what_is_opened_focused_or_selected_stays_so_while_news_come(
    operator: Person, password: str, port: int, installed: Installation
) -> None:
    with installed.product.client() as client:
        acme = tenant_called("acme", client)
        spec = {"CertificateRequest": request_pem(new_key())}
        issued = client.http.post(f"/cloud/tenants/{acme['UID']}/certificates", json=spec)
        issued.raise_for_status()
    operator.goes("tenants")
    operator.clicks("acme")
    operator.wait_until_live()
    page = operator.page
    page.click("summary[id^=summary-]")
    is_open = "document.activeElement.matches('summary') && document.activeElement.parentNode.open"
    assert page.evaluate(is_open)
    ca, target = installed.product.ca_file, "vault.example:8443"
    tunnel = open_tunnel(port, ca, target, f"acme:{password}")
    operator.sees("#count", "^1$")
    assert page.evaluate(is_open)
    page.evaluate("getSelection().selectAllChildren(document.querySelector('details pre'))")
    tunnel.close()
    page.wait_for_selector("#live[data-state=held]", state="attached")
    assert "BEGIN CERTIFICATE" in page.evaluate("getSelection().toString()")
    page.evaluate("getSelection().removeAllRanges()")
    operator.sees("#count", "^0$")
    assert page.evaluate(is_open)


def test_a_live_list_goes_on_with_what_was_searched_for(operator: Person, password: str) -> None:
    del password
    operator.goes("gateways?page=2")
    page = operator.page
    operator.wait_until_live()
    with page.expect_request(re.compile(r"events\?page=gateways%3Fsearch%3Dzz$")):
        page.locator("#search").press_sequentially("zz")
    operator.wait_until_live()
    assert "No name begins so" in page.inner_text("#list")
    name = page.evaluate("(async () => (await (await fetch('gateways')).text()))()")
    (first,) = re.findall(r'class="thing"[^>]*><bdi>(..)', name)
    page.fill("#search", first)
    operator.sees("#list a.thing", f"^{first}")


def test_what_is_typed_last_is_searched_for_also_while_an_answer_is_on_its_way(
    operator: Person, password: str
) -> None:
    del password
    operator.goes("tenants")
    page = operator.page
    page.route("**/tenants?search=zz", lambda _route: None)  # it is never answered
    with page.expect_request("**/tenants?search=zz"):
        page.fill("#search", "zz")
    page.fill("#search", "zzz")
    operator.sees("#list", "No name begins so")
    page.unroute("**/tenants?search=zz")


def test_who_is_signed_out_and_searches_is_led_to_signing_in_and_back(
    operator: Person, password: str
) -> None:
    del password
    operator.goes("tenants")
    operator.context.clear_cookies()
    operator.page.fill("#search", "ac")
    operator.page.wait_for_url("**/sign-in?next=*")
    operator.signs_in("admin", PASSWORD)
    operator.sees("#list a.thing", "acme")
    assert operator.page.input_value("#search") == "ac"


def test_an_open_page_says_so_while_the_api_is_away_and_not_any_more_once_it_is_back(
    operator: Person, password: str
) -> None:
    del password
    page = operator.page
    body = 'retry: 50\n\nevent: waiting\ndata: ""\n\n'
    page.route(
        "**/events?*", lambda route: route.fulfill(content_type="text/event-stream", body=body)
    )
    operator.goes("gateways")
    operator.sees("#news", "does not answer")
    assert page.locator("#list a.thing").count() == 1
    page.unroute("**/events?*")
    operator.wait_until_live()
    page.wait_for_selector("#news", state="detached")


def test_an_open_page_waits_for_a_manager_that_starts_anew(
    operator: Person, password: str, installed: Installation
) -> None:
    del password
    operator.goes("gateways")
    operator.wait_until_live()
    installed.product.kill()
    operator.page.wait_for_selector("#live[data-state=waiting]", state="attached")
    operator.sees("#news", "does not answer")
    installed.start_again()
    operator.wait_until_live()
    operator.page.wait_for_selector("#news", state="detached")


def visited_by_tenant(tenant: Person) -> Iterator[str]:
    """Each page of the portal, and its form."""
    tenant.goes("users")
    form = tenant.page.locator("td.acts a").first.get_attribute("href")
    yield str(form).removeprefix("./")
    yield from (each.path for each in PORTAL.pages if not each.path.endswith((".csv", ".pem")))
    yield "password"


def visited(operator: Person) -> Iterator[str]:
    """Each page, of things that are there; of forms, those with another kind of field."""
    ids: dict[str, str] = {}
    for each in ("gateways", "servers", "tenants", "repositories", "tasks"):
        operator.goes(each)
        href = operator.page.locator("a.thing").first.get_attribute("href")
        ids[each] = str(href).rpartition("/")[2]
    kinds: set[object] = set()
    everything: list[Page | Action] = [*CONSOLE.pages, *CONSOLE.actions]
    for shown in everything:
        path = shown.path.replace("{id}", ids.get(shown.path.partition("/")[0], ""))
        if isinstance(shown, Action):
            new = {each.kind for each in shown.fields} - kinds
            kinds |= new
            if not new:
                continue
        if "{" not in path and not path.endswith(("/", ".csv", ".json")):
            yield path
    yield from ("../api/docs", "../api/docs?search=tenant")


@pytest.mark.parametrize("whose", ["operator", "tenant"])
def test_each_page_is_for_everyone_in_both_themes_and_on_a_telephone(
    operator: Person, tenant: Person, whose: str
) -> None:
    person, paths = operator, visited(operator)
    if whose == "tenant":
        person, paths = tenant, visited_by_tenant(tenant)
    axe, page = Axe(), person.page
    wrong: dict[str, Any] = {}
    for path in paths:
        person.goes(path)
        page.emulate_media(color_scheme="light")
        found = axe.run(page, options=RULES).response["violations"]
        page.emulate_media(color_scheme="dark")
        found += page.evaluate("(rules) => axe.run(document, rules)", CONTRAST)["violations"]
        page.set_viewport_size(NARROW)
        if is_too_wide(page):
            found.append("wider than a telephone")
        page.set_viewport_size(WIDE)
        if found:
            wrong[path] = [
                (each["id"], [node["html"][:150] for node in each["nodes"][:3]])
                if isinstance(each, dict)
                else each
                for each in found
            ]
    assert wrong == {}


LONG = (
    "", "sign-in", "tenants", "tenants/{id}", "tenants/{id}/edit", "tenants/{id}/connect",
    "accounts", "audit", "factor", "passkeys", "repositories/create", "tokens", "maintenance",
    "notifications/create", "sites",
)  # fmt: skip
"""Pages on which German needs more room."""


def test_in_german_pages_are_for_everyone_and_on_a_telephone(
    browser: Any, installed: Installation, password: str
) -> None:
    del password
    person, axe, wrong = Person(browser, installed.product.url, locale="de-DE"), Axe(), {}
    page = person.page
    person.goes("tenants")
    tenant = str(page.locator("a.thing").first.get_attribute("href")).rpartition("/")[2]
    person.goes("tasks")
    for path in LONG:
        person.goes(path.replace("{id}", tenant))
        assert page.evaluate("document.documentElement.lang") == "de"
        if path in ("", "sign-in", "tenants/{id}/edit"):
            wrong[path] = axe.run(page, options=RULES).response["violations"]
        page.set_viewport_size(NARROW)
        wrong[path] = [*wrong.get(path, ()), *(["too wide"] if is_too_wide(page) else [])]
        wrong[path] += ["broken buttons"] if has_broken_buttons(page) else []
        page.set_viewport_size(WIDE)
    assert {path: found for path, found in wrong.items() if found} == {}
    person.goes("servers")
    assert re.match(r"\d{2}\.\d{2}\.20\d{2}, \d{2}:\d{2}$", page.inner_text("td time"))
    person.goes("settings")
    assert "Blue Harbour" in page.inner_text("tr:has-text('portal_name')")
    person.goes("servers")
    page.get_by_role("button", name="English").click()
    person.sees("h1", "^Servers$")
    assert person.complaints == []
    person.context.close()


def test_the_keyboard_alone_leads_to_the_content_and_through_a_form(operator: Person) -> None:
    operator.goes("repositories/create")
    page = operator.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "name"
    page.keyboard.type("typed")
    page.keyboard.press("Tab")
    page.keyboard.type("typed.example:8443")
    page.keyboard.press("Enter")
    operator.sees("a.thing", "typed")


def test_the_list_is_searched_while_one_types(operator: Person, password: str) -> None:
    del password
    operator.goes("tenants")
    operator.page.locator("#search").press_sequentially("zz")
    operator.sees("#list", "No name begins so")
    operator.page.fill("#search", "AC")
    operator.sees("#list a.thing", "acme")


def test_all_of_it_works_without_scripts(
    browser: Any, installed: Installation, password: str
) -> None:
    del password
    plain = Person(browser, installed.product.url, java_script_enabled=False)
    plain.goes("tenants")
    plain.page.fill("#search", "ac")
    plain.clicks("Search")
    plain.clicks("acme")
    plain.clicks("Change")
    plain.page.fill("#description", "by hand")
    plain.page.locator("main form button.main").click()
    plain.goes("tenants")
    assert "by hand" in plain.page.inner_text("#list")
    plain.page.set_viewport_size(NARROW)
    plain.page.locator(".open-menu").click()
    plain.page.locator("#menu a:text-is('Usage')").click()
    assert plain.page.url.endswith("/usage")
    plain.page.locator(".open-menu").click()
    plain.page.locator("#menu button:text-is('Sign out')").click()
    assert plain.page.url.endswith("/sign-in?out")
    plain.context.close()


def test_the_portal_works_without_scripts(
    browser: Any, installed: Installation, tenant: Person, password: str
) -> None:
    del tenant
    plain = Person(
        browser, installed.product.url, "acme", password, "portal", java_script_enabled=False
    )
    assert plain.page.inner_text("h1") == "acme"
    plain.goes("users")
    plain.clicks("New password ann")
    plain.page.fill("#password", "chosen for ann by hand")
    plain.clicks("Change it")
    plain.sees("h1", "Users")
    plain.page.locator(".side .me button:text-is('Sign out')").last.click()
    plain.page.fill("#name", "acme\\ann")
    plain.page.fill("#password", "chosen for ann by hand")
    plain.page.click("button.main")
    assert plain.page.inner_text("h1") == "acme\\ann"
    plain.context.close()
