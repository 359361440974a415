"""Is each role shown what it may do, and nothing else? Over all pages, forms and roles."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from lxml import html

from cloudgate.api.access import may_call
from cloudgate.api.http.router import choose
from cloudgate.api.table import router
from cloudgate.console.declarations import Action, Page
from cloudgate.console.operator.site_map import CONSOLE
from cloudgate.manager.sessions.roles import OF_ACCOUNTS, Role
from tests.support.certificates.client_certificates import new_key, request_pem
from tests.support.running.console import Visitor, signed_in, text_of
from tests.support.running.customers import Customer, add_vault, listening_host
from tests.support.running.manager import PASSWORD, RunningManager, finished, manager_of_module

ROLES = sorted(OF_ACCOUNTS, key=lambda each: each.name)
each_role = pytest.mark.parametrize("role", ROLES, ids=lambda each: each.name)
AT = "/console/"
NOBODY = "29e5d158-1f58-44bc-bbaa-2752d787a91d"


def may(action: Action, role: Role) -> bool:
    """By the table of routes that the API goes by."""
    path, _, query = action.target.partition("?")
    found = router().match(path)
    assert found is not None
    named = re.search(r"action=(\w+)", query)
    route = choose(found.routes[action.verb], named[1] if named else None)
    return may_call(route, {role}, for_tenant=False)


running = manager_of_module()


@pytest.fixture(scope="module")
def known(running: RunningManager) -> Iterator[dict[str, str]]:
    """Something of each kind that pages are of: its id, by the first part of the path."""
    client = running.logged_on()
    with listening_host(running, client):
        acme = Customer(client, "acme", add_vault(client))
        spec = {"CertificateRequest": request_pem(new_key())}
        client.post(f"{acme.path}/certificates", json=spec).raise_for_status()
        own = signed_in(running)
        own.send("certificates/import", pem=running.manager.authority.certificate_pem)
        ids = {"tenants": str(acme.id), "tasks": first_task(client)}
        for name, kind in (
            ("gateways", "CloudGateway"),
            ("servers", "ManagedServer"),
            ("repositories", "Repository"),
        ):
            (found,) = client.get(f"/query?type={kind}").json()["Refs"]["Refs"]
            ids[name] = found["UID"].rpartition(":")[2]
        pool = {
            "Name": "apart",
            "CloudGateways": {"CloudGatewayUids": [f"urn:veeam:CloudGateway:{ids['gateways']}"]},
        }
        finished(client, client.post("/cloud/gatewayPools", json=pool).json())
        (found,) = client.get("/query?type=CloudGatewayPool").json()["Refs"]["Refs"]
        ids["pools"] = found["UID"].rpartition(":")[2]
        for role in ROLES:
            account = {
                "AccountType": "User",
                "AccountName": role.name,
                "Password": PASSWORD,
                "Roles": {
                    "EnterpriseRoles": [
                        {"EnterpriseRoleUid": f"urn:veeam:EnterpriseRole:{role.id}"}
                    ]
                },
            }
            client.post("/security/accounts", json=account).raise_for_status()
        yield ids


def first_task(client: httpx2.Client) -> str:
    return str(client.get("/tasks").json()["Tasks"][0]["TaskId"])


def at(shown: Page | Action, known: dict[str, str]) -> str:
    path = shown.path.replace("{id}", known.get(shown.path.partition("/")[0], NOBODY))
    return re.sub(r"\{\w+\}", NOBODY, path)


def document(answer: httpx2.Response) -> Any:
    return html.fromstring(answer.text)


def led_to(came: Visitor, path: str) -> set[str] | None:
    """The pages and forms that a page leads to, as declared; None where it is not shown."""
    answer = came.get(path)
    if answer.status_code != 200 or "html" not in answer.headers["content-type"]:
        return None
    below = (urljoin(AT + path, each) for each in document(answer).xpath("//a/@href"))
    own = (each.removeprefix(AT).partition("?")[0] for each in below if each.startswith(AT))
    matches = (CONSOLE.match(each.partition("#")[0]) for each in own)
    return {match[0].path for match in matches if match}


@each_role
def test_each_page_leads_a_role_to_all_forms_that_it_may_send_and_to_no_others(
    running: RunningManager, known: dict[str, str], role: Role
) -> None:
    whole, came = signed_in(running), signed_in(running, role.name)
    forms = {each.path: each for each in CONSOLE.actions}
    seen: set[str] = set()
    for page in CONSOLE.pages:
        path = at(page, known)
        shown, all_of_it = led_to(came, path), led_to(whole, path)
        if shown is None or all_of_it is None:
            continue
        seen |= shown
        # What is offered differs by what is there; by the role it differs by the rule alone.
        expected = {each for each in all_of_it & forms.keys() if may(forms[each], role)}
        assert shown & forms.keys() == expected, path
    if role is Role.PORTAL_ADMINISTRATOR:
        assert len(seen & forms.keys()) > len(forms) / 2


@each_role
def test_the_menu_has_what_is_shown_to_a_role_and_nothing_else(
    running: RunningManager, known: dict[str, str], role: Role
) -> None:
    del known  # they only have to be there
    came = signed_in(running, role.name)
    page = document(came.get("password"))
    shown = set(page.xpath("//nav[@id='menu']/ul//a/@href"))
    entries = [path for _group, group in CONSOLE.navigation for path, _title in group]
    for path in entries:
        status = came.get(path).status_code
        assert status == (200 if f"./{path}" in shown else 403), path
    headings = page.xpath("//nav[@id='menu']/h2")
    assert all(each.getnext().xpath(".//a") for each in headings), "no heading of nothing"


@each_role
def test_no_form_is_shown_that_could_not_be_sent(
    running: RunningManager, known: dict[str, str], role: Role
) -> None:
    came = signed_in(running, role.name)
    for action in CONSOLE.actions:
        answer = came.get(at(action, known))
        assert (answer.status_code == 403) is not may(action, role), action.path
        if not may(action, role):
            assert not document(answer).xpath("//main//form"), action.path
            assert "Access denied" in text_of(answer.text)


def test_who_has_yet_to_set_up_a_second_factor_is_shown_that_alone_and_told_why(
    running: RunningManager, known: dict[str, str]
) -> None:
    del known  # they only have to be there
    role = Role.EXCHANGE_RESTORE_OPERATOR
    came, client = signed_in(running, role.name), running.logged_on()
    rule = {"EnterpriseRoleUid": f"urn:veeam:EnterpriseRole:{role.id}", "Required": True}
    client.put("/security/factorRules", json=rule).raise_for_status()
    refused = came.get("tokens/create")
    assert refused.status_code == 403
    assert "at My second factor" in text_of(refused.text)
    assert led_to(came, "factor") == {"", "factor", "factor/begin", "passkeys", "password"}
    assert came.get("factor/begin").status_code == 200
    client.put("/security/factorRules", json={**rule, "Required": False}).raise_for_status()
