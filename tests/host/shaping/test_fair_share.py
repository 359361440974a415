"""Has each tenant its part of a gateway that is full, and of a limit over several gateways?"""

import os
import random
from collections.abc import Mapping
from uuid import UUID

import pytest

from cloudgate.host.shaping import congestion
from cloudgate.host.shaping.congestion import CongestionMonitor, MachineCounters
from cloudgate.host.shaping.fair_share import QUIET_SAMPLES, FairShare
from cloudgate.host.shaping.rate_allocations import LINGER_SECONDS, TTL_SECONDS, RateAllocations
from cloudgate.manager.registries.limits.rate_allocator import FRESH_SECONDS, RateAllocator
from cloudgate.protocol import Allowance, Demand, GatewayState
from tests.host.shaping.moved_bytes import moved_bytes
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import until_async

REPO = "repo.example:443"
ACME, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
MEBIBYTE = 1024 * 1024


@pytest.mark.alone
@pytest.mark.anyio
async def test_who_opens_sixteen_tunnels_gets_no_more_than_who_opens_one(
    machine: Machine, client: Client, repository_port: int
) -> None:
    await machine.leave()
    machine.capacity_bytes = 16 * MEBIBYTE
    await machine.start()
    port = free_port()
    other = tenant(repository_port, tenant_id=OTHER, name="Other")
    machine.know(tenant(repository_port), other)
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    many = [await client.connect(port, REPO) for _ in range(16)]
    (one,) = [await client.connect(port, REPO, f"other:{PASSWORD}")]
    await moved_bytes([*many, one], 4)  # until the rates are found
    *theirs, ours = await moved_bytes([*many, one], 4)
    assert 0.6 < ours / sum(theirs) < 1.7
    # What comes back has gone there before, so half of the capacity is the most that is seen.
    assert sum(theirs) + ours < 4 * 0.75 * machine.capacity_bytes


@pytest.mark.alone
@pytest.mark.anyio
async def test_a_gateway_keeps_to_its_part_of_a_limit(
    machine: Machine, client: Client, repository_port: int
) -> None:
    limit = 40 * MEBIBYTE
    machine.know(tenant(repository_port, speed_limit_bytes=limit))
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnels = [await client.connect(port, REPO) for _ in range(2)]
    machine.allowances.update((Allowance(tenant_id=ACME, limit_bytes=limit // 10),))
    await moved_bytes(tunnels, 2)
    moved = sum(await moved_bytes(tunnels, 3))
    assert moved < 3 * 0.75 * limit / 10
    (demand,) = machine.allowances.demands
    assert demand.tenant_id == ACME


class Line:
    """A line that carries so much, and gives to each tenant by the number of its tunnels."""

    def __init__(self, capacity: float, tunnels: Mapping[UUID, int]) -> None:
        self.capacity = capacity
        self.tunnels = tunnels
        self.wanted: dict[UUID, float] = {}
        self.fairness = FairShare()
        self.held: Mapping[UUID, int] = {}

    def look(self) -> dict[UUID, float]:
        """What each got until now; then it is divided anew."""
        most = {
            who: min(want, self.held.get(who, float("inf"))) for who, want in self.wanted.items()
        }
        left, got = self.capacity, dict.fromkeys(most, 0.0)
        hungry = {who for who in most if most[who] > 0}
        while hungry and left > 1:
            by_tunnel = left / sum(self.tunnels[who] for who in hungry)
            for who in hungry:
                more = min(most[who] - got[who], by_tunnel * self.tunnels[who])
                got[who] += more
                left -= more
            hungry = {who for who in hungry if most[who] - got[who] > 1}
        self._allot(got, most, left)
        return got

    def _allot(self, got: dict[UUID, float], most: Mapping[UUID, float], left: float) -> None:
        del most
        self.held = self.fairness.allocate(got, is_full=left < 0.05 * self.capacity)


@pytest.mark.parametrize("capacity", [10.0 * MEBIBYTE, 1000.0 * MEBIBYTE])
def test_a_full_line_is_found_out_and_divided_equally(capacity: float) -> None:
    line = Line(capacity, {ACME: 16, OTHER: 1})
    line.wanted = {ACME: 10 * capacity, OTHER: 10 * capacity}
    assert line.look()[OTHER] < 0.1 * capacity
    for _ in range(10):
        line.look()
    for _ in range(20):
        got = line.look()
        assert 0.35 * capacity < got[OTHER] < 0.65 * capacity
        assert sum(got.values()) > 0.85 * capacity


def test_a_machine_that_others_keep_busy_does_not_slow_its_gateway_to_nothing() -> None:
    fairness, given = FairShare(), {ACME: 0.0, OTHER: 0.0}
    sent = {ACME: 10.0 * MEBIBYTE, OTHER: 1.0 * MEBIBYTE}
    for _ in range(200):
        given = dict(fairness.allocate(sent, is_full=True))
        # Pacing leaves a little; the line could carry ten times as much.
        sent = {who: min(0.97 * rate, 50.0 * MEBIBYTE) for who, rate in given.items()}
    assert sum(sent.values()) > 90 * MEBIBYTE


def test_tunnels_that_are_idle_on_a_busy_machine_are_not_slowed_to_nothing() -> None:
    fairness = FairShare()
    for _ in range(500):
        given = fairness.allocate({ACME: 0.0, OTHER: 0.0}, is_full=True)
    assert min(given.values()) >= MEBIBYTE


def test_what_one_does_not_need_the_others_may_have() -> None:
    capacity = 100.0 * MEBIBYTE
    line = Line(capacity, {ACME: 16, OTHER: 1, THIRD: 4})
    line.wanted = {ACME: 10 * capacity, OTHER: 0.1 * capacity, THIRD: 0.0}
    seen = [line.look() for _ in range(60)][20:]
    assert sum(got[OTHER] for got in seen) / len(seen) > 0.085 * capacity
    assert sum(got[ACME] for got in seen) / len(seen) > 0.7 * capacity
    line.wanted[OTHER] = 10 * capacity
    seen = [line.look() for _ in range(30)][20:]
    assert min(got[OTHER] for got in seen) > 0.3 * capacity


def test_when_there_is_room_for_all_nobody_is_held_back_any_more() -> None:
    line = Line(100.0 * MEBIBYTE, {ACME: 16, OTHER: 1})
    line.wanted = {ACME: 1000.0 * MEBIBYTE, OTHER: 1000.0 * MEBIBYTE}
    for _ in range(10):
        line.look()
    assert line.fairness.is_active
    line.wanted = {ACME: 1.0 * MEBIBYTE, OTHER: 1.0 * MEBIBYTE}
    for _ in range(QUIET_SAMPLES + 20):
        line.look()
    assert not line.fairness.is_active
    assert not line.held


def test_a_limit_is_divided_by_what_is_sent_through_each_gateway() -> None:
    sharing, limit = RateAllocator(), 10 * MEBIBYTE
    first, second = UUID(int=21), UUID(int=22)

    def say(server: UUID, sent: int, now: float) -> int:
        demand = Demand(tenant_id=ACME, sent_bytes=sent)
        (part,) = sharing.allocate(server, [demand], {ACME: limit}, now)
        assert part.limit_bytes is not None
        return part.limit_bytes

    assert say(first, limit, 0) == limit
    say(second, limit, 1)
    assert [say(first, limit, 5), say(second, limit, 6)] == [limit // 2, limit // 2]
    # One of them needs little from now on.
    much = limit // 2
    for now in range(10, 40, 5):
        little = say(second, MEBIBYTE // 10, now)
        much = say(first, much, now + 1)
    assert little < 0.1 * limit
    assert much > 0.85 * limit
    assert little + much <= limit
    # And is gone.
    assert say(first, much, 40 + FRESH_SECONDS) == limit


def test_tenants_without_a_limit_are_not_divided() -> None:
    assert RateAllocator().allocate(ACME, [Demand(tenant_id=OTHER, sent_bytes=9)], {}, 0) == ()


def test_a_part_holds_while_the_manager_says_it_and_then_the_whole_limit() -> None:
    now = [0.0]
    allowances = RateAllocations(lambda: now[0])
    allowances.update((Allowance(tenant_id=ACME, limit_bytes=400),))
    assert allowances.limit_for(ACME, 1000) == 400
    assert allowances.limit_for(OTHER, 1000) == 1000
    assert allowances.limit_for(ACME, 300) == 300
    now[0] = TTL_SECONDS + 1
    assert allowances.limit_for(ACME, 1000) == 1000


def test_who_leaves_is_said_to_send_nothing_for_a_while_and_then_not_at_all() -> None:
    now = [0.0]
    allowances = RateAllocations(lambda: now[0])
    allowances.report_demand({ACME: 400.7})
    assert allowances.demands == (Demand(tenant_id=ACME, sent_bytes=400),)
    now[0] = LINGER_SECONDS
    allowances.report_demand({})
    assert allowances.demands == (Demand(tenant_id=ACME, sent_bytes=0),)
    now[0] += 1
    allowances.report_demand({})
    assert not allowances.demands


def test_a_gateway_may_be_full_when_one_of_its_threads_or_a_line_is() -> None:
    idle = MachineCounters(0, {"one": 5.0, "other": 5.0}, {"eth0": (0, 0)})
    speed = {"eth0": 125_000_000}.get
    busy = congestion.busiest_worker(idle, MachineCounters(1, {"one": 5.1, "other": 5.95}))
    assert busy == pytest.approx(0.95)
    assert congestion.busiest_worker(idle, MachineCounters(1, {"new": 5.95})) is None
    full = MachineCounters(1, carried={"eth0": (0, 120_000_000)})
    assert congestion.fullest_line(idle, full, speed) == 0.96
    half = MachineCounters(2, carried={"eth0": (0, 120_000_000)})
    assert congestion.fullest_line(idle, half, speed) == 0.48
    assert congestion.fullest_line(idle, full, lambda _: None) is None
    readings = iter(
        [
            idle,
            MachineCounters(1, {"one": 6.0}),
            MachineCounters(1.01, {"one": 6.0}),
            MachineCounters(2),
        ]
    )
    looking = CongestionMonitor(read=lambda: next(readings))
    for expected in (True, True, False):  # the second look is too early to say anything
        looking.sample()
        assert looking.worker_is_busy is expected
        assert not looking.line_is_full


def test_the_counters_of_real_threads_are_read() -> None:
    reading = congestion.read_counters([os.getpid(), 2**22 + 1])
    assert not reading.workers  # there is no thread of Envoy's here, and no such process at all
    assert congestion.busy_seconds("1500000000 500000000 7") == 2.0
    rest = " 1 0 0 0 0 0 0 "
    text = f"a\nb\n  eth0: 5{rest}7{rest}0\n    lo: 9{rest}9{rest}0\n"
    assert congestion.interface_bytes(text) == {"eth0": (5, 7)}


@pytest.mark.anyio
async def test_the_threads_of_envoy_that_carry_tunnels_are_found(machine: Machine) -> None:
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    # Who looks while Envoy starts finds none, and looks again some seconds later.
    workers = await until_async(lambda: congestion.read_counters(machine.envoys.pids).workers)
    assert all(busy >= 0 for busy in workers.values())


class Worker(Line):
    """A gateway that has time for so much. Whose data wait for it is seen."""

    def _allot(self, got: dict[UUID, float], most: Mapping[UUID, float], left: float) -> None:
        waiting = {who for who in got if most[who] - got[who] > 1 and self.is_below(who, got)}
        is_full = left < 0.01 * self.capacity and bool(waiting)
        self.held = self.fairness.allocate(got, is_full=is_full, waiting=waiting)

    def is_below(self, who: UUID, got: Mapping[UUID, float]) -> bool:
        """Whether it is not its own rate that holds it back."""
        return got[who] < 0.99 * self.held.get(who, float("inf"))


def test_on_a_full_gateway_who_comes_has_an_equal_part_at_once_and_keeps_it() -> None:
    capacity = 200.0 * MEBIBYTE
    line = Worker(capacity, {ACME: 16, OTHER: 1})
    line.wanted = {ACME: 10 * capacity}
    for _ in range(10):
        line.look()
    line.wanted[OTHER] = 0.0  # it is let in
    line.look()
    line.wanted[OTHER] = 10 * capacity
    seen = [line.look() for _ in range(100)]
    assert min(got[OTHER] / sum(got.values()) for got in seen) > 0.42
    assert min(sum(got.values()) for got in seen[5:]) > 0.9 * capacity
    assert sum(got[OTHER] / sum(got.values()) for got in seen) / len(seen) > 0.47


@pytest.mark.parametrize("seed", range(5))
def test_who_has_one_tunnel_loses_little_when_a_gateway_carries_now_more_and_now_less(
    seed: int,
) -> None:
    capacity, others = 200.0 * MEBIBYTE, random.Random(seed)
    line = Worker(capacity, {ACME: 16, OTHER: 1})
    line.wanted = {ACME: 1e12, OTHER: 1e12}
    seen = []
    for _ in range(100):
        line.capacity = capacity * others.uniform(0.8, 1.2)
        seen.append(line.look())
    settled = seen[20:]
    carried = sum(sum(got.values()) for got in settled)
    assert sum(got[OTHER] for got in settled) > 0.485 * carried
    assert carried > 0.8 * capacity * len(settled)


def test_others_work_on_the_machine_takes_nothing_from_who_can_use_the_gateway() -> None:
    line = Worker(200.0 * MEBIBYTE, {ACME: 16, OTHER: 1})
    line.wanted = {ACME: 1e12, OTHER: 2.0 * MEBIBYTE}
    for _ in range(50):
        line.look()
    line.capacity /= 10  # the machine has something else to do
    seen = [line.look() for _ in range(100)]
    assert min(got[ACME] for got in seen[50:]) > 0.7 * line.capacity
    assert min(got[OTHER] for got in seen[50:]) > 1.7 * MEBIBYTE
    line.capacity *= 10
    seen = [line.look() for _ in range(100)]
    assert min(got[ACME] for got in seen[50:]) > 0.8 * line.capacity
