"""What does the API say of what goes on right now, and can it be ended?"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import httpx2
import pytest

from cloudgate.manager.registries.hosts import host_queries
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.servers.maintenance import MESSAGE
from cloudgate.manager.servers.managed_servers import get_managed_server, touch_assignment
from cloudgate.protocol import LiveTunnel
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

GONE = UUID(int=5)
"""A tenant that is not there any more."""
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def gateway(client: httpx2.Client, host: ScriptedHost) -> str:
    """Path of a gateway that listens."""
    body = {"ServerHostName": "gw1.example", "NetworkType": "Direct"}
    host.poll()
    task = client.post("/cloud/gateways", json=body).json()
    host.obey()
    finished(client, task)
    (found,) = client.get("/cloud/gateways").json()["Refs"]
    return "/cloud/gateways/" + str(found["UID"]).rpartition(":")[2]


def tunnel(name: str, tenant_id: UUID = GONE) -> LiveTunnel:
    return LiveTunnel(
        tunnel=name,
        tenant_id=tenant_id,
        target="vault.example:8443",
        client="198.51.100.7:40000",
        started_at=BEGAN,
        bytes_up=1_000_000,
        bytes_down=20,
    )


@contextmanager
def polling(running: RunningManager, host: ScriptedHost) -> Iterator[None]:
    """The host polls on, and answers what it is asked."""
    thread = threading.Thread(target=host.poll)
    thread.start()
    try:
        yield
    finally:
        with running.manager.changing() as work:
            touch_assignment(work, get_managed_server(work, host.server_id))
        thread.join()


def test_the_live_tunnels_of_a_gateway_are_shown_with_whose_they_are(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost, gateway: str
) -> None:
    task = client.post("/cloud/tenants", json={"Name": "acme"}).json()
    host.obey()
    href = str(finished(client, task)["Links"][1]["Href"])
    tenant_id = UUID(href.partition("?")[0].rpartition("/")[2])
    host.tunnels = (tunnel("a1", tenant_id), tunnel("b2"))
    with polling(running, host):
        shown = client.get(f"{gateway}/tunnels").raise_for_status().json()
    first, second = shown["CloudGatewayTunnels"]
    assert first == {
        "TunnelId": "a1",
        "Tenant": "acme",
        "Subtenant": None,
        "Target": "vault.example:8443",
        "Client": "198.51.100.7:40000",
        "BeginTime": "2026-03-01T12:00:00Z",
        "BytesUp": 1_000_000,
        "BytesDown": 20,
    }
    assert second["Tenant"] == str(GONE)


def test_one_tunnel_is_closed_and_that_is_on_record(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost, gateway: str
) -> None:
    host.tunnels = (tunnel("a1"), tunnel("b2"))
    with polling(running, host):
        assert client.delete(f"{gateway}/tunnels/b2").status_code == 204
        missing = client.delete(f"{gateway}/tunnels/c3")
    assert missing.status_code == 404
    event = running.audited()[-1]
    assert event.operation == "DeleteCloudGatewayTunnel"
    assert event.object_name == "gw1.example"
    assert event.account == "admin"


def test_a_host_that_is_away_or_silent_is_said_to_be(
    running: RunningManager,
    client: httpx2.Client,
    gateway: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host_queries.HostQueries.wait, "__defaults__", (0.1,))
    silent = client.get(f"{gateway}/tunnels")
    assert silent.status_code == 503
    assert "did not say" in silent.json()["Message"]
    running.clock.ahead = 2 * ONLINE_FOR
    offline = running.logged_on().get(f"{gateway}/tunnels")
    assert offline.status_code == 503
    assert "gw1.example is offline" in offline.json()["Message"]


def test_maintenance_begins_is_reworded_and_ends_and_every_gateway_hears_of_it(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    host.poll()
    off = client.get("/cloud/maintenance").json()
    assert not off["Enabled"]

    on = client.put("/cloud/maintenance", json={"Enabled": True}).raise_for_status().json()
    assert on["Message"] == MESSAGE
    assert on["RestoresAllowed"]
    assert told(host) == (MESSAGE, True)

    words = {"Enabled": True, "Message": "New disks until noon.", "RestoresAllowed": False}
    since = client.put("/cloud/maintenance", json=words).raise_for_status().json()["Since"]
    assert since == on["Since"]
    assert told(host) == ("New disks until noon.", False)

    client.put("/cloud/maintenance", json={"Enabled": False}).raise_for_status()
    assert told(host) is None
    operations = [event.operation for event in running.audited()][-3:]
    assert operations == ["BeginMaintenance", "BeginMaintenance", "EndMaintenance"]


def told(host: ScriptedHost) -> tuple[str, bool] | None:
    """What the host hears next of its site's maintenance."""
    site = host.hear_site()
    return (site.maintenance.message, site.maintenance.restores) if site.maintenance else None
