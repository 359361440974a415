"""Is it said of a gateway which changes of tenants it has not taken in, and only then?"""

from datetime import timedelta

import httpx2
import pytest

from cloudgate.manager.gateways import lag
from cloudgate.protocol import GatewayState
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

NOT_TAKEN_IN = "It has not taken in"


def warning(client: httpx2.Client) -> str:
    (gateway,) = client.get("/cloud/gateways?format=Entity").json()["CloudGateways"]
    listed = [each["Message"] for each in client.get("/warnings").json()["OperatorWarnings"]]
    found = [each for each in listed if NOT_TAKEN_IN in each]
    assert gateway["Name"]
    return found[0] if found else ""


@pytest.fixture
def client(
    running: RunningManager, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> httpx2.Client:
    """With a gateway that has taken in all there is, and from now on is late at once."""
    client = running.logged_on()
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).json()
    host.obey()
    assert finished(client, task)["Result"]["Success"]
    monkeypatch.setattr(lag, "LATE", timedelta(0))
    return client


def take_in(host: ScriptedHost) -> None:
    host.poll()
    assert host.report(GatewayState.LISTENING).status_code == 204


def test_changes_that_a_gateway_has_not_taken_in_are_named_until_it_has(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    assert warning(client) == ""
    for name in ("acme", "beta"):
        assert client.post("/cloud/tenants", json={"Name": name}).status_code == 202
    said = warning(client)
    assert client.get("/cloud/summary").json() == {
        "Tenants": 2, "Repositories": 0, "Gateways": 1, "LiveTunnels": 0,
        "CloudGatewayStates": [{"State": "Listening", "Count": 1}],
    }  # fmt: skip
    assert f"{NOT_TAKEN_IN} changes of acme, beta since 20" in said
    assert said.rstrip(".").endswith("UTC")
    for asked in ("/cloud/gateways?format=Entity", "/query?type=CloudGateway&format=Entities"):
        assert f"{NOT_TAKEN_IN} changes of acme, beta" in client.get(asked).text
    take_in(host)
    assert warning(client) == ""


def test_of_many_changes_some_are_named(client: httpx2.Client) -> None:
    for number in range(5):
        assert client.post("/cloud/tenants", json={"Name": f"t{number}"}).status_code == 202
    assert "changes of t0, t1, t2 and others since" in warning(client)


def test_a_removal_that_was_not_taken_in_is_one_too(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    task = client.post("/cloud/tenants", json={"Name": "acme"}).json()
    take_in(host)
    assert finished(client, task)["Result"]["Success"]
    (tenant,) = client.get("/cloud/tenants").json()["Refs"]
    assert client.delete(tenant["Href"]).status_code == 202
    assert f"{NOT_TAKEN_IN} that tenants were removed since" in warning(client)
    take_in(host)
    assert warning(client) == ""


def test_it_is_not_late_that_has_just_been_told(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "LATE", timedelta(hours=1))
    assert client.post("/cloud/tenants", json={"Name": "acme"}).status_code == 202
    assert warning(client) == ""
