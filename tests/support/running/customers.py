"""Customers: a tenant with a quota and two users, as an operator makes it by the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx2
import pytest

from tests.support.running.host import ScriptedHost, obedient
from tests.support.running.manager import RunningManager, finished

SECRET = "a long password"
TARGET = "vault.example:8443"


def add_vault(client: httpx2.Client) -> str:
    """A repository; its UID."""
    spec = {"Name": "vault", "Endpoint": TARGET}
    return str(client.post("/repositories", json=spec).json()["UID"])


@contextmanager
def listening_host(running: RunningManager, client: httpx2.Client) -> Iterator[ScriptedHost]:
    """The host of a gateway that listens."""
    joined = ScriptedHost(running)
    with obedient(joined):
        body = {"ServerHostName": "gw1.example", "NetworkType": "Direct", "ExternalPort": 6180}
        finished(client, client.post("/cloud/gateways", json=body).json())
        yield joined


def host_of_module() -> object:
    """A fixture: the host of a gateway that listens, of the module's `running`."""

    @pytest.fixture(scope="module")
    def host(running: RunningManager, client: httpx2.Client) -> Iterator[ScriptedHost]:
        with listening_host(running, client) as joined:
            yield joined

    return host


class Customer:
    """A tenant with two users, all of the same password."""

    def __init__(
        self,
        client: httpx2.Client,
        name: str,
        vault: str,
        users: tuple[str, ...] = ("ann", "bob"),
        quota_name: str = "vault",
    ) -> None:
        """`client` is logged on as an operator; `vault` is the UID of the repository."""
        quota = {"Name": quota_name, "RepositoryUid": vault, "QuotaMb": 10240}
        spec = {"Name": name, "Password": SECRET, "Resources": {"BackupResources": [quota]}}
        task = finished(client, client.post("/cloud/tenants", json=spec).json())
        self.name = name
        self.path = str(task["Links"][1]["Href"]).partition("?")[0]
        self.id = UUID(self.path.rpartition("/")[2])
        (resource,) = client.get(f"{self.path}?format=Entity").json()["Resources"][
            "CloudTenantResources"
        ]
        for user in users:
            body = {
                "Name": user,
                "Password": SECRET,
                "Enabled": True,
                "TenantResourceId": resource["Id"],
                "QuotaMb": 2048,
                "UnlimitedQuota": False,
            }
            finished(client, client.post(f"{self.path}/subtenants", json=body).json())
        known = client.get(f"{self.path}/subtenants").json()["CloudSubtenants"]
        self.users = {each["Name"]: str(each["Href"]) for each in known}

    def user_id(self, name: str) -> UUID:
        """Of one of its users."""
        return UUID(self.users[name].rpartition("/")[2])
