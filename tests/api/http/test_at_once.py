"""Two who make the same thing at the same moment: one makes it, and the other is refused."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx2
import pytest

from cloudgate.manager.sessions.roles import Role
from tests.api.handlers.accounts import account_spec
from tests.support.running.manager import RunningManager, finished

pytestmark = pytest.mark.both_databases
AT_ONCE = 4


@pytest.fixture
def vault(running: RunningManager) -> str:
    spec = {"Name": "vault", "Endpoint": "vault.example:8443"}
    return str(running.logged_on().post("/repositories", json=spec).json()["UID"])


@pytest.fixture
def acme(running: RunningManager, vault: str) -> dict[str, Any]:
    """A tenant with a quota."""
    client = running.logged_on()
    quota = {"Name": "q", "RepositoryUid": vault, "QuotaMb": 4096}
    spec = {"Name": "acme", "Password": "x" * 12, "Resources": {"BackupResources": [quota]}}
    task = finished(client, client.post("/cloud/tenants", json=spec).json())
    entity: dict[str, Any] = client.get(task["Links"][1]["Href"]).json()
    return entity


def made_at_once(clients: list[httpx2.Client], path: str, spec: dict[str, Any]) -> list[int]:
    """What each of several who ask the same at one moment is answered; the tasks have ended."""
    ready = Barrier(AT_ONCE)

    def make(client: httpx2.Client) -> int:
        ready.wait(30)
        answer = client.post(path, json=spec)
        if answer.status_code == 202:
            assert finished(client, answer.json())["Result"]["Success"] is True
        return answer.status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sorted(pool.map(make, clients))


def test_one_of_several_makes_each_thing_that_has_a_name(
    running: RunningManager, acme: dict[str, Any]
) -> None:
    (quota,) = acme["Resources"]["CloudTenantResources"]
    specs: dict[str, dict[str, Any]] = {
        "/managedServers": {"Name": "gw9.example"},
        "/repositories": {"Name": "second", "Endpoint": "second.example:8443"},
        "/cloud/tenants": {"Name": "beta", "Password": "x" * 12},
        f"/cloud/tenants/{acme['UID']}/subtenants": {
            "Name": "bob",
            "Password": "x" * 12,
            "TenantResourceId": quota["Id"],
            "QuotaMb": 2048,
            "UnlimitedQuota": False,
        },
        "/security/accounts": account_spec("carol", Role.PORTAL_USER),
        "/backupServers?action=create": {"DnsNameOrIpAddress": "more.example"},
    }
    clients = [running.logged_on() for _ in range(AT_ONCE)]
    found = {path: made_at_once(clients, path, spec) for path, spec in specs.items()}
    for path, (first, *others) in found.items():
        assert first in (201, 202), path
        assert set(others) == {400}, path
