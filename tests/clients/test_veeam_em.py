"""A published client, unchanged, against the product: veeam-em from PyPI."""

from collections.abc import Iterator
from typing import Any

import pytest
from veeam_em.manager import VeeamEm

from cloudgate.protocol import GatewayState
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import PASSWORD, RunningManager, finished


@pytest.fixture
def client(running: RunningManager, monkeypatch: pytest.MonkeyPatch) -> Iterator[VeeamEm]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))  # it takes no other way
    found = VeeamEm(api_endpoint=running.url)
    found.get_token("admin", PASSWORD)
    yield found
    found.session.close()


def ended(running: RunningManager, task: dict[str, Any]) -> dict[str, Any]:
    """A task that has succeeded."""
    done = finished(running.logged_on(), task)
    assert done["Result"]["Success"], done
    return done


def test_it_logs_on_and_knows_who_it_is(client: VeeamEm) -> None:
    assert client.whoami()["SessionId"] == client.session_data["SessionId"]
    assert [each["Name"] for each in client.get_accounts()] == ["admin"]
    assert len(client.get_roles()) == 7
    assert client.get_hierarchy_roots() == []
    assert client.get_backup_task_sessions() == []


def test_it_makes_lists_edits_and_removes_a_gateway(
    running: RunningManager, client: VeeamEm, host: ScriptedHost
) -> None:
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.request("/cloud/gateways", method="POST", payload=spec)
    host.obey()
    entity = client.request(ended(running, task)["Links"][1]["Href"])
    (listed,) = client.request("/cloud/gateways")["Refs"]
    assert listed["UID"] == entity["UID"]

    path = f"/cloud/gateways/{entity['UID'].rpartition(':')[2]}"
    task = client.request(path, method="PUT", payload={"Description": "edited"})
    host.obey()
    ended(running, task)
    assert client.request(path, params={"format": "Entity"})["Description"] == "edited"

    task = client.request(path, method="DELETE")
    host.obey(GatewayState.ABSENT)
    ended(running, task)
    assert client.request("/cloud/gateways")["Refs"] == []


def test_it_pages_a_query(running: RunningManager, client: VeeamEm) -> None:
    for name in ("A", "B", "C"):
        spec = {"Name": name, "Password": "p"}
        ended(running, client.request("/cloud/tenants", method="POST", payload=spec))
    params = {"type": "CloudTenant", "format": "Entities", "pageSize": 2, "sortAsc": "Name"}
    page, names = client.request("/query", params=params), []
    while True:
        names += [each["Name"] for each in page["Entities"]["CloudTenants"]["CloudTenants"]]
        following = [link for link in page["PagingInfo"]["Links"] if link["Rel"] == "Next"]
        if not following:
            break
        page = client.request(following[0]["Href"])
    assert names == ["A", "B", "C"]
