"""Does maintenance let running tunnels finish and restores begin, and nothing else?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from cloudgate.host.state.site import SiteStore
from cloudgate.host.tunnels.restore_only import (
    REFUSED_SECONDS,
    RESTORE_REQUEST_BYTES,
    RecentQuotaViolations,
    looks_like_restore,
)
from cloudgate.protocol import GatewayState, Maintenance, Refusal, Site, Tenant
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client, Tunnel
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio

REPO = "repo.example:443"
AT_WORK = Maintenance(message="New disks until noon.")
A_BACKUP_BYTES = 4 * RESTORE_REQUEST_BYTES


@asynccontextmanager
async def a_repository() -> AsyncIterator[int]:
    """Takes whatever is sent; what ends with ``get`` is answered with a backup's worth."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if data.endswith(b"get"):
                    for _ in range(A_BACKUP_BYTES // 65536):
                        writer.write(bytes(65536))
                        await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def send(tunnel: Tunnel, size_bytes: int) -> None:
    for _ in range(size_bytes // 65536):
        tunnel.writer.write(bytes(65536))
        await tunnel.writer.drain()


async def send_for_ever(tunnel: Tunnel) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await send(tunnel, A_BACKUP_BYTES)


async def bring_back(tunnel: Tunnel) -> None:
    tunnel.writer.write(b"get")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await tunnel.reader.readexactly(A_BACKUP_BYTES)


async def at_work(machine: Machine, maintenance: Maintenance | None) -> None:
    machine.site.replace(Site(revision=machine.site.revision + 1, maintenance=maintenance))


@pytest.fixture
async def port(machine: Machine) -> AsyncIterator[int]:
    async with a_repository() as repository:
        machine.know(tenant(repository))
        port = free_port()
        await machine.bring(machine.gateway(port), GatewayState.LISTENING)
        yield port


async def test_a_backup_that_runs_finishes_and_a_new_one_is_ended(
    machine: Machine, client: Client, port: int
) -> None:
    before = await client.connect(port, REPO)
    await at_work(machine, AT_WORK)
    begun = await client.connect(port, REPO)
    assert begun.status == 200
    with pytest.raises(ConnectionError):
        await send_for_ever(begun)
    await send(before, A_BACKUP_BYTES)
    await bring_back(before)


async def test_a_restore_may_begin_and_goes_on(machine: Machine, client: Client, port: int) -> None:
    await at_work(machine, AT_WORK)
    restore = await client.connect(port, REPO)
    for _ in range(3):
        await bring_back(restore)
        await send(restore, RESTORE_REQUEST_BYTES // 4)
    machine.restore_only.review()
    await bring_back(restore)


async def test_with_nothing_allowed_the_message_is_the_answer(
    machine: Machine, client: Client, port: int
) -> None:
    await at_work(machine, AT_WORK.model_copy(update={"restores": False}))
    refused = await client.connect(port, REPO)
    assert refused.status == 503
    assert refused.body == "New disks until noon.\n"
    assert "retry-after: 300" in refused.headers


async def test_when_it_is_over_everything_is_as_before(
    machine: Machine, client: Client, port: int
) -> None:
    await at_work(machine, AT_WORK)
    begun = await client.connect(port, REPO)
    await machine.hears_of(1)
    await at_work(machine, None)
    await send(begun, A_BACKUP_BYTES)
    machine.restore_only.review()
    await at_work(machine, AT_WORK)
    machine.restore_only.review()
    await send(begun, A_BACKUP_BYTES)
    await bring_back(begun)


async def test_a_site_that_is_lost_does_not_make_a_backup_of_what_began_in_maintenance(
    machine: Machine, client: Client, port: int
) -> None:
    await at_work(machine, AT_WORK)
    begun = await client.connect(port, REPO)
    await machine.hears_of(1)
    await machine.leave()
    for each in machine.paths.site.parent.glob(f"*{machine.paths.site.name}*"):
        each.unlink()
    machine.site = SiteStore(machine.paths.site, machine.journal)
    await machine.start()
    await machine.hears_of(1)
    machine.restore_only.review()
    await at_work(machine, AT_WORK)
    with pytest.raises(ConnectionError):
        await send_for_ever(begun)


async def bring_back_for_ever(tunnel: Tunnel) -> None:
    while True:
        await bring_back(tunnel)


FULL = "The tenant's quota at repo.example:443 is exceeded: 113 MB are used of 100 MB."


def full(repository: int, **changes: object) -> Tenant:
    """The tenant, with a quota that is exceeded."""
    until = datetime.now(UTC) + timedelta(hours=1)
    usual = {"full": FULL, "full_until": until, **changes}
    known = tenant(repository)
    target = known.targets[0].model_copy(update=usual)
    return known.model_copy(update={"targets": (target, *known.targets[1:])})


async def test_above_the_quota_restores_go_on_and_who_sends_is_ended_and_told_why(
    machine: Machine, client: Client
) -> None:
    async with a_repository() as repository:
        machine.know(tenant(repository))
        port = free_port()
        await machine.bring(machine.gateway(port), GatewayState.LISTENING)
        before = await client.connect(port, REPO)
        machine.know(full(repository))
        restore, backup = await client.connect(port, REPO), await client.connect(port, REPO)
        with pytest.raises(ConnectionError):
            await send_for_ever(backup)
        refused = await client.connect(port, REPO)
        assert (refused.status, refused.body) == (403, f"{FULL}\n")
        assert "retry-after: 60" in refused.headers
        assert machine.authorizer.meter.refused[Refusal.QUOTA] == 1
        assert (await client.connect(port, "dead.example:443")).status == 503, "others are not full"
        await bring_back(restore)
        await send(before, A_BACKUP_BYTES)
        await bring_back(before)


async def test_a_quota_that_is_raised_frees_the_tunnels_that_began_above_it(
    machine: Machine, client: Client
) -> None:
    async with a_repository() as repository:
        machine.know(full(repository))
        port = free_port()
        await machine.bring(machine.gateway(port), GatewayState.LISTENING)
        begun = await client.connect(port, REPO)
        machine.know(tenant(repository))
        await send(begun, A_BACKUP_BYTES)
        machine.restore_only.review()
        await bring_back(begun)


async def test_what_was_measured_long_ago_bars_nobody(machine: Machine, client: Client) -> None:
    async with a_repository() as repository:
        machine.know(full(repository, full_until=datetime.now(UTC) - timedelta(seconds=1)))
        port = free_port()
        await machine.bring(machine.gateway(port), GatewayState.LISTENING)
        begun = await client.connect(port, REPO)
        await send(begun, A_BACKUP_BYTES)
        machine.restore_only.review()
        await bring_back(begun)


async def test_when_egress_is_used_up_backups_go_on_and_restores_end_and_are_told_why(
    machine: Machine, client: Client
) -> None:
    reason = "The tenant's egress quota of 2026-11 is used up: all of 100 MB were brought back."
    used_up = {"egress_full": reason, "egress_full_until": datetime.now(UTC) + timedelta(hours=1)}
    async with a_repository() as repository:
        machine.know(tenant(repository))
        port = free_port()
        await machine.bring(machine.gateway(port), GatewayState.LISTENING)
        before = await client.connect(port, REPO)
        machine.know(tenant(repository, **used_up))
        backup, restore = await client.connect(port, REPO), await client.connect(port, REPO)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await bring_back_for_ever(restore)
        refused = await client.connect(port, REPO)
        assert (refused.status, refused.body) == (403, f"{reason}\n")
        await send(backup, A_BACKUP_BYTES)
        machine.restore_only.review()
        await send(backup, A_BACKUP_BYTES)
        await bring_back(before)


def test_who_has_sent_data_hears_why_for_a_minute_and_nobody_else_does() -> None:
    now = [0.0]
    senders = RecentQuotaViolations(lambda: now[0])
    acme, anna = UUID(int=1), UUID(int=2)
    senders.record(acme, anna, REPO)
    assert senders.has_sent(acme, anna, REPO)
    assert not senders.has_sent(acme, None, REPO)
    assert not senders.has_sent(acme, anna, "other.example:443")
    now[0] = REFUSED_SECONDS
    assert not senders.has_sent(acme, anna, REPO)


@pytest.mark.parametrize(
    ("up", "down", "restore"),
    [
        (0, 0, True),
        (RESTORE_REQUEST_BYTES, 0, True),
        (RESTORE_REQUEST_BYTES + 1, 0, False),
        (10**9, 10**10, True),
    ],
)
async def test_a_restore_is_known_by_the_way_its_bytes_go(
    up: int, down: int, *, restore: bool
) -> None:
    assert looks_like_restore(up, down) is restore
