"""What does a tenant, or its user, see of itself, and nobody else? By the real port, over HTTPS."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from cloudgate.api.access import TENANTS, roles_for
from cloudgate.api.table import ROUTES
from cloudgate.manager.gateways import tunnel_hosts
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.manager.tenants import own_password
from cloudgate.protocol import (
    Figures,
    Guess,
    LiveTunnel,
    TenantFigures,
    Usage,
    UsageBatch,
)
from cloudgate.trust import login_throttle
from tests.support.running.customers import SECRET, TARGET, Customer, add_vault, host_of_module
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import (
    PASSWORD,
    RunningManager,
    client_of_module,
    finished,
    manager_of_module,
)
from tests.support.waiting import until

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)

running = manager_of_module()
client = client_of_module()
host = host_of_module()


@pytest.fixture(scope="module")
def vault(client: httpx2.Client) -> str:
    return add_vault(client)


@pytest.fixture(scope="module")
def acme(client: httpx2.Client, host: ScriptedHost, vault: str) -> Customer:
    del host  # it only has to be there
    return Customer(client, "acme", vault)


@pytest.fixture(scope="module")
def other(client: httpx2.Client, host: ScriptedHost, vault: str) -> Customer:
    del host  # it only has to be there
    return Customer(client, "other", vault)


def logs_on(running: RunningManager, name: str, password: str = SECRET) -> httpx2.Response:
    return running.client(Accept="application/json").post(
        "/sessionMngr/?v=latest&as=tenant", auth=(name, password)
    )


def as_tenant(running: RunningManager, name: str, password: str = SECRET) -> httpx2.Client:
    came = running.client(Accept="application/json")
    came.post("/sessionMngr/?as=tenant", auth=(name, password)).raise_for_status()
    return came


def edited(client: httpx2.Client, path: str, **said: Any) -> None:
    finished(client, client.put(path, json=said).json())


def test_a_tenant_sees_its_quotas_limits_and_gateways(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    edited(client, acme.path, Description="a note of the provider", MaxConcurrentTasks=4)
    came = as_tenant(running, "ACME")
    shown = came.get("/cloud/self").json()
    (quota,) = shown["Quotas"]["CloudSelfQuotas"]
    assert (shown["Name"], shown["Tenant"], shown["Subtenant"]) == ("acme", "acme", None)
    assert (quota["DisplayName"], quota["Endpoint"], quota["Quota"]) == ("vault", TARGET, 10240)
    assert quota["UsedQuota"] is None
    assert shown["MaxConcurrentTasks"] == 4
    assert shown["Gateways"]["Gateways"] == ["192.0.2.10:6180"]
    assert "a note of the provider" not in came.get("/cloud/self").text
    users = came.get("/cloud/self/subtenants").json()["CloudSubtenants"]
    assert [each["Name"] for each in users] == ["ann", "bob"]
    assert [each["RepositoryQuota"]["QuotaMb"] for each in users] == [2048, 2048]
    assert "BEGIN CERTIFICATE" in came.get("/cloud/self/authority").text
    xml = came.get("/cloud/self", headers={"Accept": "application/xml"})
    assert "<CloudSelfQuota>" in xml.text


def test_what_was_measured_more_than_a_day_ago_says_so(
    running: RunningManager, acme: Customer
) -> None:
    came = as_tenant(running, "acme")
    for age, is_old in ((timedelta(hours=23), False), (timedelta(hours=25), True)):
        with running.manager.changing() as work:
            (resource,) = work.session.get_one(CloudTenant, acme.id).resources
            resource.used_bytes = 9 * 1024**3
            resource.measured_at = work.now - age
        (quota,) = came.get("/cloud/self").json()["Quotas"]["CloudSelfQuotas"]
        assert (quota["UsedQuota"], quota["IsOld"]) == (9216, is_old)
        assert quota["UsedQuotaTime"]
        assert "90 %" in quota["Warning"] or "80 %" in quota["Warning"]


def test_a_user_sees_its_part_and_nothing_of_the_tenants_others(
    running: RunningManager, acme: Customer
) -> None:
    came = as_tenant(running, "acme/ann")
    shown = came.get("/cloud/self").json()
    (quota,) = shown["Quotas"]["CloudSelfQuotas"]
    assert (shown["Name"], shown["Subtenant"]) == ("acme\\ann", "ann")
    assert (quota["Quota"], quota["UsedQuota"]) == (2048, None)
    assert came.get("/cloud/self/subtenants").json() == {"CloudSubtenants": []}
    for name in ("ann", "bob"):
        path = f"/cloud/self/subtenants/{acme.user_id(name)}"
        assert came.get(path).status_code == 404
        change = came.put(f"{path}/password", json={"Password": "a longer password"})
        assert change.status_code == 404


def test_when_it_was_last_active_is_a_tenants_to_see_and_not_its_users(
    running: RunningManager, acme: Customer
) -> None:
    with running.manager.changing() as work:
        work.session.get_one(CloudTenant, acme.id).last_active_at = work.now
    assert as_tenant(running, "acme").get("/cloud/self").json()["LastActive"]
    assert as_tenant(running, "acme/ann").get("/cloud/self").json()["LastActive"] is None


@pytest.mark.parametrize("name", ["other", "other\\ann"])
def test_what_is_another_tenants_is_not_there_for_one(
    running: RunningManager, acme: Customer, other: Customer, name: str
) -> None:
    """Each call of tenants, with the ids of another: as with ids of nothing."""
    came = as_tenant(running, name)
    assert other.name in name
    named = [each for each in ROUTES if roles_for(each) == TENANTS and "{" in each.path]
    assert named
    for route in named:
        for theirs in (acme.user_id("ann"), acme.id, uuid4()):
            path = re.sub(r"\{\w+\}", str(theirs), route.path)
            body = {"Password": "a longer password"} if route.bodies else None
            answer = came.request(route.verb, path, json=body)
            assert answer.status_code == 404, (route.verb, path)
            assert "acme" not in answer.text
            assert f" with the id {theirs}" in answer.json()["Message"]


def test_live_tunnels_are_shown_to_whose_they_are_and_each_host_is_asked_once_for_all(
    running: RunningManager,
    acme: Customer,
    other: Customer,
    host: ScriptedHost,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tunnel(name: str, tenant: Customer, user: str | None = None) -> LiveTunnel:
        return LiveTunnel(
            tunnel=name,
            tenant_id=tenant.id,
            user_id=tenant.user_id(user) if user else None,
            target=TARGET,
            client="198.51.100.7:40000",
            started_at=BEGAN,
            bytes_up=1_000_000,
            bytes_down=20,
        )

    host.tunnels = (tunnel("a", acme), tunnel("b", acme, "ann"), tunnel("c", other))

    def seen(name: str) -> list[str]:
        shown = as_tenant(running, name).get("/cloud/self/tunnels").json()
        assert shown["UnknownGateways"] == 0
        return [each["TunnelId"] for each in shown["CloudGatewayTunnels"]]

    until(lambda: seen("acme") == ["a", "b"])
    assert [seen("acme\\ann"), seen("acme\\bob"), seen("other")] == [["b"], [], ["c"]]
    shown = as_tenant(running, "acme\\ann").get("/cloud/self/tunnels").json()
    assert shown["CloudGatewayTunnels"][0] == {
        "TunnelId": "b",
        "Tenant": "acme",
        "Subtenant": "ann",
        "Target": TARGET,
        "Client": "198.51.100.7:40000",
        "BeginTime": "2026-03-01T12:00:00Z",
        "BytesUp": 1_000_000,
        "BytesDown": 20,
    }
    client = running.logged_on()
    seen_by_provider = client.get(f"{acme.path}/tunnels").json()
    assert seen_by_provider["UnknownGateways"] == 0
    first, second = seen_by_provider["CloudTenantTunnels"]
    assert (first["TunnelId"], first["CloudGateway"]) == ("a", host.name)
    assert second == {
        **shown["CloudGatewayTunnels"][0],
        "CloudGateway": host.name,
        "CloudGatewayUid": first["CloudGatewayUid"],
    }
    gateway = first["CloudGatewayUid"].rpartition(":")[2]
    assert client.get(f"/cloud/gateways/{gateway}?format=Entity").json()["Name"] == host.name

    # Of many gateways those are asked that have said that they have some, however many these are.
    monkeypatch.setattr(tunnel_hosts, "ASKED_ANYWAY", 0)
    assert client.get(f"{acme.path}/tunnels").json()["UnknownGateways"] == 1
    for live, expected in ((0, []), (2, ["a", "b"])):
        of_acme = TenantFigures(tenant_id=acme.id, tunnels=live, refused=0, held_back_seconds=0.0)
        figures = Figures(run="1", uptime_seconds=0, tenants=(of_acme,))
        host.report(figures=figures).raise_for_status()
        until(partial(lambda those: seen("acme") == those, expected))
    assert seen("other") == []


def test_what_was_used_is_to_the_byte_what_the_provider_bills(
    running: RunningManager, client: httpx2.Client, acme: Customer, host: ScriptedHost
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    lines = [(None, 1001, 17), (acme.user_id("ann"), 2002, 34)]
    usage = tuple(
        Usage(
            minute=now,
            tenant_id=acme.id,
            user_id=user,
            target=TARGET,
            tunnels=1,
            bytes_up=up,
            bytes_down=down,
        )
        for user, up, down in lines
    )
    batch = UsageBatch(batch="of acme", usage=usage)
    host.client.post("/usage", content=batch.model_dump_json()).raise_for_status()
    billed = client.get(f"{acme.path}/usage").json()
    tenant = as_tenant(running, "acme")
    assert tenant.get("/cloud/self/usage").json() == billed
    (own,) = as_tenant(running, "acme\\ann").get("/cloud/self/usage").json()["CloudTenantUsages"]
    assert (own["Subtenant"], own["BytesUp"], own["BytesDown"]) == ("ann", 2002, 34)
    assert as_tenant(running, "acme\\bob").get("/cloud/self/usage").json() == {
        "CloudTenantUsages": []
    }

    again = batch.model_copy(
        update={
            "batch": "of acme, a minute before",
            "usage": tuple(
                each.model_copy(update={"minute": now - timedelta(minutes=1)}) for each in usage
            ),
        }
    )
    host.client.post("/usage", content=again.model_dump_json()).raise_for_status()
    added_up = tenant.get("/cloud/self/usage?total=true").json()
    assert added_up == client.get(f"{acme.path}/usage?total=true").json()
    told = {each.get("Subtenant"): each for each in added_up["CloudTenantUsages"]}
    assert {name: each["BytesUp"] for name, each in told.items()} == {None: 2002, "ann": 4004}
    assert {each.get("Minutes") for each in told.values()} == {None}
    chosen = {"total": "true", "filter": f"BeginTime>={now:%Y-%m-%dT%H:%M:%SZ}"}
    later = tenant.get("/cloud/self/usage", params=chosen).json()["CloudTenantUsages"]
    assert sorted(each["BytesUp"] for each in later) == [1001, 2002]
    wrong = tenant.get("/cloud/self/usage?total=perhaps")
    assert (wrong.status_code, wrong.json()["Message"]) == (
        400,
        "total: found 'perhaps', expected true or false.",
    )


def test_when_it_was_held_back_a_tenant_sees_of_itself_and_a_user_does_not(
    running: RunningManager, client: httpx2.Client, acme: Customer, host: ScriptedHost
) -> None:
    for seconds in (0.0, 12.0):
        of_acme = TenantFigures(tenant_id=acme.id, tunnels=1, refused=0, held_back_seconds=seconds)
        figures = Figures(run="1", uptime_seconds=seconds, tenants=(of_acme,))
        host.report(figures=figures).raise_for_status()
    path = "/cloud/self/heldBack"
    own = as_tenant(running, "acme").get(path).json()
    assert own == client.get(f"{acme.path}/heldBack").json()
    assert sum(each["LimitSeconds"] for each in own["CloudHeldBackTimes"]) == 12
    assert as_tenant(running, "acme\\ann").get(path).status_code == 404


def test_who_came_and_who_failed_is_seen_by_whose_name_it_was(
    running: RunningManager, acme: Customer, other: Customer, host: ScriptedHost
) -> None:
    assert acme.name != other.name
    assert logs_on(running, "acme\\bob", "wrong").status_code == 401
    guess = Guess(
        name="ACME\\ann",
        address="198.51.100.9",
        count=3,
        first_at=BEGAN,
        last_at=BEGAN,
    )
    host.report(guesses=(guess,)).raise_for_status()

    def seen(name: str) -> list[tuple[str, str, bool, int]]:
        found = as_tenant(running, name).get("/cloud/self/logins").json()["CloudSelfLogins"]
        assert all(each["Time"] for each in found)
        return [(each["Name"], each["Address"], each["Success"], each["Count"]) for each in found]

    wrong = ("acme\\bob", "127.0.0.1", False, 1)
    guessed = ("ACME\\ann", "198.51.100.9", False, 3)
    assert {wrong, guessed, ("acme", "127.0.0.1", True, 1)} <= set(seen("acme"))
    assert wrong in seen("acme\\bob")
    assert guessed in seen("acme\\ann")
    assert not {wrong, guessed} & set(seen("other"))
    assert guessed not in seen("acme\\bob")
    assert all("admin" not in each[0] for each in seen("acme")), "operators are not shown"


def test_a_tenant_changes_the_password_of_its_user_where_the_provider_lets_it(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    came, chosen = as_tenant(running, "acme"), "chosen for bob"
    path = f"/cloud/self/subtenants/{acme.user_id('bob')}/password"
    refused = came.put(path, json={"Password": chosen})
    assert refused.status_code == 403
    assert "Ask the provider" in refused.json()["Message"]
    edited(client, acme.path, MayChangePassword=True)
    bob = as_tenant(running, "acme\\bob")
    assert came.put(path, json={"Password": "short"}).status_code == 400
    assert came.put(path, json={"Password": chosen}).status_code == 204
    assert bob.get("/cloud/self").status_code == 401, "its session was of the old password"
    assert logs_on(running, "acme\\bob", chosen).status_code == 201
    assert came.get("/cloud/self").status_code == 200
    event = running.logged("ChangeOwn")
    assert (event.account, event.object_name) == ("acme", "bob")


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ({"Enabled": False}, {"Enabled": True}),
        (
            {"LeaseOptions": {"Enabled": True, "ExpirationDate": "2020-01-01T00:00:00Z"}},
            {"LeaseOptions": {"Enabled": False}},
        ),
        ({"AllowedNetworks": {"Networks": ["192.0.2.0/24"]}}, {"AllowedNetworks": {}}),
        ({"MayUsePortal": False}, {"MayUsePortal": True}),
        ({"Password": "another password"}, {"Password": SECRET}),
    ],
    ids=lambda each: next(iter(each)),
)
def test_who_may_not_come_any_more_is_out_at_once(
    running: RunningManager,
    client: httpx2.Client,
    other: Customer,
    change: dict[str, Any],
    back: dict[str, Any],
) -> None:
    sessions = [as_tenant(running, name) for name in ("other", "other\\ann")]
    client.put(other.path, json=change).raise_for_status()
    is_password = "Password" in change
    for came, name in zip(sessions, ("other", "other\\ann"), strict=True):
        is_out = not is_password or name == "other"
        assert came.get("/cloud/self").status_code == (401 if is_out else 200)
        assert logs_on(running, name).status_code == (201 if not is_out else 401) or (
            logs_on(running, name).status_code == 403
            and {"AllowedNetworks", "MayUsePortal"} & set(change)
        )
    client.put(other.path, json=back).raise_for_status()
    for each in client.get("/tasks").json()["Tasks"]:
        finished(client, each)


def test_a_lease_that_ends_while_somebody_looks_ends_the_session(
    running: RunningManager, client: httpx2.Client, other: Customer
) -> None:
    came = as_tenant(running, "other")
    ends = running.clock() + timedelta(minutes=5)
    lease = {"Enabled": True, "ExpirationDate": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
    client.put(other.path, json={"LeaseOptions": lease}).raise_for_status()
    assert came.get("/cloud/self").status_code == 200
    running.clock.ahead += timedelta(minutes=6)
    assert came.get("/cloud/self").status_code == 401
    running.clock.ahead -= timedelta(minutes=6)
    client.put(other.path, json={"LeaseOptions": {"Enabled": False}}).raise_for_status()


def test_a_session_ends_by_itself_and_by_logging_off_and_never_opens_an_account(
    running: RunningManager, acme: Customer
) -> None:
    assert acme.name
    came = as_tenant(running, "acme")
    session = came.get("/cloud/self/session").json()
    assert session["UserName"] == "acme"
    assert {each["Rel"] for each in session["Links"]} == {"Up", "Down", "Delete"}
    assert came.get("/logonSessions").status_code == 403
    assert came.get(f"/logonSessions/{session['SessionId']}").status_code == 403
    assert came.delete(session["Href"]).status_code == 204
    assert came.get("/cloud/self").status_code == 401
    idle = as_tenant(running, "acme")
    running.clock.ahead += timedelta(minutes=16)
    assert idle.get("/cloud/self").status_code == 401
    running.clock.ahead -= timedelta(minutes=16)


def test_an_accounts_password_opens_no_tenant_and_a_tenants_no_account(
    running: RunningManager, acme: Customer
) -> None:
    assert acme.name
    client = running.client(Accept="application/json")
    assert client.post("/sessionMngr/?as=tenant", auth=("admin", PASSWORD)).status_code == 401
    assert client.post("/sessionMngr/", auth=("acme", SECRET)).status_code == 401
    assert client.post("/sessionMngr/?as=admin", auth=("acme", SECRET)).status_code == 400
    body = {"TenantCredentials": {"Username": "acme", "Password": SECRET}}
    both = client.post("/sessionMngr/?as=tenant", auth=("acme", SECRET), json=body)
    assert both.status_code == 400


def test_guesses_of_a_tenants_password_are_slowed_as_those_of_an_account(
    running: RunningManager, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert acme.name
    seen: list[tuple[str, str]] = []
    whole = login_throttle.LoginThrottle.failed

    def failed(self: login_throttle.LoginThrottle, account: str, address: str) -> float:
        seen.append((account, address))
        return whole(self, account, address)

    monkeypatch.setattr(login_throttle.LoginThrottle, "failed", failed)
    assert logs_on(running, "acme", "wrong").status_code == 401
    assert seen == [(own_password.guessed("ACME"), "127.0.0.1")]
