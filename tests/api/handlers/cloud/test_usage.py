"""Is what tenants used counted once, kept, and shown?"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select, text

from cloudgate.api.table import ROUTES
from cloudgate.manager.core.unit_of_work import REMOVED_KEPT, REVISIONS_KEPT, SETTLED, UnitOfWork
from cloudgate.manager.jobs.scheduler import Scheduler
from cloudgate.manager.registries.refused_callers import FIRST_LOGONS
from cloudgate.manager.servers.backup_servers import (
    BackupServerSettings,
    create_backup_server,
    list_backup_servers,
)
from cloudgate.manager.servers.tenant_scope import NO_POOL, note_moving
from cloudgate.manager.sessions.operations import note_failed_logon
from cloudgate.manager.storage import tables
from cloudgate.manager.storage.tables import (
    CloudTenant,
    CountedBatch,
    HeldBackTime,
    ManagedServer,
    PoolStay,
    RemovedTenant,
)
from cloudgate.manager.usage.compaction import compact_usage
from cloudgate.manager.usage.held_back import write_held_back
from cloudgate.manager.usage.plausibility import LEEWAY, LINE_BYTES, MOST_AHEAD, OLDEST
from cloudgate.protocol import Figures, GatewayState, TenantFigures, Usage, UsageBatch
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished
from tests.support.waiting import until

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
TARGET = "vault.example:8443"
SHARE = "ShareSeconds"


@pytest.fixture
def tenant_id(running: RunningManager, host: ScriptedHost) -> UUID:
    client = running.logged_on()
    task = client.post("/cloud/tenants", json={"Name": "acme"}).json()
    href = str(finished(client, task)["Links"][1]["Href"])
    return UUID(href.partition("?")[0].rpartition("/")[2])


def used(
    tenant_id: UUID, minute: datetime = NOW, tunnels: int = 1, user_id: UUID | None = None
) -> Usage:
    return Usage(
        minute=minute,
        tenant_id=tenant_id,
        user_id=user_id,
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


def test_minutes_stay_minutes_where_the_clock_is_ahead_for_a_moment(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    tell(host, "new", *(used(tenant_id, NOW - timedelta(minutes=n)) for n in range(3)))

    def rows() -> list[int]:
        with running.manager.changing() as work:
            compact_usage(work)
            return [each.minutes for each in work.session.query(tables.Usage)]

    for ahead in (timedelta(), timedelta(days=3650)):
        running.clock.stepped += ahead
        running.manager.hosts.listening.beat(running.manager.clock())
        assert rows() == [1, 1, 1]
    running.clock.ahead += timedelta(hours=1)
    assert set(rows()) == {24 * 60}, "it was no moment"


def known(running: RunningManager) -> set[str]:
    """The batches that are known to be counted."""
    with running.manager.reading() as work:
        return set(work.session.scalars(select(CountedBatch.name)))


@pytest.mark.both_databases
def test_a_batch_that_arrives_once_more_after_newer_ones_is_not_counted_again(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    for batch in ("A", "A", "B", "A", "C", "B", "A", "C"):
        assert tell(host, batch, used(tenant_id)).status_code == 204
    assert billed(running) == (3 * 1000, 3)


@pytest.mark.both_databases
def test_batches_are_counted_once_while_managers_of_two_releases_take_turns(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    """The one of the release before keeps the last batch alone, and says no more of it."""

    def release_before_counts(batch: str) -> None:
        with running.manager.changing() as work:
            work.session.get_one(ManagedServer, host.server_id).usage_batch = batch

    def last() -> str:
        with running.manager.reading() as work:
            return work.session.get_one(ManagedServer, host.server_id).usage_batch

    release_before_counts("A")
    for batch in ("A", "B"):
        tell(host, batch, used(tenant_id)).raise_for_status()
    assert (billed(running)[1], last()) == (1, "B"), "it knows B, should it be heard there again"
    release_before_counts("C")
    for batch in ("C", "A", "D", "C", "B", "A"):
        tell(host, batch, used(tenant_id)).raise_for_status()
    assert (billed(running)[1], last()) == (2, "D")
    release_before_counts("A")  # a second time, as it does
    for batch in ("A", "E", "A", "D"):
        tell(host, batch, used(tenant_id)).raise_for_status()
    assert (billed(running)[1], last()) == (3, "E"), "what comes next is heard all the same"


@pytest.mark.both_databases
def test_batches_are_known_as_long_as_a_copy_may_arrive_and_not_for_ever(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    for batch in ("A", "B"):
        tell(host, batch, used(tenant_id)).raise_for_status()
    running.clock.ahead += SETTLED - timedelta(minutes=1)
    tell(host, "B", used(tenant_id)).raise_for_status()  # its answer was lost
    running.clock.ahead += timedelta(minutes=2)
    for batch in ("C", "B"):
        tell(host, batch, used(tenant_id)).raise_for_status()
    assert known(running) == {"B", "C"}
    running.manager.hosts.listening.beat(running.manager.clock())
    running.clock.stepped += timedelta(days=300)  # for a moment
    for batch in ("D", "B"):
        tell(host, batch, used(tenant_id)).raise_for_status()
    running.clock.stepped -= timedelta(days=300)
    tell(host, "C", used(tenant_id)).raise_for_status()
    assert billed(running)[1] == 4


def test_batches_are_forgotten_with_their_server(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    for batch in ("A", "B"):
        tell(host, batch, used(tenant_id)).raise_for_status()
    assert running.logged_on().delete(f"/managedServers/{host.server_id}").is_success
    assert not known(running)


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


def add_user(client: httpx2.Client, tenant_id: UUID, name: str) -> UUID:
    """A subtenant, and the quota that it needs."""
    vault = client.post("/repositories", json={"Name": name, "Endpoint": f"{name}.example:8443"})
    quota = {"Name": name, "RepositoryUid": vault.json()["UID"], "QuotaMb": 2048}
    task = client.post(f"/cloud/tenants/{tenant_id}/resources", json=quota).json()
    resource = finished(client, task)["Links"][1]["Href"].rpartition("/")[2]
    spec = {"Name": name, "Password": "s3cret", "TenantResourceId": resource}
    users = f"/cloud/tenants/{tenant_id}/subtenants"
    made = client.post(users, json={**spec, "UnlimitedQuota": True}).raise_for_status()
    finished(client, made.json())
    found = client.get(users).json()["CloudSubtenants"]
    return UUID(next(each["Id"] for each in found if each["Name"] == name))


def remove_without_a_name(running: RunningManager, tenant_id: UUID) -> None:
    """A tenant that was removed before names were kept of those who were."""
    with running.manager.changing() as work:
        site = list_backup_servers(work)[0]
        revision = work.next_directory_revision()
        work.session.add(
            RemovedTenant(
                tenant_id=tenant_id, backup_server_id=site.id, directory_revision=revision
            )
        )
        work.session.add(PoolStay(tenant_id=tenant_id, pool_id=NO_POOL, since=0, until=revision))


@pytest.mark.both_databases
def test_who_was_removed_is_known_for_as_long_as_usage_of_it_is_believed_and_no_longer(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    gone = UUID(int=9)
    remove_without_a_name(running, gone)
    everyone = ({gone}, {gone, tenant_id})
    with running.rolled_back() as work:
        note_moving(work, tenant_id, [UUID(int=1)], ())
        began = work.now
        assert known_of(work, began + OLDEST + REVISIONS_KEPT) == everyone
        assert known_of(work, began + REMOVED_KEPT + timedelta(days=1)) == (set(), {tenant_id})
    with running.rolled_back() as work:
        note_moving(work, tenant_id, [UUID(int=1)], ())
        running.manager.hosts.listening.beat(work.now)
        running.clock.stepped += timedelta(days=3650)
        assert known_of(work, running.clock()) == everyone, "it is ahead, perhaps for a moment"


def known_of(work: UnitOfWork, now: datetime) -> tuple[set[UUID], set[UUID]]:
    """Of whom is known that they were removed, and in which pools they were, after a change."""
    work.now = now
    work.next_directory_revision()
    removed = set(work.session.scalars(select(RemovedTenant.tenant_id)))
    return removed, set(work.session.scalars(select(PoolStay.tenant_id)))


def usage_of_all(client: httpx2.Client, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/cloud/usage{query}").raise_for_status().json()
    found: list[dict[str, Any]] = answer["CloudUsages"]["CloudUsages"]
    return found


def test_what_a_removed_user_used_keeps_its_name(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client = running.logged_on()
    user_id = add_user(client, tenant_id, "laptop")
    tell(host, "before", used(tenant_id), used(tenant_id, user_id=user_id))
    finished(client, client.delete(f"/cloud/tenants/{tenant_id}/subtenants/{user_id}").json())
    late = used(tenant_id, NOW + timedelta(minutes=1), user_id=user_id)
    unknown = used(tenant_id, NOW + timedelta(minutes=2), user_id=UUID(int=7))
    tell(host, "after", late, unknown)
    shown = client.get(f"/cloud/tenants/{tenant_id}/usage").json()["CloudTenantUsages"]
    assert [each["Subtenant"] for each in shown] == [None, "laptop", "laptop", str(UUID(int=7))]


def test_one_call_bills_all_tenants_also_those_who_are_gone(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client = running.logged_on()
    finished(client, client.post("/cloud/tenants", json={"Name": "globex"}).json())
    other = UUID(client.get("/cloud/tenants").json()["Refs"][1]["UID"].rpartition(":")[2])
    user_id = add_user(client, tenant_id, "laptop")
    yesterday, long_ago = NOW - timedelta(days=1), NOW - timedelta(days=40)
    tell(host, "1", used(tenant_id, yesterday, tunnels=2), used(tenant_id), used(other))
    tell(host, "2", used(tenant_id, long_ago), used(tenant_id, user_id=user_id))
    finished(client, client.delete(f"/cloud/tenants/{tenant_id}").json())
    assert client.get(f"/cloud/tenants/{tenant_id}/usage").status_code == 404
    everything = usage_of_all(client)
    assert [(each["CloudTenant"], each["Subtenant"]) for each in everything] == [
        ("acme", None),
        ("acme", None),
        ("globex", None),
        ("acme", "laptop"),
    ]
    assert everything[0] == {
        "BeginTime": f"{yesterday:%Y-%m-%dT%H:%M:%SZ}",
        "Minutes": 1,
        "CloudGateway": "gw1.example",
        "Subtenant": None,
        "Target": TARGET,
        "Tunnels": 2,
        "BytesUp": 1000,
        "BytesDown": 10,
        "CloudTenant": "acme",
        "CloudTenantUid": f"urn:veeam:CloudTenant:{tenant_id}",
    }
    assert len(usage_of_all(client, "?days=60")) == 5

    total = usage_of_all(client, "?total=true")
    bill = {(each["CloudTenant"], each["Subtenant"]): each for each in total}
    assert {who: (each["Tunnels"], each["BytesUp"]) for who, each in bill.items()} == {
        ("acme", None): (3, 2000),
        ("acme", "laptop"): (1, 1000),
        ("globex", None): (1, 1000),
    }
    assert bill["acme", None]["Minutes"] is None
    assert bill["acme", None]["BeginTime"] == everything[0]["BeginTime"]


@pytest.mark.both_databases
def test_usage_is_filtered_sorted_and_paged_as_queries_are(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client = running.logged_on()
    minutes = [NOW - timedelta(minutes=n) for n in range(7)]
    tell(host, "1", *(used(tenant_id, each, n) for n, each in enumerate(minutes)))
    remove_without_a_name(running, UUID(int=9))
    tell(host, "2", used(UUID(int=9)))
    pages, query = [], "?pageSize=3&sortDesc=Tunnels"
    while query:
        answer = client.get(f"/cloud/usage{query}").raise_for_status().json()
        pages.append([each["Tunnels"] for each in answer["CloudUsages"]["CloudUsages"]])
        links = {each["Rel"]: each["Href"] for each in answer["PagingInfo"]["Links"]}
        query = links.get("Next", "").partition("/usage")[2]
    assert pages == [[6, 5, 4], [3, 2, 1], [1, 0]]
    (unknown,) = usage_of_all(client, f"?filter=CloudTenantUid=={UUID(int=9)}")
    assert unknown["CloudTenant"] == str(UUID(int=9))
    since = f"{minutes[2]:%Y-%m-%dT%H:%M:%SZ}"
    (sum_,) = usage_of_all(
        client,
        f"?total=true&filter=Tunnels>0;BeginTime>={since};BytesUp>0;CloudTenantUid=={tenant_id}",
    )
    assert sum_["Tunnels"] == 1 + 2
    assert usage_of_all(client, "?filter=BeginTime<2020-01-01") == []
    beyond = client.get("/cloud/usage?total=true&pageSize=1&page=9").json()
    assert (beyond["CloudUsages"]["CloudUsages"], beyond["PagingInfo"]["PagesCount"]) == ([], 2)
    for wrong, words in (
        ("days=0", "from 1 to 999"),
        ("sortAsc=Colour", "no parameter"),
        ("total=1", "true or false"),
    ):
        refused = client.get(f"/cloud/usage?{wrong}")
        assert (refused.status_code, words in refused.json()["Message"]) == (400, True)
    xml = running.logged_on("application/xml").get("/cloud/usage?total=true").text
    assert f"<CloudTenantUid>urn:veeam:CloudTenant:{tenant_id}</CloudTenantUid>" in xml


@pytest.mark.both_databases
def test_usage_of_all_is_added_up_hour_by_hour(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client = running.logged_on()
    hour = NOW.replace(minute=0) - timedelta(hours=2)
    minutes = (hour, hour + timedelta(minutes=59), hour + timedelta(minutes=60))
    tell(host, "1", *(used(tenant_id, each, 3) for each in minutes))
    remove_without_a_name(running, UUID(int=9))
    tell(host, "2", used(UUID(int=9), hour, 1))
    first, second = usage_of_all(client, "?days=1&by=hour")
    assert {name: value for name, value in first.items() if value is not None} == {
        "BeginTime": f"{hour:%Y-%m-%dT%H:%M:%SZ}",
        "Minutes": 60,
        "Tunnels": 7,
        "BytesUp": 3000,
        "BytesDown": 30,
    }
    assert (second["Tunnels"], second["BytesUp"]) == (3, 1000)
    own = usage_of_all(client, f"?days=1&by=hour&filter=CloudTenantUid=={tenant_id}")
    assert [each["Tunnels"] for each in own] == [6, 3]
    before = hour.replace(day=1) - timedelta(days=1)
    tell(host, "3", used(tenant_id, before, 5))
    months = usage_of_all(client, f"?days=99&by=month&filter=CloudTenantUid=={tenant_id}")
    assert sum(each["Tunnels"] for each in months) == 9 + 5
    assert months[0]["BeginTime"] == f"{before:%Y-%m}-01T00:00:00Z"
    assert {each["Minutes"] for each in months} == {None}
    assert len(months) == len({each["BeginTime"] for each in months}) > 1
    refused = client.get("/cloud/usage?by=week")
    assert (refused.status_code, "expected hour" in refused.json()["Message"]) == (400, True)


def holds_back(host: ScriptedHost, run: str, tenant_id: UUID, *seconds: float) -> None:
    """A host says how long it has held a tenant back since `run` began, and how much of it by
    its part of a full gateway."""
    so_far, by_share = seconds
    of_tenant = TenantFigures(
        tenant_id=tenant_id,
        tunnels=1,
        refused=0,
        held_back_seconds=so_far,
        held_back_by_share_seconds=by_share,
    )
    figures = Figures(run=run, uptime_seconds=0, tenants=(of_tenant,))
    host.report(figures=figures).raise_for_status()


@pytest.mark.both_databases
def test_when_a_tenant_was_held_back_is_kept_by_the_hour_over_gateways_and_restarts(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client, other = running.logged_on(), ScriptedHost(running, "gw2.example", ("192.0.2.11",))
    path = f"/cloud/tenants/{tenant_id}/heldBack"

    def shown() -> tuple[int, int, set[int]]:
        found = running.logged_on().get(f"{path}?days=200").json()["CloudHeldBackTimes"]
        limit, share = (sum(each[name] for each in found) for name in ("LimitSeconds", SHARE))
        return limit, share, {each["Minutes"] for each in found}

    def rows() -> int:
        with running.manager.reading() as work:
            return work.session.query(HeldBackTime).count()

    for each in (host, other):
        each.report(figures=Figures(run="1", uptime_seconds=0)).raise_for_status()
    assert client.get(path).json() == {"CloudHeldBackTimes": []}
    holds_back(host, "1", tenant_id, 9.0, 3.0)
    holds_back(host, "1", tenant_id, 9.0, 3.0)
    holds_back(other, "1", tenant_id, 5.0, 0.0)
    assert shown() == (11, 3, {60})
    holds_back(host, "2", tenant_id, 2.0, 0.0)
    holds_back(host, "2", UUID(int=9), 7.0, 0.0)
    holds_back(other, "1", tenant_id, 1e9, 0.0)
    limit, share, _ = shown()
    assert (11 + 2 < limit <= 13 + 20, share) == (True, 3), "no longer than the time that passed"
    write_held_back(running.manager, all_of_it=True)
    assert 1 <= rows() <= 2, "one for each hour"
    assert shown() == (limit, share, {60})
    write_held_back(running.manager)
    with running.manager.changing() as work:
        for row in work.session.query(HeldBackTime):
            row.at -= timedelta(days=100)
    with running.manager.changing() as work:
        compact_usage(work)
    assert shown() == (limit, share, {1440})
    xml = running.logged_on("application/xml").get(f"{path}?days=200").text
    assert f"<ShareSeconds>{share}</ShareSeconds>" in xml
    client = running.logged_on()
    finished(client, client.delete(f"/cloud/tenants/{tenant_id}").json())
    assert (rows(), client.get(path).status_code) == (0, 404)
    other.close()


def test_an_hour_is_written_down_when_it_is_over_and_kept_until_it_is(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client, path = running.logged_on(), f"/cloud/tenants/{tenant_id}/heldBack"
    host.report(figures=Figures(run="1", uptime_seconds=0)).raise_for_status()
    holds_back(host, "1", tenant_id, 9.0, 3.0)
    before = client.get(path).json()
    running.clock.ahead += timedelta(hours=2)

    def written() -> int:
        with running.manager.reading() as work:
            return work.session.query(HeldBackTime).count()

    until(lambda: written() == len(before["CloudHeldBackTimes"]))
    assert running.logged_on().get(path).json() == before


def test_what_cannot_be_written_at_the_end_of_a_manager_keeps_nothing_else_from_it(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    host.report(figures=Figures(run="1", uptime_seconds=0)).raise_for_status()
    holds_back(host, "1", tenant_id, 9.0, 3.0)
    for _ in range(FIRST_LOGONS + 1):
        note_failed_logon(running.manager, "admin", "198.51.100.7")
    with running.manager.changing() as work:
        work.session.execute(
            text(
                "CREATE TRIGGER full BEFORE INSERT ON audit_events"
                " BEGIN SELECT RAISE(ABORT, 'the log is full'); END"
            )
        )
    Scheduler(running.manager, None, lambda: None).finish()
    with running.manager.reading() as work:
        held_back = work.session.scalars(select(HeldBackTime)).all()
    assert sum(each.share_seconds for each in held_back) == 3
    assert running.manager.strangers.due(running.clock(), all_of_them=True), "kept for the next"


def test_old_stretches_of_removed_tenants_are_put_together_and_still_billed(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client = running.logged_on()
    lately = NOW.replace(minute=0) - timedelta(days=5)
    tell(host, "1", *(used(tenant_id, lately + timedelta(minutes=n)) for n in range(50)))
    finished(client, client.delete(f"/cloud/tenants/{tenant_id}").json())
    before = usage_of_all(client, "?total=true")
    with running.manager.changing() as work:
        compact_usage(work)
    assert [each["Minutes"] for each in usage_of_all(client)] == [60]
    assert usage_of_all(client, "?total=true") == before


def billed(running: RunningManager) -> tuple[int, int]:
    """Bytes up of all, and how many lines that are."""
    found = usage_of_all(running.logged_on(), "?days=999")
    return sum(each["BytesUp"] for each in found), len(found)


def warning_of(running: RunningManager, host: ScriptedHost) -> str:
    href = f"/managedServers/{host.server_id}?format=Entity"
    return str(running.logged_on().get(href).json().get("Warning", ""))


def of(tenant_id: UUID, up: int, minute: datetime = NOW, **more: Any) -> Usage:
    return used(tenant_id, minute).model_copy(update={"bytes_up": up, **more})


@pytest.mark.parametrize(
    "wrong",
    [
        (NOW - OLDEST - timedelta(days=1), 7, "days ago"),
        (datetime(1990, 1, 1, tzinfo=UTC), 7, "days ago"),
        (NOW + MOST_AHEAD + timedelta(hours=1), 7, "yet to come"),
        (NOW, 10**15, "more than a line can have carried"),
    ],
)
def test_what_cannot_have_been_used_is_not_billed_and_shown_while_the_rest_is_billed_once(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID, wrong: tuple[datetime, int, str]
) -> None:
    minute, up, reason = wrong
    lines = (of(tenant_id, 5), of(tenant_id, up, minute), of(tenant_id, 6, target="v:2"))
    refused = tell(host, "1", *lines)
    assert refused.status_code == 400
    assert reason in refused.json()["message"]
    assert f"{up} bytes up" in refused.json()["message"]
    assert reason in warning_of(running, host)
    assert billed(running) == (11, 2)
    assert tell(host, "1", *lines).status_code == 204, "the host need not keep it"
    assert billed(running) == (11, 2)
    assert tell(host, "2", of(tenant_id, 9)).status_code == 204
    assert billed(running) == (20, 3)


def test_nobody_is_billed_for_what_a_host_cannot_have_served(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    client = running.logged_on()
    mine = add_user(client, tenant_id, "laptop")
    finished(client, client.post("/cloud/tenants", json={"Name": "globex"}).json())
    listed = client.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
    globex = next(UUID(each["UID"][-36:]) for each in listed if each["Name"] == "globex")
    with running.manager.changing() as work:
        elsewhere = create_backup_server(work, BackupServerSettings(name="elsewhere"))
        work.session.flush()
        other = CloudTenant(
            backup_server_id=elsewhere.id, name="other", login="other", directory_revision=1
        )
        work.session.add(other)
        work.session.flush()
        other_id = other.id
    for number, line in enumerate(
        (of(other_id, 5), of(UUID(int=5), 5), of(globex, 5, user_id=mine))
    ):
        answer = tell(host, f"b{number}", line)
        assert answer.status_code == 400, line
        assert "tenant" in answer.json()["message"]
    assert billed(running) == (0, 0)


def test_a_line_carries_what_was_gathered_while_the_manager_was_away_and_no_more(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    tell(host, "0", of(tenant_id, 1)).raise_for_status()
    running.clock.ahead += timedelta(days=3)
    host.report(GatewayState.ABSENT).raise_for_status()
    day = LINE_BYTES * 86_400
    midnight = NOW.replace(hour=0, minute=0) + timedelta(days=1)
    for number in range(2):
        minute = midnight + timedelta(days=number)
        assert tell(host, f"d{number}", of(tenant_id, day, minute)).status_code == 204
    assert billed(running)[0] == 2 * day + 1
    refused = tell(host, "d2", of(tenant_id, 2 * day, midnight + timedelta(days=1)))
    assert "more than a line can have carried" in refused.json()["message"]
    now = running.clock().replace(second=0, microsecond=0)
    tell(host, "now", of(tenant_id, 1, now)).raise_for_status()
    at_once = int(LINE_BYTES * LEEWAY.total_seconds())
    assert tell(host, "more", of(tenant_id, 2 * at_once, now)).status_code == 400
    assert tell(host, "less", of(tenant_id, at_once // 2, now)).status_code == 204


def test_what_is_used_once_the_managers_clock_was_put_back_is_billed(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    running.clock.ahead = timedelta(hours=5)
    tell(host, "1", of(tenant_id, 5, NOW + running.clock.ahead)).raise_for_status()
    running.clock.ahead = timedelta()
    tell(host, "2", of(tenant_id, 6)).raise_for_status()
    at_once = int(LINE_BYTES * LEEWAY.total_seconds())
    assert tell(host, "more", of(tenant_id, 2 * at_once)).status_code == 400
    assert billed(running) == (11, 2)


def test_a_host_whose_clock_is_ahead_is_billed_exactly_under_this_minute(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    ahead = NOW + timedelta(hours=14)
    assert tell(host, "1", of(tenant_id, 5, ahead), of(tenant_id, 6)).status_code == 204
    assert billed(running) == (11, 2)
    (begin,) = {each["BeginTime"] for each in usage_of_all(running.logged_on())} - {
        f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    } or {f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}
    assert begin <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_tunnels_alone_fill_a_line_too(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    refused = tell(host, "1", of(tenant_id, 0, tunnels=2**31 - 1))
    assert refused.status_code == 400


def test_a_host_that_joined_again_has_told_what_it_had_told(
    running: RunningManager, host: ScriptedHost, tenant_id: UUID
) -> None:
    tell(host, "1", of(tenant_id, 5)).raise_for_status()
    with running.manager.reading() as work:
        before = work.session.get_one(ManagedServer, host.server_id).usage_told_until
    client = running.logged_on()
    renewed = client.post(f"/managedServers/{host.server_id}?action=renewJoinToken").json()
    host.join(renewed["JoinToken"])
    with running.manager.reading() as work:
        assert work.session.get_one(ManagedServer, host.server_id).usage_told_until == before


def test_whoever_asks_for_usage_can_have_it_added_up() -> None:
    asked = {
        route.path: {each.name for each in route.query}
        for route in ROUTES
        if route.path.endswith("/usage")
    }
    assert len(asked) == 3
    assert all({"days", "total", "filter"} <= names for names in asked.values()), asked
