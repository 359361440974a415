"""Does a form say which thing it is about, where there are several of its kind?"""

import re
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from lxml import html

from cloudgate.console.declarations import Action
from cloudgate.console.operator.site_map import CONSOLE
from cloudgate.console.tenant.site_map import PORTAL
from cloudgate.protocol import LiveTunnel
from tests.support.certificates.client_certificates import new_key, request_pem
from tests.support.running.console import Visitor, operator_of_module, signed_in
from tests.support.running.customers import SECRET, TARGET, Customer, add_vault, host_of_module
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, client_of_module, manager_of_module

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ARROW = "\N{RIGHTWARDS ARROW}"


@pytest.mark.parametrize("action", [*CONSOLE.actions, *PORTAL.actions], ids=lambda each: each.path)
def test_each_form_shows_the_very_thing_that_it_is_about(action: Action) -> None:
    variables = set(re.findall(r"\{\w+\}", action.path))
    chooses = action.pick is not Action.__dataclass_fields__["pick"].default
    assert variables <= set(re.findall(r"\{\w+\}", action.subject)) or chooses


running = manager_of_module()
client = client_of_module()
host = host_of_module()


@pytest.fixture(scope="module")
def acme(client: httpx2.Client, host: ScriptedHost) -> Customer:
    del host  # it only has to be there
    return Customer(client, "acme", add_vault(client), quota_name="the <b>second")


operator = operator_of_module()


def heading(came: Visitor, path: str) -> str:
    page: Any = html.fromstring(came.get(path).text)
    (found,) = page.xpath("//h1")
    return str(found.text_content())


def test_a_quota_that_is_taken_away_is_named(
    client: httpx2.Client, operator: Visitor, acme: Customer
) -> None:
    (quota,) = client.get(f"{acme.path}/resources").json()["CloudTenantResources"]
    path = f"tenants/{acme.id}/quotas/{quota['Id']}/delete"
    assert heading(operator, path) == "Take quota away: the <b>second"


def test_a_tunnel_that_is_closed_is_named_by_whose_it_is_from_where_and_where_to(
    client: httpx2.Client, operator: Visitor, acme: Customer, host: ScriptedHost
) -> None:
    host.tunnels = tuple(
        LiveTunnel(
            tunnel=f"{number}",
            tenant_id=acme.id,
            user_id=acme.user_id("ann") if number else None,
            target=TARGET,
            client=f"198.51.100.{number}:40000",
            started_at=BEGAN,
            bytes_up=1,
            bytes_down=1,
        )
        for number in range(2)
    )
    (gateway,) = client.get("/query?type=CloudGateway").json()["Refs"]["Refs"]
    at = f"gateways/{gateway['UID'].rpartition(':')[2]}/tunnels"
    found = [heading(operator, f"{at}/{number}/close") for number in range(2)]
    assert found == [
        f"Close tunnel: acme, 198.51.100.0:40000 {ARROW} {TARGET}",
        f"Close tunnel: acme\\ann, 198.51.100.1:40000 {ARROW} {TARGET}",
    ]
    gone = operator.get(f"{at}/7/close")
    assert (gone.status_code, "This tunnel has ended." in gone.text) == (404, True)
    assert operator.send(f"{at}/1/close").status_code == 303


def test_a_certificate_that_is_revoked_is_named_by_its_end_too(
    running: RunningManager, client: httpx2.Client, operator: Visitor, acme: Customer
) -> None:
    spec = {"CertificateRequest": request_pem(new_key())}
    made = client.post(f"{acme.path}/certificates", json=spec).raise_for_status().json()
    end = f"{made['ExpirationTime'][:16].replace('T', ' ')} UTC"
    below = f"certificates/{made['Id']}/revoke"
    said = f"Revoke certificate: acme, good until {end}"
    assert heading(operator, f"tenants/{acme.id}/{below}") == said
    assert heading(signed_in(running, "acme", SECRET, "portal"), below) == said
