"""Tenant counts: they add up over restarts of hosts and of the manager, and never go back."""

from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.manager.registries.hosts import tenant_counts
from cloudgate.manager.registries.hosts.held_back_hours import HOUR_SECONDS, HeldBackHours
from cloudgate.manager.registries.hosts.tenant_counts import TenantCounts
from cloudgate.protocol import Figures, TenantFigures

HOST, TENANT = UUID(int=1), UUID(int=2)


@dataclass
class Host:
    """A host service that counts what a tenant is refused."""

    clock: list[float]
    number: int = 0
    refused: int = 0
    began: float = 0.0
    told: int | None = field(default=None)

    def restart(self) -> None:
        self.number, self.refused, self.began, self.told = self.number + 1, 0, self.clock[0], None

    def figures(self) -> Figures:
        of_tenant = TenantFigures(
            tenant_id=TENANT, tunnels=1, refused=self.refused, held_back_seconds=0.0
        )
        news = () if self.told == self.refused else (of_tenant,)
        self.told = self.refused
        return Figures(
            run=str(self.number), uptime_seconds=self.clock[0] - self.began, tenants=news
        )


STEPS = st.lists(st.sampled_from(["refuse", "report", "restart host", "restart manager"]))


@given(STEPS)
@example(["refuse", "report", "restart host", "refuse", "report"])
@example(["refuse", "report", "restart manager", "report", "refuse", "report"])
def test_counts_only_grow_but_to_0_and_are_what_was_reported_since_the_manager_began(
    steps: list[str],
) -> None:
    clock = [1000.0]
    counts = TenantCounts(clock[0], HeldBackHours())
    host, expected, pending, before = Host(clock, began=0.0), 0, 0, 0
    counts.count(HOST, host.figures(), clock[0], clock[0])
    for step in steps:
        clock[0] += 10
        if step == "refuse":
            host.refused += 1
            pending += 1
        elif step == "report":
            counts.count(HOST, host.figures(), clock[0], clock[0])
            expected, pending = expected + pending, 0
        elif step == "restart host":
            host.restart()
            pending = 0  # it was never told
        else:
            counts = TenantCounts(clock[0], HeldBackHours())
            host.told = None  # a host tells all of it to a manager that was away
            counts.count(HOST, host.figures(), clock[0], clock[0])
            before = expected = pending = 0
            if host.began > clock[0]:
                raise AssertionError("A host cannot begin later than now.")
        sums = counts.sums().get(TENANT)
        now = sums.refused if sums else 0
        assert now == expected
        assert now >= before
        before = now


def test_what_a_host_counted_while_nobody_heard_it_is_of_the_hours_that_passed() -> None:
    clock, kept = [7 * HOUR_SECONDS], HeldBackHours()
    counts = TenantCounts(clock[0], kept)

    def hear(held: float, share: float = 0.0, server: UUID = HOST) -> None:
        of_tenant = TenantFigures(
            tenant_id=TENANT,
            tunnels=1,
            refused=0,
            held_back_seconds=held,
            held_back_by_share_seconds=share,
        )
        figures = Figures(run="1", uptime_seconds=clock[0], tenants=(of_tenant,))
        counts.count(server, figures, clock[0], clock[0])

    def hours() -> dict[float, tuple[float, float]]:
        return {
            hour / HOUR_SECONDS: (round(each.limit_seconds), round(each.share_seconds))
            for hour, each in kept.of(TENANT).items()
        }

    hear(500.0)
    assert not hours(), "it is not of this manager's time"
    clock[0] += 1.5 * HOUR_SECONDS
    hear(500.0 + 3000, 900.0)
    assert hours() == {7: (1400, 600), 8: (700, 300)}
    assert counts.sums()[TENANT].held_back_seconds == 3000


def test_who_carries_a_tenant_is_what_each_host_said_last() -> None:
    counts, other = TenantCounts(0.0, HeldBackHours()), UUID(int=3)
    of_tenant = TenantFigures(tenant_id=TENANT, tunnels=1, refused=0, held_back_seconds=0.0)
    counts.count(HOST, Figures(run="1", uptime_seconds=9.0, tenants=(of_tenant,)), 10.0, 10.0)
    counts.count(other, Figures(run="1", uptime_seconds=9.0), 10.0, 10.0)
    assert counts.with_live_tunnels(TENANT) == {HOST: True, other: False}
    counts.count(HOST, Figures(run="2", uptime_seconds=1.0), 20.0, 20.0)
    assert counts.with_live_tunnels(TENANT) == {HOST: False, other: False}
    counts.forget(other)
    assert counts.with_live_tunnels(TENANT) == {HOST: False}


def test_a_host_that_names_tenants_without_end_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tenant_counts, "MOST_TENANTS", 50)
    counts = TenantCounts(1000.0, HeldBackHours())
    for number in range(20):
        news = tuple(
            TenantFigures(
                tenant_id=UUID(int=number * 100 + each + 1),
                tunnels=1,
                refused=1,
                held_back_seconds=1.0,
            )
            for each in range(10)
        )
        figures = Figures(run=str(number % 3), uptime_seconds=1.0, tenants=news)
        counts.count(HOST, figures, 1000.0, 1000.0)
    assert len(counts.sums()) <= 100
