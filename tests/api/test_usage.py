"""Is what tenants used counted once, kept, and shown?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
import pytest

from cloudgate.assignment import GatewayState, Usage, UsageBatch
from cloudgate.manager.usage.operations import compact_usage
from tests.support.host import ScriptedHost
from tests.support.manager import RunningManager, finished

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
TARGET = "vault.example:8443"


@pytest.fixture
def tenant_id(running: RunningManager, host: ScriptedHost) -> UUID:
    client = running.logged_on()
    task = client.post("/cloud/tenants", json={"Name": "acme"}).json()
    href = str(finished(client, task)["Links"][1]["Href"])
    return UUID(href.partition("?")[0].rpartition("/")[2])


def used(tenant_id: UUID, minute: datetime = NOW, tunnels: int = 1) -> Usage:
    return Usage(
        minute=minute,
        tenant_id=tenant_id,
        target=TARGET,
        tunnels=tunnels,
        bytes_up=1000,
        bytes_down=10,
    )


def tell(host: ScriptedHost, batch: str, *usage: Usage) -> httpx2.Response:
    return host.client.post(
        "/usage", content=UsageBatch(batch=batch, usage=usage).model_dump_json()
    )


def test_a_batch_is_counted_once_however_often_it_is_heard(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client = running.logged_on()
    entity = f"/cloud/tenants/{tenant_id}?format=Entity"
    assert client.get(entity).json()["LastActive"].startswith("1753")
    for batch in ("first", "first", "second"):
        assert tell(host, batch, used(tenant_id)).status_code == 204
    shown = client.get(f"/cloud/tenants/{tenant_id}/usage").json()["CloudTenantUsages"]
    assert len(shown) == 2
    assert shown[0] == {
        "BeginTime": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        "Minutes": 1,
        "CloudGateway": "gw1.example",
        "Subtenant": None,
        "Target": TARGET,
        "Tunnels": 1,
        "BytesUp": 1000,
        "BytesDown": 10,
    }
    assert client.get(entity).json()["LastActive"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"


def test_old_minutes_become_hours_and_old_hours_days_and_nothing_is_lost(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    long_ago = NOW - timedelta(days=200)
    lately = NOW - timedelta(days=5)
    minutes = [begin + timedelta(minutes=n) for begin in (long_ago, lately) for n in range(200)]
    tell(host, "old", *(used(tenant_id, minute) for minute in minutes))
    tell(host, "new", used(tenant_id))
    more = True
    while more:
        with running.manager.changing() as work:
            more = compact_usage(work)
    with running.manager.changing() as work:
        compact_usage(work)
    answer = running.logged_on().get(f"/cloud/tenants/{tenant_id}/usage?days=999")
    shown = answer.json()["CloudTenantUsages"]
    assert sum(each["BytesUp"] for each in shown) == 401 * 1000
    assert sum(each["Tunnels"] for each in shown) == 401
    assert {each["Minutes"] for each in shown} == {1, 60, 1440}
    assert len(shown) <= 2 + 5 + 1


@pytest.mark.parametrize("days", ["0", "x", "1000", "-1"])
def test_a_time_that_is_none_is_refused(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID, days: str
) -> None:
    answer = running.logged_on().get(f"/cloud/tenants/{tenant_id}/usage?days={days}")
    assert answer.status_code == 400
    assert "from 1 to 999" in answer.json()["Message"]


def test_only_a_host_may_say_what_was_used(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    host.client.headers["Authorization"] = "Bearer wrong"
    assert tell(host, "b", used(tenant_id)).status_code == 401
    assert host.report(GatewayState.ABSENT).status_code == 401
