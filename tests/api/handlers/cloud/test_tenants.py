"""Tenants and their quotas, and what gateways learn of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from cloudgate.manager.storage.tables import BackupServer, Repository
from cloudgate.protocol import Allowances, Demand, DemandReport, Tenant
from cloudgate.trust.password_hashes import matches
from tests.api.handlers.tenants import add_repository, add_tenant, quota
from tests.support.running.gateways import add_gateway
from tests.support.running.host import ScriptedHost, become_gateway
from tests.support.running.manager import RunningManager, finished

pytestmark = pytest.mark.both_databases


def known_to(host: ScriptedHost) -> dict[str, Tenant]:
    """The tenants in the host's newest news."""
    directory = host.poll().directory
    assert directory is not None
    return {tenant.name: tenant for tenant in directory.tenants}


def test_gateways_know_a_name_in_another_script_by_its_a_label(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    uid = add_repository(client, Endpoint="écho.example:8443", Address="スト.example:1")
    add_tenant(client, Resources={"BackupResources": [quota(uid)]})
    targets = [(each.endpoint, each.address) for each in known_to(host)["acme"].targets]
    assert ("xn--cho-9la.example:8443", "xn--zck4a.example:1") in targets


def test_an_endpoint_of_before_there_was_one_grammar_stays_when_all_is_sent_back(
    client: httpx2.Client, running: RunningManager, host: ScriptedHost
) -> None:
    uid = add_repository(client)
    with running.manager.changing() as work:
        work.session.scalars(select(Repository)).one().endpoint = "*.vault.example:8443"
    add_tenant(client, Resources={"BackupResources": [quota(uid)]})
    shown = client.get("/repositories?format=Entity").json()["Repositories"][0]
    assert shown["Endpoint"] == "*.vault.example:8443"
    answer = client.put(shown["Href"], json={**shown, "Description": "edited"})
    assert answer.status_code == 204, answer.text
    assert "*.vault.example:8443" in [each.endpoint for each in known_to(host)["acme"].targets]


def test_a_tenant_is_made_with_every_setting(client: httpx2.Client) -> None:
    uid = add_repository(client)
    tenant = add_tenant(
        client,
        "ABC Company",
        Description="First",
        Enabled=True,
        LeaseExpirationDate="2099-12-31T00:00:00",
        Resources={"BackupResources": [quota(uid)]},
        ThrottlingEnabled=True,
        ThrottlingSpeedLimit=20,
        ThrottlingSpeedUnit="Mbps",
        MaxConcurrentTasks=2,
        TenantType="Standalone",
    )
    assert tenant["Name"] == "ABC Company"
    assert tenant["Password"] == ""
    assert tenant["LeaseOptions"] == {"Enabled": True, "ExpirationDate": "2099-12-31T00:00:00Z"}
    granted = tenant["Resources"]["CloudTenantResources"]
    assert [
        (r["RepositoryQuota"]["DisplayName"], r["RepositoryQuota"]["Quota"]) for r in granted
    ] == [("Cloud Repository", 307200)]
    assert granted[0]["Links"] is None
    assert (tenant["ThrottlingSpeedLimit"], tenant["ThrottlingSpeedUnit"]) == (20, "Mbps")
    assert [link["Rel"] for link in tenant["Links"]] == [
        "Up",
        "Alternate",
        "Edit",
        "Down",
        "Create",
        "Delete",
        "Down",
        "Create",
        "Down",
        "Create",
        "Related",
    ]


def test_a_tenant_is_made_by_the_xml_of_the_published_order(client: httpx2.Client) -> None:
    uid = add_repository(client)
    body = (
        '<CreateCloudTenantSpec xmlns="http://www.veeam.com/ent/v1.0"><Name>Xml</Name>'
        "<Description/><Password>p</Password><Enabled>1</Enabled>"
        "<LeaseExpirationDate>2099-12-31T00:00:00Z</LeaseExpirationDate><Resources><BackupResource>"
        f"<Name>q</Name><RepositoryUid>{uid} </RepositoryUid><QuotaMb>1024</QuotaMb>"
        "<WanAcceleratorUid/></BackupResource></Resources>"
        "<ThrottlingEnabled>False</ThrottlingEnabled><PublicIpCount>0</PublicIpCount>"
        "<MaxConcurrentTasks>2</MaxConcurrentTasks><TenantType>Standalone</TenantType>"
        "</CreateCloudTenantSpec>"
    )
    answer = client.post(
        "/cloud/tenants", content=body, headers={"Content-Type": "application/xml"}
    )
    assert finished(client, answer.json())["Result"]["Success"] is True


def test_an_entity_that_was_read_can_be_sent_back_whole_and_keeps_its_password(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    uid = add_repository(client)
    tenant = add_tenant(client, Resources={"BackupResources": [quota(uid)]})
    before = known_to(host)["acme"]
    answer = client.put(tenant["Href"], json={**tenant, "Description": "Again"})
    assert answer.status_code == 202
    assert finished(client, answer.json())["Operation"] == "EditCloudTenant"
    as_xml = client.get(tenant["Href"], headers={"Accept": "application/xml"}).content
    answer = client.put(tenant["Href"], content=as_xml, headers={"Content-Type": "application/xml"})
    finished(client, answer.json())
    assert client.get(tenant["Href"]).json() == {**tenant, "Description": "Again"}
    assert known_to(host)["acme"] == before


def test_a_put_may_hold_one_element_only(client: httpx2.Client, host: ScriptedHost) -> None:
    tenant = add_tenant(client)
    finished(client, client.put(tenant["Href"], json={"Password": "other"}).json())
    assert client.get(tenant["Href"]).json() == tenant
    known = known_to(host)["acme"]
    assert matches(known.password_hash, "other")
    assert not matches(known.password_hash, "s3cret")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"LeaseExpirationDate": "2098-01-02T03:04:05+02:00"},
            datetime(2098, 1, 2, 1, 4, 5, tzinfo=UTC),
        ),
        (
            {"LeaseOptions": {"Enabled": True, "ExpirationDate": "2098-01-02T00:00:00Z"}},
            datetime(2098, 1, 2, tzinfo=UTC),
        ),
        ({"LeaseOptions": {"Enabled": False}}, None),
        ({"LeaseOptions": {"Enabled": False, "ExpirationDate": "0001-01-01T00:00:00"}}, None),
        ({"LeaseExpirationDate": "1753-01-01T00:00:00Z"}, None),
        ({"LeaseOptions": {"Enabled": True, "ExpirationDate": "1753-01-01T00:00:00Z"}}, None),
        ({"LeaseExpirationDate": "0001-01-01T00:00:00Z"}, datetime(2099, 1, 1, tzinfo=UTC)),
        ({"LastActive": "0001-01-01T00:00:00.000+01:00"}, datetime(2099, 1, 1, tzinfo=UTC)),
        ({"Description": "x"}, datetime(2099, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_lease_is_set_by_either_element(
    client: httpx2.Client, host: ScriptedHost, change: dict[str, Any], expected: datetime | None
) -> None:
    tenant = add_tenant(client, LeaseExpirationDate="2099-01-01T00:00:00Z")
    finished(client, client.put(tenant["Href"], json=change).json())
    assert known_to(host)["acme"].expires_at == expected


def test_gateways_learn_the_targets_that_a_tenant_may_reach(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    uid = add_repository(client, "Vault", Address="10.0.0.5:9000")
    add_repository(client, "other")
    tenant = add_tenant(client, Resources={"BackupResources": [quota(uid)]})
    targets = {(t.endpoint, t.address) for t in known_to(host)["acme"].targets}
    assert targets == {
        ("vault.example:8443", "10.0.0.5:9000"),
        ("localhost:9392", "localhost:9392"),
    }
    assert client.put(f"/repositories/{uid}", json={"Address": "10.0.0.6:9000"}).status_code == 204
    assert ("vault.example:8443", "10.0.0.6:9000") in {
        (t.endpoint, t.address) for t in known_to(host)["acme"].targets
    }
    resource = client.get(f"{tenant['Href'].partition('?')[0]}/resources").json()
    href = resource["CloudTenantResources"][0]["Href"]
    finished(client, client.delete(href).json())
    assert [t.endpoint for t in known_to(host)["acme"].targets] == ["localhost:9392"]


def test_a_change_sends_the_change_and_not_the_directory(
    client: httpx2.Client, host: ScriptedHost
) -> None:
    for name in ("one", "two", "three"):
        add_tenant(client, name)
    assert set(known_to(host)) == {"one", "two", "three"}
    four = add_tenant(client, "four")
    change = host.poll().directory
    assert change is not None
    assert [tenant.name for tenant in change.tenants] == ["four"]
    assert change.from_revision > 0
    finished(client, client.delete(four["Href"]).json())
    change = host.poll().directory
    assert change is not None
    assert (change.tenants, [str(gone) for gone in change.removed]) == (
        (),
        [four["UID"].rpartition(":")[2]],
    )


def test_a_tenants_task_waits_for_the_gateways_of_its_site(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    become_gateway(client, host)
    task = client.post("/cloud/tenants", json={"Name": "acme", "Password": "p"}).json()
    running.wake()
    assert client.get(task["Href"]).json()["State"] == "Running"
    host.obey()
    assert finished(client, task)["Result"] == {"Success": True, "Message": "Ok"}
    late = client.post("/cloud/tenants", json={"Name": "late", "Password": "p"}).json()
    running.clock.ahead = timedelta(minutes=1)
    running.wake()
    message = finished(client, late)["Result"]["Message"]
    assert message == "Ok. Not reached yet, and told as soon as they are there: gw1.example."


def test_a_change_that_a_gateway_cannot_take_in_is_not_told_as_a_success(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    become_gateway(client, host)
    facts = host.facts.model_copy(update={"trouble": "Its disk takes nothing: make room."})
    task = client.post("/cloud/tenants", json={"Name": "acme", "Password": "p"}).json()
    running.clock.ahead = timedelta(seconds=11)
    host.report(facts=facts)
    running.wake()
    result = finished(client, task)["Result"]
    assert result["Success"] is False
    assert result["Message"] == (
        "It is kept, and not in force at gw1.example, which is told again until it takes it in:"
        " Its disk takes nothing: make room."
    )
    assert "acme" in {each["Name"] for each in client.get("/cloud/tenants").json()["Refs"]}


FULL = "Its disk takes nothing: make room."


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (
            FULL,
            (
                "It is kept, and not in force at g01, g03, g05, g07, g09 and 5 more, which are told"
                f" until they take it in: {FULL}"
            ),
        ),
        (
            "Its disk {name} is full.",
            "".join(
                f"It is kept, and not in force at {name}, which is told again until it takes it in:"
                f" Its disk {name} is full. "
                for name in ("g01", "g03", "g05", "g07", "g09")
            )
            + "Nor is it at 5 more, for other reasons: see the warnings of these gateways.",
        ),
    ],
)
def test_of_many_gateways_that_a_change_does_not_reach_five_are_named(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost, trouble: str, said: str
) -> None:
    with running.manager.changing() as work:
        site_id = work.session.scalars(select(BackupServer.id)).one()
        for number in range(20):
            name = f"g{number:02d}"
            there: dict[str, Any] = {}
            if number % 2:
                told = {"trouble": trouble.format(name=name)}
                facts = host.facts.model_copy(update=told).model_dump(mode="json")
                there = {"online_since": work.now, "seen_at": work.now, "facts": facts}
            add_gateway(work, site_id, name, **there)
    task = client.post("/cloud/tenants", json={"Name": "acme", "Password": "p"}).json()
    running.clock.ahead = timedelta(seconds=11)
    running.wake()
    assert finished(client, task)["Result"]["Message"] == (
        f"{said} Not reached yet, and told as soon as they are there: g00, g02, g04, g06, g08 and"
        " 5 more."
    )


def test_a_gateway_that_is_there_and_says_nothing_is_waited_for_and_not_for_ever(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    become_gateway(client, host)
    task = client.post("/cloud/tenants", json={"Name": "acme", "Password": "p"}).json()
    for seconds in (11, 25, 45):
        running.clock.ahead = timedelta(seconds=seconds)
        host.report()
        running.wake()
        assert client.get(task["Href"]).json()["State"] == "Running"
    running.clock.ahead = timedelta(seconds=70)
    host.report()
    running.wake()
    result = finished(client, task)["Result"]
    assert result["Success"] is False
    assert "not in force at gw1.example" in result["Message"]


def test_a_deleted_tenant_is_gone(client: httpx2.Client) -> None:
    tenant = add_tenant(client)
    task = finished(client, client.delete(f"{tenant['Href']}&includeBackups=true").json())
    assert (task["Operation"], len(task["Links"])) == ("DeleteCloudTenant", 1)
    assert client.get(tenant["Href"]).status_code == 404
    add_tenant(client)


def test_a_quota_is_added_shown_and_removed(client: httpx2.Client) -> None:
    tenant = add_tenant(client)
    resources = f"{tenant['Href'].partition('?')[0]}/resources"
    task = client.post(resources, json={**quota(add_repository(client)), "WanAcceleratorUid": ""})
    done = finished(client, task.json())
    assert done["Operation"] == "CreateCloudTenantResource"
    related = done["Links"][1]
    assert (related["Type"], related["Name"]) == ("CloudTenantResource", "acme")
    resource = client.get(related["Href"]).json()
    assert [(link["Rel"], link["Type"]) for link in resource["Links"]] == [
        ("Delete", "CloudTenantResource"),
        ("Up", "CloudTenant"),
        ("Up", "BackupServer"),
    ]
    assert client.get(resources).json()["CloudTenantResources"] == [resource]
    gone = finished(client, client.delete(related["Href"]).json())
    assert gone["Operation"] == "DeleteCloudTenantResource"
    assert client.get(related["Href"]).status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"Name": "ACME"}, 400, "A tenant named acme is there already"),
        ({"Name": "a/b"}, 400, "'/'"),
        ({"Name": "ends."}, 400, "ends with a dot"),
        ({"Name": "LPT1"}, 400, "reserved"),
        ({"Name": ""}, 400, "Name"),
        ({"Name": "x" * 129}, 400, "Name"),
        ({"TenantType": "VCD"}, 501, "Standalone"),
        ({"LeaseExpirationDate": "tomorrow"}, 400, "LeaseExpirationDate"),
        ({"LeaseExpirationDate": "2023-02-30T00:00:00Z"}, 400, "LeaseExpirationDate"),
        ({"LeaseExpirationDate": "9999-12-31T23:59:59-05:00"}, 400, "LeaseExpirationDate"),
        ({"Resources": {"BackupResources": [quota("x")]}}, 400, "RepositoryUid"),
        (
            {"Resources": {"BackupResources": [quota("29e5d158-1f58-44bc-bbaa-2752d787a91d")]}},
            404,
            "no repository",
        ),
        (
            {
                "Resources": {
                    "BackupResources": [quota("29e5d158-1f58-44bc-bbaa-2752d787a91d", "q", 1023)]
                }
            },
            400,
            "expected a quota of 1024 to",
        ),
        ({"MaxConcurrentTasks": -1}, 400, "MaxConcurrentTasks"),
    ],
)
def test_what_cannot_be_a_tenant_is_refused_with_the_reason(
    client: httpx2.Client, change: dict[str, Any], status: int, words: str
) -> None:
    add_tenant(client, "acme")
    answer = client.post("/cloud/tenants", json={"Name": "other", **change})
    assert (answer.status_code, words in answer.json()["Message"]) == (status, True), answer.text
    assert len(client.get("/cloud/tenants").json()["Refs"]) == 1
    assert len(client.get("/tasks").json()["Tasks"]) == 1


def test_two_quotas_on_one_repository_are_refused(client: httpx2.Client) -> None:
    uid = add_repository(client)
    two = {"BackupResources": [quota(uid, "a"), quota(uid, "b")]}
    answer = client.post("/cloud/tenants", json={"Name": "acme", "Resources": two})
    assert (answer.status_code, client.get("/cloud/tenants").json()) == (400, {"Refs": []})


def test_a_change_may_end_the_tunnels_that_a_tenant_has(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    task = finished(client, client.post("/cloud/tenants", json={"Name": "acme"}).json())
    href = task["Links"][1]["Href"].partition("?")[0]
    host.poll()
    client.put(href, json={"Password": "another"})
    update = host.poll().directory
    assert update is not None
    assert update.tenants[0].tunnels_end_before is None
    client.put(f"{href}?endTunnels=true", json={"Password": "a third"})
    update = host.poll().directory
    assert update is not None
    assert update.tenants[0].tunnels_end_before is not None


@pytest.mark.parametrize("ending", [False, True])
def test_a_quota_that_is_taken_away_ends_the_tunnels_where_that_is_asked_for(
    running: RunningManager, host: ScriptedHost, *, ending: bool
) -> None:
    client = running.logged_on()
    repository = client.post(
        "/repositories", json={"Name": "vault", "Kind": "LinuxLocal", "Endpoint": "v.example:1"}
    ).json()
    spec = {"Name": "q", "RepositoryUid": repository["UID"], "QuotaMb": 2048}
    body = {"Name": "acme", "Resources": {"BackupResources": [spec]}}
    task = finished(client, client.post("/cloud/tenants", json=body).json())
    href = task["Links"][1]["Href"].partition("?")[0]
    (quota,) = client.get(f"{href}/resources").json()["CloudTenantResources"]
    host.poll()
    finished(client, client.delete(quota["Href"] + "?endTunnels=true" * ending).json())
    update = host.poll().directory
    assert update is not None
    (told,) = update.tenants
    # By this alone, a host of the release before ends all of them.
    assert (told.tunnels_end_before is not None) == ending
    assert [each.endpoint for each in told.ended_targets] == ["v.example:1"] * ending
    assert told.all_end_before is None
    client.put(f"{href}?endTunnels=true", json={"Password": "another"})
    update = host.poll().directory
    assert update is not None
    (told,) = update.tenants
    assert told.tunnels_end_before is not None
    assert told.ended_targets == ()
    event = running.logged("DeleteCloudTenantResource")
    assert (event.after or {}).get("Tunnels") == ("ended" if ending else None)


def test_limits_reach_the_gateways_once_somebody_sets_them(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    task = finished(client, client.post("/cloud/tenants", json={"Name": "acme"}).json())
    href = task["Links"][1]["Href"].partition("?")[0]
    entity = client.get(f"{href}?format=Entity").json()
    assert entity["MaxConcurrentTasks"] == 1
    update = host.poll().directory
    assert update is not None
    assert update.tenants[0].concurrent_tunnels is None
    assert update.tenants[0].speed_limit_bytes is None
    # The whole entity sent back sets nothing that was a default.
    for change, expected in (
        (entity, (None, None)),
        ({"MaxConcurrentTasks": 3}, (3, None)),
        ({"ThrottlingEnabled": True, "ThrottlingSpeedLimit": 8}, (3, 8 * 1024 * 1024)),
        ({"ThrottlingSpeedUnit": "Mbps"}, (3, 1_000_000)),
        ({"ThrottlingSpeedLimit": 0}, (3, None)),
        ({"ThrottlingSpeedLimit": 2}, (3, 250_000)),
        ({"ThrottlingEnabled": False}, (3, None)),
    ):
        assert limits_after(client, host, href, change) == expected


def limits_after(
    client: httpx2.Client, host: ScriptedHost, href: str, change: dict[str, Any]
) -> tuple[int | None, int | None]:
    """Tunnels at a time and bytes each second of the only tenant, as gateways learn them."""
    finished(client, client.put(href, json=change).raise_for_status().json())
    known = known_to(host)["acme"]
    return known.concurrent_tunnels, known.speed_limit_bytes


def test_one_tunnel_at_a_time_can_be_meant_and_a_limit_be_taken_away(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    href = str(add_tenant(client)["Href"])

    def shown() -> dict[str, Any]:
        entity: dict[str, Any] = client.get(href).json()
        return entity

    known_to(host)
    assert limits_after(client, host, href, {"MaxConcurrentTasks": 1}) == (1, None)
    assert limits_after(client, host, href, shown()) == (1, None)
    assert limits_after(client, host, href, {"MaxConcurrentTasks": 0}) == (None, None)
    assert shown()["MaxConcurrentTasks"] == 0
    # Now that it shows 0, whoever sends the entity back with a 1 in it has chosen that.
    assert limits_after(client, host, href, shown()) == (None, None)
    assert limits_after(client, host, href, {**shown(), "MaxConcurrentTasks": 1}) == (1, None)
    changes = [
        (event.before or {}, event.after or {})
        for event in running.audited()
        if event.operation == "EditCloudTenant"
    ]
    none, one = {"MaxConcurrentTasks": None}, {"MaxConcurrentTasks": 1}
    assert changes == [(none, one), ({}, {}), (one, none), ({}, {}), (none, one)]


@pytest.mark.parametrize("read_only", ["UID", "Links", "LastResult", "ServerBackupCount"])
def test_a_default_that_was_only_shown_limits_nothing_when_it_comes_back(
    running: RunningManager, host: ScriptedHost, read_only: str
) -> None:
    client = running.logged_on()
    entity = add_tenant(client)
    known_to(host)
    change = {name: entity[name] for name in ("MaxConcurrentTasks", read_only)}
    assert limits_after(client, host, entity["Href"], change) == (None, None)


def test_a_new_tenant_may_have_one_tunnel_at_a_time_or_no_limit(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    none = {"MaxConcurrentTasks": 0, "ThrottlingEnabled": True, "ThrottlingSpeedLimit": 0}
    assert add_tenant(client, "one", MaxConcurrentTasks=1)["MaxConcurrentTasks"] == 1
    assert add_tenant(client, "many", **none)["MaxConcurrentTasks"] == 0
    known = known_to(host)
    assert known["one"].concurrent_tunnels == 1
    assert known["many"].concurrent_tunnels is None
    assert known["many"].speed_limit_bytes is None


def test_gateways_of_a_tenant_have_its_speed_limit_together(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    other = ScriptedHost(running, name="gw2.example")
    body = {"Name": "acme", "ThrottlingEnabled": True, "ThrottlingSpeedLimit": 8}
    finished(client, client.post("/cloud/tenants", json=body).json())
    update = host.poll().directory
    assert update is not None
    tenant_id = update.tenants[0].tenant_id

    def part_of(who: ScriptedHost, sent_bytes: int) -> int:
        demands = (Demand(tenant_id=tenant_id, sent_bytes=sent_bytes),)
        report = DemandReport(machine=who.facts.machine, demands=demands)
        answer = who.client.post("/demand", content=report.model_dump_json()).raise_for_status()
        (part,) = Allowances.model_validate_json(answer.content).allowances
        assert part.limit_bytes is not None
        return part.limit_bytes

    limit = 8 * 1024 * 1024
    assert part_of(host, limit) == limit
    part_of(other, limit)
    assert part_of(host, limit) + part_of(other, limit) == limit
    other.close()
