"""A host knows the tenants that its gateway may let in; of others only what ends their tunnels."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest

from cloudgate.host.state.tenant_directory import Tenants
from cloudgate.protocol import Demand, DemandReport, GatewayState, Tenant, Usage, UsageBatch
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

PASSWORD = "correct horse battery"


class Listener(ScriptedHost):
    """A host that keeps what it is told as the real one does."""

    tenants = Tenants()

    def hear(self, *, update: bool = True) -> None:
        """Take in what was told, and report it."""
        if update:
            self.poll()
        change = self.update.directory
        if change is not None:
            after = self.tenants.after(change)
            assert after is not None, change
            self.tenants = after

    def done(self, state: GatewayState = GatewayState.LISTENING) -> None:
        """Take in what there is, and say so."""
        self.hear()
        self.report(state).raise_for_status()

    @property
    def whole(self) -> dict[str, Tenant]:
        """Those that it can let in, by name."""
        return {each.name: each for each in self.tenants.by_id.values() if each.password_hash}

    @property
    def bare(self) -> dict[UUID, Tenant]:
        """Those that it only knows to be there."""
        return {key: each for key, each in self.tenants.by_id.items() if not each.password_hash}


@pytest.fixture
def first(running: RunningManager) -> Iterator[Listener]:
    joined = Listener(running, "gw1.example", is_told=False)
    yield joined
    joined.close()


@pytest.fixture
def second(running: RunningManager) -> Iterator[Listener]:
    joined = Listener(running, "gw2.example", ("192.0.2.20",), is_told=False)
    yield joined
    joined.close()


def uid(client: httpx2.Client, task: dict[str, Any]) -> str:
    return str(client.get(task["Links"][1]["Href"]).raise_for_status().json()["UID"])


def gateway(client: httpx2.Client, host: Listener) -> str:
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).raise_for_status().json()
    host.done()
    return uid(client, finished(client, task))


def changed(client: httpx2.Client, answer: httpx2.Response, *hosts: Listener) -> dict[str, Any]:
    """The finished task of a change, once these hosts have heard of it."""
    for host in hosts:
        host.done()
    return finished(client, answer.raise_for_status().json())


def tenant(client: httpx2.Client, name: str, *hosts: Listener, **more: Any) -> UUID:
    spec = {"Name": name, "Password": PASSWORD, **more}
    task = changed(client, client.post("/cloud/tenants", json=spec), *hosts)
    return UUID(uid(client, task)[-36:])


def pool(client: httpx2.Client, name: str, gateway_uid: str, *hosts: Listener) -> str:
    spec = {"Name": name, "CloudGateways": {"CloudGatewayUids": [gateway_uid]}}
    task = changed(client, client.post("/cloud/gatewayPools", json=spec), *hosts)
    return uid(client, task)


def into(client: httpx2.Client, tenant_id: UUID, *pools: str, failover: bool = False) -> Any:
    spec = {
        "CloudGatewayPools": {"CloudGatewayPoolUids": list(pools)},
        "FailoverToOthersGatewaysIfFail": failover,
    }
    return client.put(f"/cloud/tenants/{tenant_id}", json=spec)


def test_a_host_without_the_role_knows_nobody_and_with_it_all_before_it_is_finished(
    running: RunningManager, client: httpx2.Client, first: Listener
) -> None:
    task = client.post("/cloud/tenants", json={"Name": "acme", "Password": PASSWORD}).json()
    finished(client, task)
    first.hear()
    assert first.tenants.revision
    assert not first.tenants.by_id
    spec = {"ServerHostName": first.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).json()
    first.poll()
    assert first.update.assignment is not None
    assert first.update.directory is not None, "told together, so that nobody is refused wrongly"
    known = first.directory_revision
    first.directory_revision = known - 1
    first.report().raise_for_status()
    assert client.get(task["Href"]).json()["State"] == "Running"
    first.directory_revision = known
    first.report().raise_for_status()
    assert finished(client, task)["Result"]["Success"]
    first.hear(update=False)
    assert set(first.whole) == {"acme"}


def test_each_pool_is_told_of_its_own_tenants_and_of_no_others_not_even_that_they_are_there(
    client: httpx2.Client, first: Listener, second: Listener
) -> None:
    set_apart, everybody = gateway(client, first), gateway(client, second)
    first.hear()
    assert everybody
    gold = pool(client, "gold", set_apart, first, second)
    for name, more in (
        ("apart", {"CloudGatewayPools": {"CloudGatewayPoolUids": [gold]}}),
        ("common", {}),
        (
            "both",
            {
                "CloudGatewayPools": {"CloudGatewayPoolUids": [gold]},
                "FailoverToOthersGatewaysIfFail": True,
            },
        ),
    ):
        tenant(client, name, first, second, **more)
    assert set(first.whole) == {"apart", "both"}
    assert set(second.whole) == {"common", "both"}
    assert not first.bare
    assert not second.bare
    for host in (first, second):
        host.directory_revision = 0
        host.hear()
    assert set(first.whole) == {"apart", "both"}
    assert set(second.whole) == {"common", "both"}
    assert not first.bare
    assert not second.bare


def test_who_moves_is_forgotten_but_for_what_ends_his_tunnels(
    client: httpx2.Client, first: Listener, second: Listener
) -> None:
    apart = gateway(client, first)
    gateway(client, second)
    first.hear()
    gold = pool(client, "gold", apart, first, second)
    acme = tenant(client, "acme", first, second)
    assert set(second.whole) == {"acme"}
    changed(client, into(client, acme, gold), first, second)
    assert set(first.whole) == {"acme"}
    left = second.bare[acme]
    assert (left.password_hash, left.targets, left.name) == ("", (), str(acme))
    assert "acme" not in second.tenants.whole().model_dump_json()
    assert left.enabled
    assert left.pool_ids, "it has no place here, so that its tunnels drain"
    changed(client, client.put(f"/cloud/tenants/{acme}", json={"Enabled": False}), first, second)
    assert not second.bare[acme].enabled
    changed(client, into(client, acme), first, second)
    assert set(second.whole) == {"acme"}
    assert not first.whole
    changed(client, client.delete(f"/cloud/tenants/{acme}"), first, second)
    assert not first.tenants.by_id
    assert not second.tenants.by_id


def test_a_gateway_that_moves_is_told_all_anew(
    client: httpx2.Client, first: Listener, second: Listener
) -> None:
    moving = gateway(client, first)
    gateway(client, second)
    first.hear()
    common = tenant(client, "common", first, second)
    gold = pool(client, "gold", moving, first, second)
    assert not first.whole
    assert set(first.bare) == {common}, "its tunnels go on until their time is over"
    tenant(client, "apart", first, second, CloudGatewayPools={"CloudGatewayPoolUids": [gold]})
    assert set(first.whole) == {"apart"}
    assert not second.bare


def test_a_host_that_is_another_release_now_is_told_all_anew(
    client: httpx2.Client, first: Listener
) -> None:
    gateway(client, first)
    tenant(client, "acme", first)
    newer = first.facts.model_copy(update={"version": "99.0.0"})
    first.report(facts=newer).raise_for_status()
    first.hear()
    change = first.update.directory
    assert change is not None
    assert change.from_revision == 0, "it has kept only what its release before understood"
    assert [each.name for each in change.tenants] == ["acme"]
    assert first.update.assignment is not None, "told together, so that nobody gets in by half"
    first.report(facts=newer.model_copy(update={"trouble": "hot"})).raise_for_status()
    tenant(client, "other", first)
    assert first.update.directory is not None
    assert first.update.directory.from_revision == change.revision


def test_what_a_role_needed_is_gone_with_it(client: httpx2.Client, first: Listener) -> None:
    made = gateway(client, first)
    acme = tenant(client, "acme", first)
    answer = client.delete(f"/cloud/gateways/{made[-36:]}").raise_for_status()
    first.done(GatewayState.DRAINING)
    assert not first.whole
    assert set(first.bare) == {acme}
    first.report(GatewayState.ABSENT).raise_for_status()
    finished(client, answer.json())
    first.hear()
    assert not first.tenants.by_id
    gateway(client, first)
    assert set(first.whole) == {"acme"}


def line(tenant_id: UUID) -> Usage:
    return Usage(
        minute=datetime.now(UTC),
        tenant_id=tenant_id,
        target="v:1",
        tunnels=1,
        bytes_up=5,
        bytes_down=0,
    )


def tell(host: ScriptedHost, batch: str, *tenant_ids: UUID) -> int:
    lines = tuple(line(each) for each in tenant_ids)
    body = UsageBatch(batch=batch, usage=lines).model_dump_json()
    return host.client.post("/usage", content=body).status_code


def test_usage_is_taken_of_those_who_could_come_in_also_after_they_or_the_gateway_have_moved(
    client: httpx2.Client, first: Listener, second: Listener
) -> None:
    common = tenant(client, "common")
    assert tell(first, "1", common) == 400, "it has never been a gateway"
    moving = gateway(client, first)
    gateway(client, second)
    first.hear()
    assert tell(first, "2", common) == 204
    gold = pool(client, "gold", moving, first, second)
    assert tell(first, "3", common) == 204, "used before it moved"
    apart = tenant(
        client, "apart", first, second, CloudGatewayPools={"CloudGatewayPoolUids": [gold]}
    )
    assert tell(first, "4", apart) == 204
    assert tell(second, "1", apart) == 400
    assert tell(second, "2", common) == 204
    changed(client, into(client, common, gold), first, second)
    assert tell(second, "3", common) == 204
    changed(client, client.delete(f"/cloud/tenants/{common}"), first, second)
    assert tell(second, "4", common) == 204
    assert tell(first, "5", common, apart) == 204
    assert tell(second, "5", apart) == 400


def test_a_host_has_no_say_about_the_speed_of_those_who_are_not_there(
    client: httpx2.Client, first: Listener, second: Listener
) -> None:
    limited = {
        "ThrottlingEnabled": True,
        "ThrottlingSpeedLimit": 1,
        "ThrottlingSpeedUnit": "MBps",
    }
    moving = gateway(client, first)
    gateway(client, second)
    first.hear()
    pool(client, "gold", moving, first, second)
    common = tenant(client, "common", first, second, **limited)
    demand = DemandReport(demands=(Demand(tenant_id=common, sent_bytes=2**50),))
    parts = {
        host.name: host.client.post("/demand", content=demand.model_dump_json()).json()
        for host in (first, second)
    }
    assert parts[first.name]["allowances"] == []
    (part,) = parts[second.name]["allowances"]
    assert part["limit_bytes"] == 1024 * 1024
