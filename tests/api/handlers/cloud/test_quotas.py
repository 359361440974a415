"""Do quotas bite: are gateways told whose are exceeded, and operators how near they are?"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select

from cloudgate.manager.host_protocol import tenant_feed
from cloudgate.manager.quotas.operations import keep_use
from cloudgate.manager.storage.tables import CloudTenant, TenantResource
from cloudgate.manager.tenants import egress
from cloudgate.protocol import Tenant, Usage, UsageBatch
from cloudgate.values import months
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

MB = 1024 * 1024
QUOTA_MB = 2000


@pytest.fixture
def vault(client: httpx2.Client) -> dict[str, Any]:
    body = {"Name": "vault", "Endpoint": "v.example:1"}
    found: dict[str, Any] = client.post("/repositories", json=body).json()
    return found


@pytest.fixture
def path(client: httpx2.Client, vault: dict[str, Any]) -> str:
    """Of a tenant with a quota."""
    quota = {"Name": "q", "RepositoryUid": vault["UID"], "QuotaMb": QUOTA_MB}
    spec = {"Name": "acme", "Password": "p", "Resources": {"BackupResources": [quota]}}
    task = finished(client, client.post("/cloud/tenants", json=spec).json())
    return str(task["Links"][1]["Href"]).partition("?")[0]


def measure(running: RunningManager, used_mb: int) -> None:
    """As a probe does that has just measured."""
    with running.manager.changing() as work:
        resource = work.session.query(TenantResource).one()
        keep_use(work, resource, used_mb * MB)


def news(host: ScriptedHost) -> Tenant:
    """What a gateway hears of the tenant next."""
    directory = host.poll().directory
    assert directory is not None
    return directory.tenants[0]


def full(known: Tenant) -> str:
    (found,) = [each for each in known.targets if each.endpoint == "v.example:1"]
    return found.full


def quota(client: httpx2.Client, path: str) -> dict[str, Any]:
    (found,) = client.get(f"{path}?format=Entity").json()["Resources"]["CloudTenantResources"]
    shown: dict[str, Any] = found["RepositoryQuota"]
    return shown


def test_gateways_hear_at_once_whose_quota_is_exceeded_and_whose_is_not_any_more(
    running: RunningManager, client: httpx2.Client, path: str, host: ScriptedHost
) -> None:
    assert full(news(host)) == ""
    measure(running, QUOTA_MB + 500)
    known = news(host)
    assert full(known).startswith(
        "The tenant's quota at v.example:1 is exceeded: 2500 MB are used of 2000 MB, with 10 % on"
    )
    (target,) = [each for each in known.targets if each.full]
    assert target.full_until is not None
    now = running.manager.clock()
    assert now < target.full_until <= now + timedelta(days=1)
    assert quota(client, path)["Warning"].endswith("New tunnels may only bring data back.")
    measure(running, QUOTA_MB)
    assert full(news(host)) == ""


def test_a_larger_quota_more_grace_or_no_enforcement_lets_in_at_once(
    running: RunningManager,
    client: httpx2.Client,
    vault: dict[str, Any],
    path: str,
    host: ScriptedHost,
) -> None:
    measure(running, QUOTA_MB + 500)
    assert full(news(host))
    for body, bars in (
        ({"QuotaGracePercent": 50}, False),
        ({"QuotaGracePercent": 0}, True),
        ({"QuotaEnforced": False}, False),
        ({"QuotaEnforced": True}, True),
    ):
        assert client.put(vault["Href"], json=body).status_code == 204
        assert bool(full(news(host))) is bars
    entity = client.get(f"{path}?format=Entity").json()
    entity["Resources"]["CloudTenantResources"][0]["RepositoryQuota"]["Quota"] = 4000
    finished(client, client.put(path, json=entity).json())
    assert not full(news(host))


def test_a_user_is_barred_with_its_tenant(
    running: RunningManager, client: httpx2.Client, path: str, host: ScriptedHost
) -> None:
    resource = client.get(f"{path}?format=Entity").json()["Resources"]["CloudTenantResources"][0]
    spec = {
        "Name": "u",
        "Password": "p",
        "UnlimitedQuota": True,
        "TenantResourceId": resource["Id"],
    }
    finished(client, client.post(f"{path}/subtenants", json=spec).json())
    measure(running, QUOTA_MB + 500)
    (user,) = news(host).users
    assert user.targets[0].full


def test_each_level_is_a_warning_and_on_record_once_when_it_is_reached(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    for used_mb in (100, 1600, 1650, 1900, 2001, 2300, 100, 1700):
        measure(running, used_mb)
    events = [each for each in running.audited() if each.operation == "ReachQuotaLevel"]
    assert [(each.after or {})["Percent"] for each in events] == [80, 95, 100, 80]
    assert (events[0].after or {}) == {
        "Tenant": "acme",
        "Percent": 80,
        "UsedMb": 1600,
        "QuotaMb": 2000,
    }
    assert quota(client, path)["Warning"] == (
        "80 % of the storage quota are used: 1700 MB are used of 2000 MB."
    )
    assert client.get(f"{path}?format=Entity").json()["LastResult"] == "Warning"


def test_an_old_measurement_says_that_it_bars_nobody(
    running: RunningManager, client: httpx2.Client, path: str
) -> None:
    measure(running, QUOTA_MB + 500)
    with running.manager.changing() as work:
        resource = work.session.query(TenantResource).one()
        assert resource.measured_at is not None
        resource.measured_at -= timedelta(days=2)
    assert "more than a day ago" in quota(client, path)["Warning"]


def test_the_rules_of_a_repository_are_shown_sent_back_and_changed(
    running: RunningManager, client: httpx2.Client, vault: dict[str, Any]
) -> None:
    def rules() -> tuple[Any, ...]:
        shown = client.get(f"{vault['Href']}?format=Entity".replace("?format=Entity?", "?")).json()
        names = ("QuotaWarningPercents", "QuotaGracePercent", "QuotaEnforced")
        return tuple(shown.get(name) for name in names)

    assert rules() == ({"Percents": [80, 95]}, 10, True)
    assert client.put(vault["Href"], json=vault).status_code == 204
    assert rules() == ({"Percents": [80, 95]}, 10, True)
    body = {"QuotaWarningPercents": {"Percents": [90, 50]}, "QuotaGracePercent": 0}
    assert client.put(vault["Href"], json=body).status_code == 204
    assert rules() == ({"Percents": [50, 90]}, 0, True)
    (event,) = [each for each in running.audited() if each.operation == "EditRepository"][-1:]
    assert (event.after or {}) == {"QuotaWarningPercents": [50, 90], "QuotaGracePercent": 0}
    for wrong in (
        {"QuotaWarningPercents": {"Percents": [100]}},
        {"QuotaGracePercent": -1},
        {"QuotaGracePercent": 1001},
    ):
        assert client.put(vault["Href"], json=wrong).status_code == 400


def use(host: ScriptedHost, tenant: str, down_mb: int, minute: datetime) -> None:
    """As a gateway tells what it counted."""
    line = Usage(
        minute=minute,
        tenant_id=UUID(tenant.rpartition("/")[2]),
        target="v.example:1",
        tunnels=1,
        bytes_up=0,
        bytes_down=down_mb * MB,
    )
    batch = UsageBatch(batch=uuid4().hex, usage=(line,))
    host.client.post("/usage", content=batch.model_dump_json()).raise_for_status()


@pytest.fixture
def noon(running: RunningManager) -> datetime:
    """In the middle of a month, by the manager's clock from now on."""
    now = datetime.now(UTC)
    noon = now.replace(day=15, hour=12, minute=0, second=0, microsecond=0)
    running.clock.ahead = noon - now + timedelta(days=31)
    return running.clock()


@pytest.mark.parametrize("hard", [False, True])
def test_an_egress_quota_warns_and_a_hard_one_is_told_gateways_until_the_month_is_over(
    running: RunningManager, noon: datetime, hard: bool
) -> None:
    client = running.logged_on()
    task = client.post("/cloud/tenants", json={"Name": "acme", "Password": "p"}).json()
    path = str(finished(client, task)["Links"][1]["Href"]).partition("?")[0]
    host = ScriptedHost(running)
    quota = {"EgressQuotaMb": 10, "EgressQuotaHard": hard}
    use(host, path, 1, noon - timedelta(days=20))
    use(host, path, 2, noon - timedelta(minutes=2))
    finished(client, client.put(path, json=quota).json())
    shown = client.get(f"{path}?format=Entity").json()
    assert (shown["EgressQuotaMb"], shown["EgressQuotaHard"]) == (10, hard)
    assert news(host).egress_full == ""
    for more in (6, 1, 1, 1):
        use(host, path, more, running.clock())
    with running.manager.reading() as work:
        tenant = work.session.scalars(select(CloudTenant)).one()
        assert egress.used_mb(tenant, work.now) == 11
        said = egress.warning(tenant, work.now)
        month = months.month_of(work.now)
        known = tenant_feed.to_message(tenant)
        assert egress.used_bytes(tenant, months.end_of(month)) == 0, "it begins anew"
    assert said.startswith(
        f"100 % of the egress quota of {month} are used: 11 MB were brought back"
    )
    assert ("only send" in said) is hard
    assert bool(known.egress_full) is hard
    assert known.egress_full_until == (months.end_of(month) if hard else None)
    if hard:
        assert news(host).egress_full.startswith(f"The tenant's egress quota of {month} is used up")
    host.close()
    reached = [each for each in running.audited() if each.operation == "ReachEgressLevel"]
    assert [(each.after or {})["Percent"] for each in reached] == [80, 100]
    finished(client, client.put(path, json={"EgressQuotaMb": 0}).json())
    assert "EgressQuotaMb" not in client.get(f"{path}?format=Entity").json()


@pytest.mark.parametrize(("month", "end"), [("2026-02", "2026-03"), ("2026-12", "2027-01")])
def test_a_month_ends_when_the_next_one_begins(month: str, end: str) -> None:
    assert months.month_of(months.end_of(month)) == end
    assert months.month_of(months.end_of(month) - timedelta(microseconds=1)) == month
