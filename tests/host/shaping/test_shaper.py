"""Is a tenant held to its speed from the first byte on, however many tunnels it opens, and when?"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import UnavailableError
from cloudgate.host.envoy.start_rates import (
    CLUSTER_HEADER,
    UNLIMITED_CLUSTER,
    UNPACED_BYTES,
    cluster_of,
)
from cloudgate.host.platform import linux_sockets
from cloudgate.host.platform.linux_descriptors import Descriptors
from cloudgate.host.shaping.rate_meter import (
    LastSample,
)
from cloudgate.host.shaping.shaper import _unseen_bytes
from cloudgate.host.shaping.start_rate_grants import (
    AT_ONCE_PART,
    HEADROOM,
    JUST_SECONDS,
    LEAST_PART,
    GrantedRate,
    NewTunnel,
    StartRateGrants,
)
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.protocol import GatewayState, Target
from tests.host.scripted_parts import ScriptedPacer
from tests.support.observation.arrivals import (
    DOWNLOAD,
    UPLOAD,
    Arrivals,
    Tenant,
    endless_repository,
)
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client

ACME, OTHER = UUID(int=1), UUID(int=2)
REPO = "repo.example:443"
MEBIBYTE = 1024 * 1024
SECONDS = 3.0
BUSY = 0.4
"""What of its speed a tenant gets at least where something else keeps the processors busy."""


@asynccontextmanager
async def selling(
    machine: Machine, folder: Path, speed_limit_bytes: int | None
) -> AsyncIterator[tuple[Tenant, Arrivals]]:
    """A gateway, and a tenant of it that was sold so much."""
    arrivals, port = Arrivals(), free_port()
    with endless_repository(arrivals) as address:
        target = Target(endpoint="vault.example:443", address=address)
        machine.know(tenant(1, targets=(target,), speed_limit_bytes=speed_limit_bytes))
        await machine.bring(machine.gateway(port), GatewayState.LISTENING)
        ca_file = folder / "ca.pem"
        ca_file.write_text(machine.authority.pem)
        yield Tenant(port, ca_file, target.endpoint, f"acme:{PASSWORD}"), arrivals


@pytest.mark.alone
@pytest.mark.anyio
@pytest.mark.parametrize("direction", [UPLOAD, DOWNLOAD])
@pytest.mark.parametrize(
    ("how", "least"),
    [
        ({"count": 1}, BUSY),
        ({"count": 16}, BUSY),
        ({"every_seconds": 1.0}, BUSY),
        ({"every_seconds": 0.1}, 0.0),  # a busy machine needs as long for the handshake
    ],
    ids=["one tunnel", "16 at once", "a new one every second", "ten new ones every second"],
)
async def test_what_arrives_keeps_to_the_limit_from_the_first_byte_on(
    machine: Machine, tmp_path: Path, direction: bytes, how: dict[str, float], least: float
) -> None:
    async with selling(machine, tmp_path, MEBIBYTE) as (acme, arrivals):

        def flow() -> None:
            with acme.flowing(direction, arrivals, **how):  # type: ignore[arg-type]
                arrivals.wait_for_first_byte()
                arrivals.wait(SECONDS + 0.2)

        await asyncio.to_thread(flow)
    bins = arrivals.bins(SECONDS)
    for first in range(len(bins) - 9):
        assert sum(bins[first : first + 10]) <= 1.5 * MEBIBYTE, bins
    # A machine that is busy with something else may need a second to open a tunnel.
    assert sum(bins) >= least * arrivals.open_seconds(SECONDS) * MEBIBYTE, bins


@pytest.mark.anyio
async def test_nobody_chooses_the_cluster_of_his_tunnel(
    machine: Machine, client: Client, repository_port: int
) -> None:
    machine.know(tenant(repository_port))
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    for wish in ("authorizer", "nowhere", cluster_of(1000)):
        tunnel = await client.connect(
            port, "repo.example:443", extra=f"{CLUSTER_HEADER}: {wish}\r\n"
        )
        assert tunnel.status == 200
        assert await tunnel.echoes()


@pytest.mark.anyio
async def test_who_is_limited_no_more_is_as_fast_as_it_can(
    machine: Machine, tmp_path: Path
) -> None:
    async with selling(machine, tmp_path, MEBIBYTE // 8) as (acme, arrivals):

        def flow() -> None:
            with acme.flowing(UPLOAD, arrivals):
                arrivals.wait_for_first_byte()
                machine.know(freed)
                arrivals.wait_for(8 * MEBIBYTE)

        limited = machine.directory.by_id(ACME)
        assert limited is not None
        freed = limited.model_copy(update={"speed_limit_bytes": None})
        await asyncio.to_thread(flow)


# ---------------------------------------------------------------------------------------------


@given(st.none() | st.integers(1, 2**70))
def test_a_connection_takes_any_rate(rate: int | None) -> None:
    with socket.socket() as connection:
        linux_sockets._pace(connection, rate)
        set_to = connection.getsockopt(socket.SOL_SOCKET, linux_sockets._SO_MAX_PACING_RATE, 8)
        expected = min(rate or 2**64, 2**64 - 1)
        assert abs(int.from_bytes(set_to, sys.byteorder) - expected) <= 1


@pytest.mark.parametrize(
    ("said", "pasts", "expected"),
    [
        (1000, [], 1000),  # never looked at: the log is all that there is
        (1000, [LastSample(400, None, 9.0)], 600),  # not slowed
        (
            1000,
            [LastSample(400, 2000, 9.9)],
            200,
        ),  # the rest was in the kernel, for one who had left
        (1000, [LastSample(400, 2000, 9.9), LastSample(500, 0, 9.9)], 100),
        (400, [LastSample(500, 2000, 9.9)], 0),
    ],
)
def test_of_a_tunnel_that_ended_counts_what_can_have_left_this_machine(
    said: int, pasts: list[LastSample], expected: int
) -> None:
    tunnel = Tunnel(
        tunnel="t",
        envoy="",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        tenant_id=ACME,
        user_id=None,
        target=REPO,
        client="192.0.2.1:1",
        from_address="",
        bytes_down=said,
    )
    assert _unseen_bytes(tunnel, pasts, None, 10.0) == pytest.approx(expected, abs=1)
    if not pasts:
        began = NewTunnel(ACME, tunnel.client, 100, 9.0)
        assert _unseen_bytes(tunnel, pasts, began, 10.0) == 1000
        huge = replace(tunnel, bytes_down=10**9)
        assert _unseen_bytes(huge, pasts, began, 10.0) == UNPACED_BYTES + 100


class SlowedConnections:
    """What the authorizer had done to clients' connections."""

    def __init__(self, limit: int | None) -> None:
        self.now = 0.0
        self.starts = StartRateGrants(lambda: self.now)
        self.pacer = self.starts.pacer = ScriptedPacer(limit)
        self.rates = self.pacer.rates


@pytest.mark.anyio
async def test_newcomers_all_together_begin_with_little_more_than_the_limit() -> None:
    limit = 100 * MEBIBYTE
    slowed = SlowedConnections(limit)
    for number in range(16):
        await slowed.starts.begin(f"place {number}", ACME, f"client {number}", 0)
    first, second, *others = slowed.rates.values()
    assert first == limit
    assert first + second + 2 * UNPACED_BYTES <= HEADROOM * limit
    assert all(each == int(LEAST_PART * limit) for each in others)
    slowed.starts.hand_over([f"place {number}" for number in range(16)])
    slowed.starts.follow({ACME: GrantedRate(3, limit)})
    await slowed.starts.begin("o", ACME, "too soon", 0)
    assert slowed.rates["too soon"] == int(LEAST_PART * limit)  # the others count until they show
    slowed.starts.hand_over(["o"])
    slowed.now += 2 * JUST_SECONDS
    await slowed.starts.begin("p", ACME, "late", 0)
    sent_at_once = (16 + 2) * UNPACED_BYTES
    assert slowed.rates["late"] == int(HEADROOM * limit - limit - sent_at_once)
    slowed.starts.give_back(ACME, GrantedRate(3, limit))
    slowed.starts.hand_over(["p"])
    slowed.now += 2 * JUST_SECONDS
    await slowed.starts.begin("q", ACME, "alone", 0)
    assert slowed.rates["alone"] == limit


@pytest.mark.anyio
async def test_what_short_tunnels_send_before_they_are_slowed_counts_for_a_second() -> None:
    limit = MEBIBYTE
    slowed = SlowedConnections(limit)
    slowed.starts.follow({ACME: GrantedRate(1, 0.8 * limit)})
    for number in range(25):
        assert await slowed.starts.begin("place", ACME, f"client {number}", 0) is not None
        slowed.starts.hand_over(["place"])
        begun = min(number + 1, 10)
        room = (HEADROOM - 0.8) * limit - begun * UNPACED_BYTES
        assert slowed.rates[f"client {number}"] <= room, number
        slowed.now += 0.1001


@pytest.mark.anyio
async def test_who_opens_tunnels_faster_than_its_limit_pays_for_waits_or_is_told_so() -> None:
    limit = MEBIBYTE
    slowed = SlowedConnections(limit)
    let_in = 0
    while await slowed.starts.begin(f"place {let_in}", ACME, "client", 0) is not None:
        let_in += 1
    assert 0.8 * AT_ONCE_PART < let_in * UNPACED_BYTES / limit < 1.2 * AT_ONCE_PART
    for _ in range(10):  # whoever is refused takes nobody's turn
        assert await slowed.starts.begin("more", ACME, "client", 0) is None
    slowed.now += 1.0
    more = 0
    while await slowed.starts.begin(f"more {more}", ACME, "client", 0) is not None:
        more += 1
    assert 0.8 * AT_ONCE_PART < more * UNPACED_BYTES / limit < 1.2 * AT_ONCE_PART
    assert await slowed.starts.begin("other", OTHER, "client", 0) is not None


@pytest.mark.anyio
async def test_who_has_no_limit_or_cannot_be_slowed_is_let_in_as_before() -> None:
    free = SlowedConnections(None)
    assert await free.starts.begin("p", ACME, "client", 0) == UNLIMITED_CLUSTER
    assert not free.rates
    limited = SlowedConnections(MEBIBYTE)
    limited.pacer.problem = UnavailableError("There are too many open files.")
    assert await limited.starts.begin("p", ACME, "client", 0) == UNLIMITED_CLUSTER
    assert not limited.starts.newcomers()


@pytest.mark.anyio
async def test_who_comes_where_the_tunnels_before_cannot_be_looked_at_is_let_in() -> None:
    limited = SlowedConnections(MEBIBYTE)
    limited.pacer.blindness = UnavailableError("There are too many open files.")
    assert await limited.starts.begin("p", ACME, "client", 0) == UNLIMITED_CLUSTER


# ---------------------------------------------------------------------------------------------


class Process:
    """A process whose descriptors are named: copies of sockets of this one."""

    def __init__(self) -> None:
        self.held: dict[int, socket.socket] = {}
        self.scans = 0
        self.copies = 0
        self.descriptors = Descriptors(lambda each: (f"port {each.getsockname()[1]}",))

    def open(self) -> str:
        """A new one, with the lowest free number."""
        number = next(each for each in range(10_000) if each not in self.held)
        made = self.held[number] = socket.socket()
        made.bind(("127.0.0.1", 0))
        return f"port {made.getsockname()[1]}"

    def close(self, name: str) -> None:
        """It is over."""
        (number,) = (
            n for n, each in self.held.items() if name.endswith(f" {each.getsockname()[1]}")
        )
        self.held.pop(number).close()

    def copy(self, number: int) -> int | None:
        """As pidfd_getfd(2) does."""
        self.copies += 1
        return os.dup(self.held[number].fileno()) if number in self.held else None

    def all_of_them(self) -> list[int]:
        """As /proc tells it."""
        self.scans += 1
        return list(self.held)

    def find(self, *names: str) -> set[str]:
        """Those that are there."""
        found = set()
        for name, each in self.descriptors.each(
            names, self.copy, lambda copied: socket.socket(fileno=copied), self.all_of_them
        ):
            assert name == f"port {each.getsockname()[1]}"
            found.add(name)
        return found


@pytest.fixture
def process() -> Iterator[Process]:
    with running_process() as made:
        yield made


@contextmanager
def running_process() -> Iterator[Process]:
    made = Process()
    try:
        yield made
    finally:
        for each in made.held.values():
            each.close()


def test_a_new_connection_is_found_without_a_look_at_all_of_them(process: Process) -> None:
    many = [process.open() for _ in range(500)]
    assert process.find(*many) == set(many)
    scans, copies = process.scans, process.copies
    fresh = process.open()
    assert process.find(fresh) == {fresh}
    for name in many[100:110]:
        process.close(name)
    process.descriptors.forget(many[100:110])
    later = process.open()
    assert process.find(later) == {later}
    assert process.scans == scans
    assert process.copies - copies < 300


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.booleans()), max_size=60))
def test_connections_are_found_whatever_came_and_went_unseen(
    steps: list[tuple[bool, int, bool]],
) -> None:
    with running_process() as process:
        there: list[str] = []
        gone: list[str] = []
        for opens, which, looks in steps:
            if opens or not there:
                there.append(process.open())
            else:
                gone.append(there.pop(which % len(there)))
                process.close(gone[-1])
            if looks:
                assert process.find(*there[-3:]) == set(there[-3:])
        assert process.find(*there) == set(there)
        assert process.find(*set(gone) - set(there)) == set()
