"""Host cache: many who come at once are looked up once, and nobody is told what was before.

And whatever one of them asks for, and however often: how much is looked up and kept?
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from cloudgate.api.host_protocol import directory_cache, host_cache
from cloudgate.api.host_protocol.directory_cache import AGAIN_SECONDS, MOST_KEPT, DirectoryCache
from cloudgate.api.host_protocol.host_cache import HostCache
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.gateways.operations import create_gateway
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.host_protocol.host_snapshot import HostSnapshot, host_snapshot
from cloudgate.manager.host_protocol.tenant_feed import DirectoryQuery, TenantFeed, look_up
from cloudgate.manager.host_protocol.updates import Pending
from cloudgate.manager.pools.operations import PoolChange, edit_pool, get_pool
from cloudgate.manager.servers.tenant_scope import NO_POOL, Scope
from cloudgate.protocol import DirectoryChange
from tests.support.running.host import ScriptedHost, become_gateway
from tests.support.running.manager import RunningManager, finished

MANY = 50
SITE = UUID(int=1)


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

    monkeypatch.setattr(directory_cache, "look_up", looked_up)
    if is_alone:
        host.assignment = None
    host.poll()


def uid_of(client: httpx2.Client, task: dict[str, Any]) -> UUID:
    link = finished(client, task)["Links"][1]["Href"]
    return UUID(client.get(link).raise_for_status().json()["UID"][-36:])


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
    mine, others = (uid_of(client, become_gateway(client, each)) for each in (newcomer, other))
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


@pytest.fixture
def directory_looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which revision was known at each look at tenants."""
    found: list[int] = []

    def counted(work: UnitOfWork, question: DirectoryQuery, as_of: int) -> TenantFeed:
        found.append(question.known_revision)
        return look_up(work, question, as_of)

    monkeypatch.setattr(directory_cache, "look_up", counted)
    return found


@pytest.fixture
def revisions(running: RunningManager) -> list[int]:
    """Those that there were of the directory."""
    with running.manager.changing() as work:
        return [work.next_directory_revision() for _ in range(3 * MOST_KEPT)]


def pending(known_revision: int, newest: int, server_id: UUID | None = None) -> Pending:
    """Of a host that is like all others here; another one each time unless it is said which."""
    question = DirectoryQuery(
        site_id=SITE,
        serves=True,
        pool_id=NO_POOL,
        pool_ids=frozenset({NO_POOL}),
        known_revision=known_revision,
    )
    return Pending(server_id or uuid4(), Scope(), newest, question)


async def told(cache: DirectoryCache, about: Pending) -> DirectoryChange:
    update = await cache.update(about)
    assert update is not None
    assert update.directory is not None
    return update.directory


def kept(cache: DirectoryCache) -> int:
    return sum(len(each) for each in cache._kept.values()) + len(cache._checks)


def run(work: Callable[[], Any]) -> None:
    asyncio.run(work())


def test_revisions_that_there_never_were_are_looked_up_once_for_all_and_kept_once(
    running: RunningManager, revisions: list[int], directory_looks: list[int]
) -> None:
    newest = revisions[-1]

    async def ask() -> None:
        cache = DirectoryCache(running.manager)
        made_up = range(revisions[0] - MANY, revisions[0])
        found = await asyncio.gather(*(told(cache, pending(each, newest)) for each in made_up))
        assert {(each.from_revision, each.revision) for each in found} == {(0, newest)}
        assert all(each is found[0] for each in found), "one copy of the directory for all"
        assert kept(cache) == 1

    run(ask)
    assert directory_looks == [0]


def test_of_revisions_that_there_were_only_the_last_are_kept_and_each_is_told_its_own(
    running: RunningManager, revisions: list[int], directory_looks: list[int]
) -> None:
    newest = revisions[-1]

    async def ask() -> None:
        cache = DirectoryCache(running.manager)
        for known in revisions[:-1]:
            assert (await told(cache, pending(known, newest))).from_revision == known
        assert kept(cache) == MOST_KEPT

    run(ask)
    assert directory_looks == revisions[:-1]


def test_many_hosts_that_know_the_same_are_looked_up_once(
    running: RunningManager, revisions: list[int], directory_looks: list[int]
) -> None:
    *_, before, newest = revisions

    async def ask() -> None:
        cache = DirectoryCache(running.manager)
        await asyncio.gather(*(told(cache, pending(before, newest)) for _ in range(MANY)))

    run(ask)
    assert directory_looks == [before]


def test_who_asks_again_for_what_it_was_told_waits_and_nobody_else_does(
    running: RunningManager, revisions: list[int]
) -> None:
    *_, before, newest = revisions
    stolen = uuid4()

    async def ask() -> None:
        cache = DirectoryCache(running.manager)
        loop = asyncio.get_running_loop()
        await told(cache, pending(0, before, stolen))
        began = loop.time()
        again = asyncio.ensure_future(told(cache, pending(0, before, stolen)))
        made_up = asyncio.ensure_future(told(cache, pending(1, before, stolen)))
        await told(cache, pending(0, before))
        assert not again.done()
        assert not made_up.done()
        await told(cache, pending(before, newest, stolen))
        assert not again.done(), "what is new is told at once"
        await asyncio.gather(again, made_up)
        assert loop.time() - began >= AGAIN_SECONDS * 0.9

    run(ask)


def test_a_look_that_failed_is_looked_again(
    running: RunningManager, revisions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = revisions[-1]

    def fails(*_: object) -> TenantFeed:
        raise ZeroDivisionError

    async def ask() -> None:
        cache = DirectoryCache(running.manager)
        with monkeypatch.context() as patched:
            patched.setattr(directory_cache, "look_up", fails)
            with pytest.raises(ZeroDivisionError):
                await told(cache, pending(0, newest))
        assert (await told(cache, pending(0, newest))).revision == newest

    run(ask)
