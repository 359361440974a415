"""Does a tenant's number of tunnels hold over all its gateways, whatever fails in between?"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloudgate.host.state.site import GatewayOption, SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.slot_tokens import AWAY_SECONDS, SAFE, SlotTokens
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.manager.registries.limits.slot_tokens import (
    GONE_SECONDS,
    LEARNING_SECONDS,
    TAKEN_BACK_SECONDS,
    SlotTokenAllocator,
    targets,
)
from cloudgate.protocol import (
    Allowance,
    Allowances,
    Demand,
    GatewayState,
    Peer,
    Tenant,
)
from cloudgate.protocol import Site as SiteMessage
from tests.support.certificates.authority import Authority
from tests.support.ports import free_port
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import until_async

ACME = UUID(int=1)
GATEWAYS = 3
TALK_SECONDS = 5.0
"""How often a host says what it holds, whatever happens."""


class Line(TunnelSlots):
    """The slots of a gateway, and how many wait for one."""

    line = 0

    def waiting(self, tenant_id: UUID) -> int:
        del tenant_id
        return self.line


class KnownTenant:
    """A tenant that may come in by so many gateways."""

    def __init__(self, limit: int | None, gateways: int) -> None:
        self.tenant = Tenant(
            tenant_id=ACME, name="Acme", password_hash="", concurrent_tunnels=limit
        )
        self.gateways = gateways

    def by_id(self, tenant_id: UUID) -> Tenant | None:
        return self.tenant if tenant_id == ACME else None

    def gateways_for(self, tenant: Tenant) -> Iterator[GatewayOption]:
        del tenant
        peer = Peer(gateway_id=UUID(int=9), name="gw", address="192.0.2.1", port=6180)
        yield from [GatewayOption(peer)] * self.gateways


class Gateway:
    """The gateway's side of it as it is, without a network."""

    def __init__(self, number: int, known: KnownTenant, clock: "Clock") -> None:
        self.server_id = UUID(int=100 + number)
        self.known = known
        self.slots = Line()
        self.tokens = SlotTokens(
            self.slots,
            cast(TenantDirectory, known),
            cast(SiteStore, known),
            lambda: clock.now,
            lambda *_: None,
        )
        self.tokens.news = cast(Any, Flag())
        self.count = 0

    @property
    def live(self) -> list[str]:
        return list(self.slots._begun)

    def let_in(self) -> None:
        """Those that wait, as far as there is room."""
        limit = self.tokens.limit(self.known.tenant)
        while self.slots.line and (limit is None or self.slots.in_use(ACME) < limit()):
            self.slots.line -= 1
            self.count += 1
            self.slots.confirm(f"{self.server_id} {self.count}", ACME)

    def talk(self, manager: SlotTokenAllocator, now: float, *, lost: str = "") -> frozenset[UUID]:
        """Say what is held, and hear what may be; who has to be asked again."""
        self.tokens.news.clear()
        demands = self.tokens.demands(())
        ask_again: frozenset[UUID] = frozenset()
        if lost != "question":
            limit = self.known.tenant.concurrent_tunnels
            limits = {} if limit is None else {ACME: limit}
            parts = manager.allocate(self.server_id, demands, limits, now)
            ask_again = parts.ask_again
        if lost:
            self.tokens.note_away()
        else:
            told = (Allowance(tenant_id=who, tunnels=n) for who, n in parts.tunnels.items())
            self.tokens.update(Allowances(allowances=tuple(told), tunnels_are_divided=True))
        self.let_in()
        return ask_again


class Flag:
    """As an event, outside of a loop."""

    _is_set = False

    def set(self) -> None:
        self._is_set = True

    def clear(self) -> None:
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set


class Clock:
    now = 1000.0


class Site(RuleBasedStateMachine):
    """A tenant's tunnels at three gateways, a manager, and all that can fail."""

    @initialize(limit=st.integers(1, 6))
    def begin(self, limit: int) -> None:
        self.limit, self.clock = limit, Clock()
        self.known = KnownTenant(limit, GATEWAYS)
        self.manager = SlotTokenAllocator(-1000.0)
        self.is_up = True
        self.slack = 0
        self.made = 0
        self.gateways = [self.new() for _ in range(GATEWAYS)]

    def new(self) -> Gateway:
        self.made += 1
        return Gateway(self.made, self.known, self.clock)

    def talk(self, gateway: Gateway, lost: str = "") -> None:
        """Say it, and have the others say it that the manager asks for it."""
        asking = [gateway]
        for _ in range(20):
            if not asking:
                return
            each = asking.pop(0)
            if not self.is_up:
                each.tokens.note_away()
                each.let_in()
                continue
            again = each.talk(self.manager, self.clock.now, lost=lost)
            if lost:
                return
            asking += [other for other in self.gateways if other.server_id in again]
            asking += [each] if each.tokens.news.is_set() else []

    @rule(which=st.integers(0, GATEWAYS - 1), count=st.integers(1, 5))
    def want(self, which: int, count: int) -> None:
        self.gateways[which].slots.line += count
        self.gateways[which].let_in()
        self.talk(self.gateways[which])

    @rule(which=st.integers(0, GATEWAYS - 1))
    def end(self, which: int) -> None:
        gateway = self.gateways[which]
        if gateway.live:
            gateway.slots.release(gateway.live[0])
            gateway.let_in()
        if gateway.tokens.news.is_set():
            self.talk(gateway)

    @rule(which=st.integers(0, GATEWAYS - 1), lost=st.sampled_from(["question", "answer"]))
    def lose(self, which: int, lost: str) -> None:
        self.slack = GATEWAYS - 1
        self.talk(self.gateways[which], lost)

    @rule()
    def kill_manager(self) -> None:
        self.slack, self.is_up = GATEWAYS - 1, False

    @precondition(lambda self: not self.is_up)
    @rule()
    def start_manager(self) -> None:
        self.is_up, self.manager = True, SlotTokenAllocator(self.clock.now)

    @rule(which=st.integers(0, GATEWAYS - 1))
    def kill_gateway(self, which: int) -> None:
        """Its tunnels end with it; another takes its place, which knows nothing."""
        self.gateways[which] = self.new()

    @rule(seconds=st.sampled_from([5.0, LEARNING_SECONDS, GONE_SECONDS + TALK_SECONDS]))
    def wait(self, seconds: float) -> None:
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += TALK_SECONDS
            for each in self.gateways:
                self.talk(each)

    @precondition(lambda self: self.is_up)
    @rule()
    def settle(self) -> None:
        """Nothing fails for a while: then as many are in as may be, if so many want to."""
        self.wait(LEARNING_SECONDS + GONE_SECONDS + TALK_SECONDS)
        wanted = sum(each.slots.line + len(each.live) for each in self.gateways)
        assert self.total() >= min(self.limit, wanted)
        if self.total() <= self.limit:
            self.slack = 0

    def total(self) -> int:
        return sum(len(each.live) for each in self.gateways)

    @invariant()
    def no_more_than_was_sold(self) -> None:
        if hasattr(self, "gateways"):
            assert self.total() <= self.limit + self.slack

    @invariant()
    def nobody_gets_none_without_a_manager(self) -> None:
        if hasattr(self, "gateways") and not self.is_up:
            for each in self.gateways:
                self.talk(each)
                assert each.live or not each.slots.line


TestSite = Site.TestCase
TestSite.settings = settings(
    max_examples=40, stateful_step_count=25, phases=(Phase.generate, Phase.shrink)
)


def test_tokens_go_where_they_are_needed() -> None:
    one, other, third = UUID(int=1), UUID(int=2), UUID(int=3)
    assert targets(4, {one: (1, 1, 0)}) == {one: 4}
    assert targets(4, {one: (4, 4, 0), other: (1, 0, 1)}) == {one: 3, other: 1}
    assert targets(1, {one: (1, 1, 0), other: (1, 0, 9)}) == {one: 1, other: 0}
    assert targets(1, {one: (1, 0, 0), other: (1, 0, 9)}) == {one: 0, other: 1}
    assert targets(9, {one: (0, 0, 0), other: (2, 2, 0), third: (1, 1, 0)}) == {
        one: 0,
        third: 4,
        other: 5,
    }
    assert targets(5, {one: (0, 0, 0), other: (0, 0, 0)}) == {one: 2, other: 3}


def test_a_tenant_at_one_gateway_needs_no_manager() -> None:
    gateway = Gateway(1, KnownTenant(4, 1), Clock())
    gateway.slots.line = 9
    gateway.let_in()
    assert len(gateway.live) == 4
    assert gateway.tokens.demands(()) == ()


def test_without_a_limit_nothing_is_counted() -> None:
    gateway = Gateway(1, KnownTenant(None, 3), Clock())
    assert gateway.tokens.limit(gateway.known.tenant) is None


def test_a_manager_of_the_release_before_leaves_each_gateway_the_limit() -> None:
    gateway = Gateway(1, KnownTenant(4, 3), Clock())
    gateway.slots.line = 9
    gateway.let_in()
    assert gateway.live == []
    gateway.tokens.demands(())
    gateway.tokens.update(Allowances())
    gateway.let_in()
    assert len(gateway.live) == 4


def test_a_host_of_the_release_before_gets_what_it_had_and_counts_for_nobody() -> None:
    manager = SlotTokenAllocator(-1000.0)
    old = Demand(tenant_id=ACME, sent_bytes=5)
    assert manager.allocate(UUID(int=7), [old], {ACME: 2}, 0.0).tunnels == {}
    new = Demand(tenant_id=ACME, sent_bytes=5, tunnels_wanted=2, tunnels_held=0)
    assert manager.allocate(UUID(int=8), [new], {ACME: 2}, 0.0).tunnels == {ACME: 2}


def test_a_manager_that_does_not_answer_is_away_after_a_while() -> None:
    clock = Clock()
    gateway = Gateway(1, KnownTenant(4, 3), clock)
    gateway.slots.line = 2
    gateway.tokens.limit(gateway.known.tenant)
    gateway.tokens.demands(())
    gateway.let_in()
    assert gateway.live == []
    clock.now += AWAY_SECONDS
    gateway.let_in()
    assert len(gateway.live) == SAFE


def test_what_was_let_in_before_there_was_another_gateway_counts() -> None:
    known = KnownTenant(4, 1)
    gateway = Gateway(1, known, Clock())
    gateway.slots.line = 3
    gateway.let_in()
    known.gateways = 2
    (told,) = gateway.tokens.demands(())
    assert (told.tunnels_live, told.tunnels_held) == (3, 3)


def said(live: int, wanted: int, held: int) -> Demand:
    return Demand(
        tenant_id=ACME, sent_bytes=0, tunnels_live=live, tunnels_wanted=wanted, tunnels_held=held
    )


def test_a_host_holds_no_more_than_it_was_given_and_has_use_for_whatever_it_says() -> None:
    manager, right, stolen, now = SlotTokenAllocator(-1000.0), UUID(int=1), UUID(int=2), 0.0
    limit = {ACME: 4}
    assert manager.allocate(right, [said(0, 1, 0)], limit, now).tunnels == {ACME: 4}
    assert manager.allocate(right, [said(1, 0, 4)], limit, now).tunnels == {ACME: 4}
    # It says that it has tunnels for which it was given no token.
    assert manager.allocate(stolen, [said(0, 1, 0)], limit, now).tunnels == {ACME: 0}
    assert manager.allocate(stolen, [said(4, 0, 4)], limit, now).tunnels == {ACME: 0}
    assert manager.allocate(right, [said(1, 0, 2)], limit, now).tunnels == {ACME: 2}
    # What it is given it gives back to nobody, though it needs it no more.
    assert manager.allocate(stolen, [said(0, 2, 0)], limit, now).tunnels == {ACME: 2}
    for _ in range(4):
        now += TAKEN_BACK_SECONDS / 2
        manager.allocate(stolen, [said(0, 0, 2)], limit, now)
        told = manager.allocate(right, [said(2, 2, 2)], limit, now).tunnels
    assert told == {ACME: 4}


def test_what_a_revoked_host_held_is_for_the_others_at_once() -> None:
    manager, right, stolen = SlotTokenAllocator(-1000.0), UUID(int=1), UUID(int=2)
    limit = {ACME: 2}
    assert manager.allocate(stolen, [said(0, 2, 0)], limit, 0.0).tunnels == {ACME: 2}
    assert manager.allocate(stolen, [said(2, 0, 2)], limit, 0.0).tunnels == {ACME: 2}
    assert manager.allocate(right, [said(0, 2, 0)], limit, 0.0).tunnels == {ACME: 0}
    manager.forget(stolen)
    assert manager.allocate(right, [said(0, 2, 0)], limit, 0.0).tunnels == {ACME: 2}


@pytest.mark.parametrize("live", [0, 3])
def test_a_live_tunnel_keeps_its_token_whatever_the_manager_says(live: int) -> None:
    gateway = Gateway(1, KnownTenant(4, 2), Clock())
    for number in range(live):
        gateway.slots.confirm(str(number), ACME)
    gateway.tokens.limit(gateway.known.tenant)
    gateway.tokens.demands(())
    allowance = Allowance(tenant_id=ACME, tunnels=1)
    gateway.tokens.update(Allowances(allowances=(allowance,), tunnels_are_divided=True))
    (told,) = gateway.tokens.demands(())
    assert told.tunnels_held == max(live, 1)
    assert len(gateway.live) == live


@pytest.mark.anyio
async def test_two_gateways_let_in_no_more_than_was_sold_and_no_fewer(
    tmp_path: Path, authority: Authority, repository_port: int, client: Client
) -> None:
    now = asyncio.get_running_loop().time
    limit, target, manager = 3, "repo.example:443", SlotTokenAllocator(-1000.0)
    peers = tuple(
        Peer(gateway_id=UUID(int=50 + each), name=f"gw{each}", address="192.0.2.1", port=6180)
        for each in range(2)
    )

    async def share(machine: Machine, server_id: UUID) -> None:
        while True:
            await machine.tokens.due()
            parts = manager.allocate(server_id, machine.tokens.demands(()), {ACME: limit}, now())
            told = (Allowance(tenant_id=who, tunnels=n) for who, n in parts.tunnels.items())
            machine.tokens.update(Allowances(allowances=tuple(told), tunnels_are_divided=True))
            for other, its_id in sharing:
                if its_id in parts.ask_again:
                    other.tokens.news.set()

    async with AsyncExitStack() as stack:
        sharing, ports = [], []
        for number in range(2):
            state = tmp_path / f"gw{number}"
            machine = await stack.enter_async_context(running_machine(state, authority))
            machine.know(tenant(repository_port, concurrent_tunnels=limit))
            machine.site.replace(SiteMessage(revision=1, gateways=peers))
            ports.append(free_port())
            await machine.bring(machine.gateway(ports[-1]), GatewayState.LISTENING)
            sharing.append((machine, UUID(int=100 + number)))
        tasks = [asyncio.create_task(share(*each)) for each in sharing]
        opened = await asyncio.gather(*(client.connect(port, target) for port in ports * limit))
        live = [each for each in opened if each.status == 200]
        assert len(live) == limit
        for each in live:
            each.close()
        here = await asyncio.gather(*(client.connect(ports[0], target) for _ in range(limit)))
        assert [each.status for each in here] == [200] * limit
        there = asyncio.create_task(client.connect(ports[1], target))
        await until_async(lambda: sharing[1][0].admissions.slots.waiting(ACME) == 1)
        here[0].close()
        assert (await there).status == 200
        assert all([await each.echoes() for each in here[1:]])
        for task in tasks:
            task.cancel()
