"""Are forms right about lists that are too long to offer all that there is?"""

from typing import Any
from urllib.parse import urlsplit

import httpx2
from lxml import html
from sqlalchemy import select

from cloudgate.console.operator.common import OFFERED, choices
from cloudgate.console.operator.site_map import CONSOLE
from cloudgate.manager.storage.tables import BackupServer, CloudTenant, Repository
from tests.support.running.console import Visitor, operator_of_module
from tests.support.running.gateways import add_gateway
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, manager_of_module

SAID = "The first 500 by name; the others by the command."
LAST = f"{OFFERED:05d}"
Form = dict[str, list[str]]


def add_more_than_offered(running: RunningManager) -> None:
    """One more than are offered of all that forms have to choose from."""
    with running.manager.changing() as work:
        site = work.session.scalars(select(BackupServer.id)).one()
        for number in range(OFFERED + 1):
            name = f"{number:05d}"
            work.session.add_all(
                (
                    CloudTenant(
                        backup_server_id=site,
                        name=f"tenant {name}",
                        login=f"tenant {name}",
                        directory_revision=1,
                    ),
                    Repository(
                        backup_server_id=site,
                        name=f"vault {name}",
                        endpoint=f"v{name}.example:1",
                        kind="Linux",
                        address="",
                    ),
                )
            )
            add_gateway(work, site, f"gateway {name}", f"server {name}")


running = manager_of_module(add_more_than_offered)
operator = operator_of_module()


def uid_of_last(running: RunningManager, kind: str, name: str) -> str:
    answer = running.logged_on().get(f'/query?type={kind}&filter=Name=="{name} {LAST}"')
    return str(answer.json()["Refs"]["Refs"][0]["UID"])


def form_at(operator: Visitor, path: str) -> Any:
    document: Any = html.fromstring(operator.get(path).text)
    (form,) = document.xpath("//main//form")
    return form


def filled_in(form: Any) -> Form:
    """What a browser sends when nothing was changed."""
    found: Form = {}
    for name, value in form.form_values():
        found.setdefault(name, []).append(value)
    return found


def chosen(form: Any, field: str) -> list[str]:
    """What is chosen, as it is shown."""
    return [
        each.text_content().strip()
        for each in form.xpath(f"//select[@name='{field}']/option[@selected]")
    ]


def read_pool(client: httpx2.Client) -> dict[str, Any]:
    answer = client.get("/cloud/gatewayPools?format=Entity").json()
    (pool,) = (each for each in answer["CloudGatewayPools"] if each["Name"] == "apart")
    return dict(pool)


def test_a_pool_keeps_and_names_the_tenants_that_its_form_has_no_room_to_offer(
    running: RunningManager, operator: Visitor, host: ScriptedHost
) -> None:
    client = running.logged_on()
    task = client.post(
        "/cloud/gateways", json={"ServerHostName": host.name, "NetworkType": "Direct"}
    )
    host.obey()
    finished(client, task.json())
    query = f'/query?type=CloudGateway&filter=Name=="{host.name}"'
    gateway = client.get(query).json()["Refs"]["Refs"][0]["UID"]
    uid = uid_of_last(running, "CloudTenant", "tenant")
    spec = {
        "Name": "apart",
        "CloudGateways": {"CloudGatewayUids": [gateway]},
        "CloudTenants": {"CloudTenantUids": [uid]},
    }
    made = client.post("/cloud/gatewayPools", json=spec).json()
    host.obey()
    finished(client, made)
    pool = read_pool(client)
    path = f"pools/{pool['UID'].rpartition(':')[2]}/edit"
    form = form_at(operator, path)
    assert chosen(form, "tenants") == [f"tenant {LAST}"]
    answer = operator.http.post(path, data={**filled_in(form), "description": "another"})
    assert answer.status_code == 303, answer.text
    host.obey()
    finished(client, {"Href": f"/tasks/{answer.headers['location'].rpartition('/')[2]}"})
    pool = read_pool(client)
    assert pool["Description"] == "another"
    assert pool["CloudTenants"]["CloudTenantUids"] == [uid]


def test_a_probe_keeps_and_names_the_server_that_its_form_has_no_room_to_offer(
    running: RunningManager, operator: Visitor
) -> None:
    client = running.logged_on()
    server = uid_of_last(running, "ManagedServer", "server")
    vault = client.get(f'/query?type=Repository&filter=Name=="vault {LAST}"&format=Entities')
    at = vault.json()["Entities"]["Repositories"]["Repositories"][0]["Href"]
    probe = {"Method": "Directory", "ManagedServerUid": server, "Path": "/srv/{tenant}"}
    assert client.put(at, json={"UsageProbe": probe}).status_code == 204
    identifier = urlsplit(at).path.rpartition("/")[2]
    path = f"repositories/{identifier}/probe"
    form = form_at(operator, path)
    assert chosen(form, "server") == [f"server {LAST}"]
    answer = operator.http.post(path, data={**filled_in(form), "path": "/mnt/{tenant}"})
    assert answer.status_code == 303, answer.text
    kept = client.get(at).json()["UsageProbe"]
    assert (kept["ManagedServerUid"], kept["Path"]) == (server, "/mnt/{tenant}")


def test_a_receiver_of_a_tenant_that_no_form_has_room_to_offer_stays_one_of_it(
    running: RunningManager, operator: Visitor
) -> None:
    client = running.logged_on()
    tenant = uid_of_last(running, "CloudTenant", "tenant")
    address = "https://one.example/hook"
    spec = {"Name": "last", "Kind": "Webhook", "Address": address, "CloudTenantUid": tenant}
    made = client.post("/notifications/receivers", json=spec)
    assert made.status_code == 201, made.text
    at = made.headers["Location"]
    path = f"notifications/{urlsplit(at).path.rpartition('/')[2]}/edit"
    form = form_at(operator, path)
    answer = operator.http.post(path, data={**filled_in(form), "address": f"{address}/2"})
    assert answer.status_code == 303, answer.text
    kept = client.get(f"{at}?format=Entity").json()
    assert (kept["CloudTenant"], kept["Address"]) == (f"tenant {LAST}", f"{address}/2")


def test_how_a_tenant_connects_is_said_of_a_repository_that_is_not_among_the_first(
    running: RunningManager, operator: Visitor
) -> None:
    client = running.logged_on()
    quota = {
        "RepositoryUid": uid_of_last(running, "Repository", "vault"),
        "QuotaMb": 1024,
        "Name": "v",
    }
    spec = {"Name": "connects", "Password": "p", "Resources": {"BackupResources": [quota]}}
    answer = client.post("/cloud/tenants", json=spec)
    assert answer.status_code == 202, answer.text
    tenant = client.get('/query?type=CloudTenant&filter=Name=="connects"').json()["Refs"]["Refs"][0]
    shown = operator.get(f"tenants/{tenant['UID'].rpartition(':')[2]}/connect").text
    assert f"v{LAST}.example:1" in shown


def offering() -> set[str]:
    """Forms that offer what there may be many of."""
    loader = choices("CloudTenant").__code__
    return {
        action.path
        for action in CONSOLE.actions
        for field in action.fields
        if getattr(field.choices, "__code__", None) is loader
    }


def test_each_form_says_that_it_offers_the_first_of_many(
    running: RunningManager, operator: Visitor
) -> None:
    client = running.logged_on()
    gateway = uid_of_last(running, "CloudGateway", "gateway")
    spec = {"Name": "shown", "CloudGateways": {"CloudGatewayUids": [gateway]}}
    assert client.post("/cloud/gatewayPools", json=spec).status_code == 202
    (pool,) = client.get('/query?type=CloudGatewayPool&filter=Name=="shown"').json()["Refs"]["Refs"]
    vault = uid_of_last(running, "Repository", "vault").rpartition(":")[2]
    tenant = uid_of_last(running, "CloudTenant", "tenant").rpartition(":")[2]
    ids = {"pools": pool["UID"].rpartition(":")[2], "repositories": vault, "tenants": tenant}
    paths = offering()
    assert len(paths) > 6
    for path in paths:
        shown = operator.get(path.replace("{id}", ids.get(path.partition("/")[0], ""))).text
        form: Any = html.fromstring(shown)
        several = form.xpath(f"//select[count(option) >= {OFFERED}]")
        assert several, path
        for each in several:
            (hint,) = form.xpath(f"//p[@id='{each.get('id')}-hint']")
            assert SAID in hint.text_content(), (path, each.get("name"))
