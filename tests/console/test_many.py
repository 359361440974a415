"""Is what is chosen in a form kept where a list is too long to offer all that there is?"""

from typing import Any

from lxml import html
from sqlalchemy import select

from cloudgate.manager.storage.tables import BackupServer, CloudTenant
from tests.support.console import signed_in
from tests.support.host import ScriptedHost
from tests.support.manager import RunningManager, finished

OFFERED = 500


def test_a_pool_keeps_the_tenants_that_its_form_has_no_room_to_offer(
    running: RunningManager, host: ScriptedHost
) -> None:
    client, operator = running.logged_on(), signed_in(running)
    task = client.post(
        "/cloud/gateways", json={"ServerHostName": host.name, "NetworkType": "Direct"}
    )
    host.obey()
    finished(client, task.json())
    gateway = client.get("/cloud/gateways").json()["Refs"][0]["UID"]
    with running.manager.changing() as work:
        site = work.session.scalars(select(BackupServer.id)).one()
        work.session.add_all(
            CloudTenant(
                backup_server_id=site,
                name=f"tenant {number:05d}",
                login=f"tenant {number:05d}",
                directory_revision=1,
            )
            for number in range(OFFERED + 1)
        )
    last = client.get(f'/query?type=CloudTenant&filter=Name=="tenant {OFFERED:05d}"').json()
    uid = last["Refs"]["Refs"][0]["UID"]
    spec = {
        "Name": "apart",
        "CloudGateways": {"CloudGatewayUids": [gateway]},
        "CloudTenants": {"CloudTenantUids": [uid]},
    }
    made = client.post("/cloud/gatewayPools", json=spec).json()
    host.obey()
    finished(client, made)
    (pool,) = client.get("/cloud/gatewayPools?format=Entity").json()["CloudGatewayPools"]
    path = f"pools/{pool['UID'].rpartition(':')[2]}/edit"
    document: Any = html.fromstring(operator.get(path).text)
    (form,) = document.xpath("//main//form")
    filled_in: dict[str, list[str]] = {}
    for name, value in form.form_values():
        filled_in.setdefault(name, []).append(value)
    answer = operator.http.post(path, data={**filled_in, "description": "another"})
    assert answer.status_code == 303, answer.text
    host.obey()
    finished(client, {"Href": f"/tasks/{answer.headers['location'].rpartition('/')[2]}"})
    (pool,) = client.get("/cloud/gatewayPools?format=Entity").json()["CloudGatewayPools"]
    assert pool["Description"] == "another"
    assert pool["CloudTenants"]["CloudTenantUids"] == [uid]
