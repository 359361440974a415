"""From where may a tenant and its users come: said in the API, told to gateways, and on record?"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from lxml import etree

from cloudgate.host.access_log.tunnel_metadata import is_revoked, revocation_epoch_of
from cloudgate.host.state.principal import Principal
from cloudgate.protocol import GatewayState, Guess, Tenant
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

NS = "http://www.veeam.com/ent/v1.0"
NETWORKS = ["192.0.2.0/24", "2001:db8::/48"]
ALLOWED = {"AllowedNetworks": {"Networks": NETWORKS}}
NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def path(client: httpx2.Client) -> str:
    """Of a tenant with a quota and these networks."""
    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    quota = {"Name": "q", "RepositoryUid": vault["UID"], "QuotaMb": 20480}
    spec = {"Name": "acme", "Password": "p", "Resources": {"BackupResources": [quota]}, **ALLOWED}
    task = finished(client, client.post("/cloud/tenants", json=spec).json())
    return str(task["Links"][1]["Href"]).partition("?")[0]


def entity(client: httpx2.Client, path: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{path}?format=Entity").json()
    return found


def put(client: httpx2.Client, path: str, body: dict[str, Any]) -> None:
    answer = client.put(path, json=body)
    assert answer.status_code == 202, answer.text
    finished(client, answer.json())


def user_path(client: httpx2.Client, path: str, **more: Any) -> str:
    resource = entity(client, path)["Resources"]["CloudTenantResources"][0]["Id"]
    spec = {"Name": "u", "Password": "p", "TenantResourceId": resource, "UnlimitedQuota": True}
    finished(client, client.post(f"{path}/subtenants", json={**spec, **more}).json())
    (user,) = client.get(f"{path}/subtenants").json()["CloudSubtenants"]
    return str(user["Href"])


def told(host: ScriptedHost) -> Tenant:
    host.directory_revision = 0
    change = host.poll().directory
    assert change is not None
    return change.tenants[0]


def test_networks_are_shown_sent_back_changed_and_taken_away(
    client: httpx2.Client, path: str
) -> None:
    assert entity(client, path)["AllowedNetworks"] == {"Networks": NETWORKS}
    put(client, path, entity(client, path))
    put(client, path, {"Description": "what is left out stays"})
    assert entity(client, path)["AllowedNetworks"] == {"Networks": NETWORKS}
    put(client, path, {"AllowedNetworks": {"Networks": [" 2001:DB8::7 ", "192.0.2.1"] * 2}})
    changed = {"Networks": ["2001:db8::7/128", "192.0.2.1/32"]}
    assert entity(client, path)["AllowedNetworks"] == changed
    put(client, path, {"AllowedNetworks": {"Networks": []}})
    assert "AllowedNetworks" not in entity(client, path)


def test_in_xml_networks_stand_last_and_an_empty_list_is_anywhere(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    by_xml = running.logged_on("application/xml")
    shown = etree.fromstring(by_xml.get(f"{path}?format=Entity").content)
    last = shown[-1]
    assert last.tag == f"{{{NS}}}AllowedNetworks"
    assert [each.text for each in last] == NETWORKS
    body = f'<CloudTenant xmlns="{NS}"><AllowedNetworks/></CloudTenant>'
    answer = by_xml.put(path, content=body, headers={"Content-Type": "application/xml"})
    assert answer.status_code == 202
    assert "AllowedNetworks" not in entity(client, path)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("acme.example", "a network such as 192.0.2.0/24"),
        ("10.0.0.0/33", "a network such as 192.0.2.0/24"),
        ("10.1.2.3/8", "give 10.0.0.0/8 for the network, or 10.1.2.3 for the one address"),
    ],
)
@pytest.mark.parametrize("of_user", [False, True])
def test_what_is_no_network_is_refused_and_nothing_is_changed(
    client: httpx2.Client, path: str, network: str, reason: str, of_user: bool
) -> None:
    where = user_path(client, path) if of_user else path
    answer = client.put(where, json={"AllowedNetworks": {"Networks": ["10.0.0.0/8", network]}})
    assert answer.status_code == 400
    assert reason in answer.json()["Message"]
    assert entity(client, path)["AllowedNetworks"] == {"Networks": NETWORKS}


def test_more_networks_than_anybody_has_are_refused(client: httpx2.Client, path: str) -> None:
    many = {"AllowedNetworks": {"Networks": [f"10.0.{each}.0/24" for each in range(256)]}}
    put(client, path, many)
    many["AllowedNetworks"]["Networks"].append("10.1.0.0/24")
    assert client.put(path, json=many).status_code == 400


def test_gateways_are_told_the_networks_of_tenants_and_users(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    host = ScriptedHost(running)
    user = user_path(client, path, AllowedNetworks={"Networks": ["192.0.2.7"]})
    known = told(host)
    assert known.networks == tuple(NETWORKS)
    assert known.users[0].networks == ("192.0.2.7/32",)
    put(client, user, {"AllowedNetworks": {"Networks": []}})
    assert "AllowedNetworks" not in client.get(user).json()
    assert told(host).users[0].networks is None
    put(client, path, {"AllowedNetworks": {}})
    assert told(host).networks is None
    host.close()


def test_live_tunnels_end_when_asked_all_of_them_or_those_from_elsewhere(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    host = ScriptedHost(running)
    user = user_path(client, path)
    put(client, f"{path}?endTunnels=outside", ALLOWED)
    known = told(host)
    assert known.outside_end_before is not None
    assert known.tunnels_end_before is None
    put(client, f"{user}?endTunnels=outside", ALLOWED)
    put(client, f"{user}?endTunnels=true", {"Enabled": True})
    (of_user,) = told(host).users
    assert of_user.outside_end_before is not None
    assert of_user.tunnels_end_before is not None
    assert told(host).tunnels_end_before is None, "the tenant's own tunnels go on"
    put(client, f"{path}?endTunnels=true", {"Enabled": True})
    assert told(host).tunnels_end_before is not None
    host.close()
    said = [json.dumps(event.after) for event in running.audited()]
    assert sum('"Tunnels": "ended"' in each for each in said) == 2
    assert sum("as far as they come from elsewhere" in each for each in said) == 2


def test_live_tunnels_end_as_well_after_the_managers_clock_went_back(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    host = ScriptedHost(running)
    user = user_path(client, path)

    def ends(act: Callable[[], object], moment: Callable[[Tenant], datetime | None]) -> bool:
        """Whether that ends a tunnel of the user that was opened just before."""
        known = told(host)
        opened = revocation_epoch_of(Principal(known, known.users[0]).tunnels_ended_at)
        running.clock.stepped -= timedelta(minutes=1)
        act()
        return is_revoked(opened, moment(told(host)))

    assert ends(
        lambda: put(client, f"{user}?endTunnels=outside", ALLOWED),
        lambda known: known.users[0].outside_end_before,
    )
    assert ends(
        lambda: put(client, f"{path}?endTunnels=true", {"Enabled": True}),
        lambda known: known.tunnels_end_before,
    )
    assert ends(
        lambda: put(client, f"{user}?endTunnels=true", {"Enabled": True}),
        lambda known: known.users[0].tunnels_end_before,
    )
    assert ends(
        lambda: put(client, f"{path}?endTunnels=outside", ALLOWED),
        lambda known: known.outside_end_before,
    )
    kept = client.get(f"{path}/resources").json()["CloudTenantResources"]
    before = {each["Href"] for each in kept}
    other = client.post("/repositories", json={"Name": "other", "Endpoint": "o.example:1"}).json()
    quota = {"Name": "r", "RepositoryUid": other["UID"], "QuotaMb": 2048}
    finished(client, client.post(f"{path}/resources", json=quota).json())
    resources = client.get(f"{path}/resources").json()["CloudTenantResources"]
    (added,) = {each["Href"] for each in resources} - before
    assert ends(
        lambda: finished(client, client.delete(f"{added}?endTunnels=true").json()),
        lambda known: known.ended_targets[0].before,
    )
    host.close()
    said = [(event.after or {}).get("Tunnels") for event in running.audited()]
    assert len([each for each in said if each]) == 5


def test_the_audit_log_has_the_lists_of_before_and_after(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    put(client, path, {"AllowedNetworks": {"Networks": ["10.0.0.0/8"]}})
    (event,) = [each for each in running.audited() if each.operation == "EditCloudTenant"]
    assert (event.before or {})["AllowedNetworks"] == NETWORKS
    assert (event.after or {})["AllowedNetworks"] == ["10.0.0.0/8"]


def test_who_came_from_elsewhere_is_in_the_audit_log_once_a_minute_with_a_count(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    host = ScriptedHost(running)
    seen = Guess(
        name="acme",
        address="198.51.100.7",
        count=3,
        first_at=NOW,
        last_at=NOW + timedelta(seconds=40),
    )
    for _ in range(2):  # a report is said again until it was answered
        host.report(GatewayState.ABSENT, outsiders=(seen,)).raise_for_status()
    host.close()
    (event,) = client.get("/audit?filter=Operation==RefuseTenantNetwork").json()["AuditEvents"][
        "AuditEvents"
    ]
    assert (event["Account"], event["Address"], event["Success"]) == ("acme", "198.51.100.7", False)
    assert event["ObjectId"] == path.rpartition("/")[2]
    assert event["Text"] == "acme came to a gateway from outside of its networks"
    assert event["Message"] == (
        "3 tunnels with the right password were refused, because they came from 198.51.100.7 at"
        " the gateway gw1.example."
    )
