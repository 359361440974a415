"""Host cache: many who come at once are looked up once, and nobody is told what was before."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import httpx2
import pytest

from cloudgate.api.host_protocol import host_cache
from cloudgate.api.host_protocol.host_cache import HostCache
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.gateways.operations import create_gateway
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.host_protocol.host_snapshot import HostSnapshot, host_snapshot
from cloudgate.manager.host_protocol.tenant_feed import DirectoryQuery, TenantFeed, look_up
from cloudgate.manager.pools.operations import PoolChange, edit_pool, get_pool
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

MANY = 50


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many changes there were at each look at all hosts."""
    found: list[int] = []

    def counted(work: UnitOfWork, before: HostSnapshot | None) -> HostSnapshot:
        found.append(work.directory_revision())
        return host_snapshot(work, before)

    monkeypatch.setattr(host_cache, "host_snapshot", counted)
    return found


def test_many_hosts_each_of_which_changes_something_are_looked_up_a_few_times(
    running: RunningManager, looks: list[int]
) -> None:
    async def come(known: HostCache, manager: Manager) -> None:
        manager.changes.record()
        assert await known.usual("nobody's", "") is None

    async def all_of_them() -> None:
        known = HostCache(running.manager)
        await asyncio.gather(*(come(known, running.manager) for _ in range(MANY)))

    asyncio.run(all_of_them())
    assert 1 <= len(looks) <= 3


def test_what_was_changed_before_one_asks_is_looked_up_anew(
    running: RunningManager, looks: list[int]
) -> None:
    async def ask_again_and_again() -> None:
        known = HostCache(running.manager)
        for _ in range(3):
            running.manager.changes.record()
            before = len(looks)
            await known.usual("nobody's", "")
            assert len(looks) == before + 1

    asyncio.run(ask_again_and_again())


@pytest.fixture
def newcomer(running: RunningManager) -> Iterator[ScriptedHost]:
    """A managed server without a gateway, which knows all that there is for it."""
    joined = ScriptedHost(running, is_told=False)
    joined.poll()
    yield joined
    joined.close()


def poll_while(
    running: RunningManager,
    monkeypatch: pytest.MonkeyPatch,
    host: ScriptedHost,
    change: Callable[[UnitOfWork], object],
    *,
    is_alone: bool,
) -> None:
    """Have a host poll, and a change commit between the look at it and that at its tenants."""
    left = [change]

    def looked_up(work: UnitOfWork, question: DirectoryQuery, as_of: int) -> TenantFeed:
        if left:
            with running.manager.changing() as changing:
                left.pop()(changing)
        return look_up(work, question, as_of)

    monkeypatch.setattr(host_cache, "look_up", looked_up)
    if is_alone:
        host.assignment = None
    host.poll()


def uid_of(client: httpx2.Client, task: dict[str, Any]) -> UUID:
    link = finished(client, task)["Links"][1]["Href"]
    return UUID(client.get(link).raise_for_status().json()["UID"][-36:])


def become_gateway(client: httpx2.Client, host: ScriptedHost) -> UUID:
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).raise_for_status().json()
    host.obey()
    return uid_of(client, task)


def told_tenants(host: ScriptedHost) -> list[str]:
    """Whom a host may let in, as of its last poll."""
    assert host.update.directory is not None, "it is told of no tenants"
    assert host.update.directory.from_revision == 0, "it is told of some tenants alone"
    return [each.name for each in host.update.directory.tenants]


BOTH_LOOKS = pytest.mark.parametrize("is_alone", [False, True], ids=["with all", "by itself"])
"""Whether a host is looked up together with all others, or by itself: it has something to do."""


@BOTH_LOOKS
@pytest.mark.both_databases
def test_who_becomes_a_gateway_while_it_is_told_of_no_tenants_is_told_of_them_then(
    running: RunningManager,
    client: httpx2.Client,
    newcomer: ScriptedHost,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_alone: bool,
) -> None:
    finished(client, client.post("/cloud/tenants", json={"Name": "acme"}).json())
    settings = GatewaySettings()
    poll_while(
        running,
        monkeypatch,
        newcomer,
        lambda work: create_gateway(work, settings, server_host_name=newcomer.name),
        is_alone=is_alone,
    )
    assert told_tenants(newcomer) == []
    newcomer.poll()
    assert newcomer.assignment is not None
    assert newcomer.assignment.gateway is not None
    assert told_tenants(newcomer) == ["acme"]


@BOTH_LOOKS
def test_who_comes_into_a_pool_while_it_is_told_of_others_tenants_is_told_of_the_pools_then(
    running: RunningManager,
    client: httpx2.Client,
    newcomer: ScriptedHost,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_alone: bool,
) -> None:
    other = ScriptedHost(running, "gw2.example", ("192.0.2.20",), is_told=False)
    mine, others = become_gateway(client, newcomer), become_gateway(client, other)
    other.close()
    spec = {"Name": "gold", "CloudGateways": {"CloudGatewayUids": [str(others)]}}
    client.post("/cloud/gatewayPools", json=spec).raise_for_status()
    pool_id = UUID(client.get("/cloud/gatewayPools").json()["Refs"][0]["UID"][-36:])
    spec = {"Name": "acme", "CloudGatewayPools": {"CloudGatewayPoolUids": [str(pool_id)]}}
    client.post("/cloud/tenants", json=spec).raise_for_status()
    newcomer.poll()
    client.put(f"/cloud/gatewayPools/{pool_id}", json={"Description": "dear"}).raise_for_status()
    poll_while(
        running,
        monkeypatch,
        newcomer,
        lambda work: edit_pool(work, get_pool(work, pool_id), PoolChange(gateways=(mine, others))),
        is_alone=is_alone,
    )
    assert newcomer.update.directory is not None
    assert newcomer.update.directory.tenants == ()
    newcomer.poll()
    assert told_tenants(newcomer) == ["acme"]
