"""Do tenants get what they were sold, and no more: tunnels at a time, and speed?"""

import asyncio
import time
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from cloudgate.host.authorization.authenticator import MAX_PENDING, Authenticator
from cloudgate.host.authorization.rejected_logins import GATHERED_FOR, RejectedLogins
from cloudgate.host.tunnels.slots import RESERVATION_SECONDS, TunnelSlots
from cloudgate.protocol import GatewayState
from cloudgate.trust.login_throttle import FIRST_DELAY_SECONDS, FREE_FAILURES, client_network
from tests.host.shaping.moved_bytes import moved_bytes
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS

REPO = "repo.example:443"
DEAD = "dead.example:443"
ACME, OTHER = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOST_LOOKED_AT = 4
"""So many passwords of one address are looked at, beside the free ones, while a test is patient."""
pytestmark = pytest.mark.anyio


async def opened(machine: Machine, repository_port: int, **limits: object) -> int:
    """The port of a gateway that knows a tenant with these limits."""
    port = free_port()
    other = tenant(repository_port, tenant_id=OTHER, name="Other")
    machine.know(tenant(repository_port, **limits), other)
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    return port


async def test_one_tunnel_too_many_waits_until_another_ends(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, repository_port, concurrent_tunnels=2)
    first, _ = [await client.connect(port, REPO) for _ in range(2)]
    third = asyncio.create_task(client.connect(port, REPO))
    other = await client.connect(port, REPO, f"other:{PASSWORD}")
    assert other.status == 200
    assert not third.done()
    first.close()
    assert (await third).status == 200


async def test_who_waits_too_long_is_told_when_to_come_again(
    machine: Machine, client: Client, repository_port: int
) -> None:
    await machine.leave()
    machine.wait_seconds = 0.2
    await machine.start()
    port = await opened(machine, repository_port, concurrent_tunnels=1)
    kept = await client.connect(port, REPO)
    refused = await client.connect(port, REPO)
    assert refused.status == 503
    assert "retry-after: 5" in refused.headers
    assert "1 tunnels here" in refused.body
    assert await kept.echoes()


async def test_a_tunnel_that_never_came_to_be_takes_no_place(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, repository_port, concurrent_tunnels=1)
    for _ in range(3):
        assert (await client.connect(port, DEAD)).status == 503
    assert (await client.connect(port, REPO)).status == 200


async def test_who_guesses_waits_longer_each_time_and_who_was_right_does_not(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, repository_port)
    assert (await client.connect(port, REPO)).status == 200
    waited = []
    for _ in range(FREE_FAILURES + 2):
        started = time.monotonic()
        assert (await client.connect(port, REPO, "acme:wrong")).status == 407
        waited.append(time.monotonic() - started)
    assert waited[-1] > FIRST_DELAY_SECONDS
    started = time.monotonic()
    assert (await client.connect(port, REPO)).status == 200
    assert time.monotonic() - started < FIRST_DELAY_SECONDS


async def test_who_guesses_many_at_once_is_no_faster_and_keeps_nobody_else_out(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, repository_port)
    many = 3 * MAX_PENDING
    guesses = [
        asyncio.create_task(client.connect(port, REPO, f"other:wrong{number}"))
        for number in range(many)
    ]
    answers: Counter[int | str] = Counter()
    turned_away = many - MAX_PENDING - FREE_FAILURES - MOST_LOOKED_AT
    for answer in asyncio.as_completed(guesses, timeout=PATIENCE_SECONDS):
        tunnel = await answer
        answers["turned away" if "Too many passwords" in tunnel.body else tunnel.status] += 1
        if answers["turned away"] == turned_away:
            break
    assert answers["turned away"] == turned_away
    assert answers[407] <= FREE_FAILURES + MOST_LOOKED_AT
    good = await client.connect(port, REPO, source="127.0.0.2")
    assert good.status == 200
    for each in guesses:
        each.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)


async def test_a_program_that_opens_many_tunnels_at_once_gets_them_all(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = await opened(machine, repository_port)
    tunnels = await asyncio.gather(*(client.connect(port, REPO) for _ in range(MAX_PENDING + 20)))
    assert {each.status for each in tunnels} == {200}
    assert all(await asyncio.gather(*(each.echoes() for each in tunnels)))


async def test_a_program_that_has_an_old_password_guesses_once_with_all_its_tunnels(
    machine: Machine,
) -> None:
    later = datetime.now(UTC) + GATHERED_FOR
    logins = Authenticator(machine.directory, lambda: later)
    authorization = "Basic " + b64encode(b"acme:old").decode()
    asking = [
        asyncio.create_task(logins.authenticate(authorization, "192.0.2.1")) for _ in range(50)
    ]
    asking.append(asyncio.create_task(logins.authenticate(authorization, "192.0.2.2")))
    await asyncio.sleep(0)
    asking.pop(0).cancel()  # the one that asked first goes away
    assert not any(each.proven for each in await asyncio.gather(*asking))
    later += GATHERED_FOR
    told = {str(each.address): each.count for each in logins.guesses.pending()}
    assert told == {"192.0.2.1": 1, "192.0.2.2": 1}
    logins.close()


async def test_who_goes_away_leaves_the_line_however_soon(machine: Machine) -> None:
    logins = Authenticator(machine.directory)
    for number in range(2 * MAX_PENDING):
        authorization = "Basic " + b64encode(f"acme:wrong{number}".encode()).decode()
        asking = asyncio.create_task(logins.authenticate(authorization, "192.0.2.1"))
        for _ in range(1 + number % 2):  # before the first step of the look, or after
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
    right = "Basic " + b64encode(f"acme:{PASSWORD}".encode()).decode()
    assert (await logins.authenticate(right, "192.0.2.1")).proven
    logins.close()


async def test_guesses_are_told_once_with_how_many_they_were() -> None:
    now = [NOW]
    guesses = RejectedLogins(lambda: now[0])
    for name, address in [("acme", "192.0.2.1"), ("acme", "192.0.2.1"), ("x" * 200, "2001:db8::1")]:
        guesses.record(name, address)
        now[0] += timedelta(seconds=1)
    assert guesses.pending() == ()
    now[0] += GATHERED_FOR
    told = guesses.pending()
    assert [(each.name, str(each.address), each.count) for each in told] == [
        ("acme", "192.0.2.1", 2),
        ("x" * 128, "2001:db8::1", 1),
    ]
    guesses.record("acme", "192.0.2.1")
    now[0] += 2 * GATHERED_FOR
    assert guesses.pending() == told
    guesses.acknowledge(())
    assert guesses.pending() == told
    guesses.acknowledge(told)
    (later,) = guesses.pending()
    assert later.count == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("unknown", "unknown", True),
    ],
)
async def test_addresses_that_one_party_can_choose_from_count_as_one(
    one: str, other: str, *, same: bool
) -> None:
    assert (client_network(one) == client_network(other)) is same


async def test_places_are_given_in_the_order_of_asking() -> None:
    slots = TunnelSlots()
    first = await slots.acquire(ACME, lambda: 1, 0)
    assert first is not None
    got: list[int] = []

    async def wait(number: int) -> None:
        place = await slots.acquire(ACME, lambda: 1, 5)
        assert place is not None
        got.append(number)
        slots.release(place)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(wait(number))
            await asyncio.sleep(0)
        assert await slots.acquire(ACME, lambda: 1, 0.01) is None
        assert await slots.acquire(OTHER, lambda: 1, 0) is not None
        slots.release(first)
    assert got == [0, 1, 2, 3, 4]
    assert slots.counts() == {OTHER: 1}


async def test_a_place_that_no_line_speaks_of_comes_back() -> None:
    now = [0.0]
    slots = TunnelSlots(lambda: now[0])
    unheard, begun = (
        await slots.acquire(ACME, lambda: 2, 0),
        await slots.acquire(ACME, lambda: 2, 0),
    )
    assert begun is not None
    slots.confirm(begun, ACME)
    now[0] = RESERVATION_SECONDS + 1
    slots.retain({begun})
    assert slots.in_use(ACME) == 1
    slots.retain(set())
    assert slots.in_use(ACME) == 0
    assert unheard != begun


@pytest.mark.alone
async def test_all_tunnels_of_a_tenant_together_keep_to_its_speed(
    machine: Machine, client: Client, repository_port: int
) -> None:
    limit_bytes = 4 * 1024 * 1024
    port = await opened(machine, repository_port, speed_limit_bytes=limit_bytes)
    ours = [await client.connect(port, REPO) for _ in range(4)]
    (theirs,) = [await client.connect(port, REPO, f"other:{PASSWORD}")]
    await moved_bytes(ours, 3)  # until the rates are found
    *limited, free = await moved_bytes([*ours, theirs], 4)
    # What comes back has gone there before: half of the limit is the most in each direction.
    assert 0.25 * limit_bytes < sum(limited) / 4 < 0.75 * limit_bytes
    assert min(limited) > sum(limited) / 16
    assert free > sum(limited)


@pytest.mark.alone
async def test_a_low_limit_is_reached_too(
    machine: Machine, client: Client, repository_port: int
) -> None:
    limit_bytes = 500_000
    port = await opened(machine, repository_port, speed_limit_bytes=limit_bytes)
    tunnel = await client.connect(port, REPO)
    await moved_bytes([tunnel], 5)  # until the rates are found
    (moved,) = await moved_bytes([tunnel], 6)
    # It went there before it came back: half of the limit is the most in each direction.
    assert 0.35 * limit_bytes < moved / 6 < 0.7 * limit_bytes
