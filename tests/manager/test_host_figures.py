"""Do counts of hosts add up over restarts of hosts and of the manager, and never go backwards?"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.manager.registries.hosts import host_figures
from cloudgate.manager.registries.hosts.host_figures import (
    HOUR_SECONDS,
    HostFiguresRegistry,
    parts_by_hour,
)
from cloudgate.protocol import Figures, GatewayState, Report, TenantFigures

HOST, TENANT = UUID(int=1), UUID(int=2)


def at(seconds: float) -> datetime:
    """A moment, by the seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


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

    def report(self) -> Report:
        of_tenant = TenantFigures(
            tenant_id=TENANT, tunnels=1, refused=self.refused, held_back_seconds=0.0
        )
        news = () if self.told == self.refused else (of_tenant,)
        self.told = self.refused
        figures = Figures(
            run=str(self.number), uptime_seconds=self.clock[0] - self.began, tenants=news
        )
        return Report(
            assignment_revision=1,
            directory_revision=1,
            state=GatewayState.LISTENING,
            figures=figures,
        )


STEPS = st.lists(st.sampled_from(["refuse", "report", "restart host", "restart manager"]))


@given(STEPS)
@example(["refuse", "report", "restart host", "refuse", "report"])
@example(["refuse", "report", "restart manager", "report", "refuse", "report"])
def test_counts_only_grow_but_to_0_and_are_what_was_reported_since_the_manager_began(
    steps: list[str],
) -> None:
    clock = [1000.0]
    registry = HostFiguresRegistry(lambda: clock[0])
    host, expected, pending, before = Host(clock, began=0.0), 0, 0, 0
    registry.keep(HOST, host.report(), at(clock[0]))
    for step in steps:
        clock[0] += 10
        if step == "refuse":
            host.refused += 1
            pending += 1
        elif step == "report":
            registry.keep(HOST, host.report(), at(clock[0]))
            expected, pending = expected + pending, 0
        elif step == "restart host":
            host.restart()
            pending = 0  # it was never told
        else:
            registry = HostFiguresRegistry(lambda: clock[0])
            host.told = None  # a host tells all of it to a manager that was away
            registry.keep(HOST, host.report(), at(clock[0]))
            before = expected = pending = 0
            if host.began > clock[0]:
                raise AssertionError("A host cannot begin later than now.")
        sums = registry.tenants().get(TENANT)
        now = sums.refused if sums else 0
        assert now == expected
        assert now >= before
        before = now


@given(st.floats(0, 1e9), st.floats(0, 90_000), st.integers(0, 3))
@example(7200.0, 3600.0, 0)
@example(7200.0, 0.0, 0)
def test_the_parts_of_a_time_are_of_the_hours_that_it_lies_in_and_make_the_whole(
    until: float, seconds: float, later: int
) -> None:
    parts = parts_by_hour(until - seconds, until - later)
    assert sum(part for _, part in parts) == pytest.approx(1)
    assert len({hour for hour, _ in parts}) == len(parts) <= 25
    for hour, part in parts:
        assert hour % HOUR_SECONDS == 0
        assert 0 <= part <= 1
        assert hour <= until - later


def test_what_a_host_counted_while_nobody_heard_it_is_of_the_hours_that_passed() -> None:
    clock = [7 * HOUR_SECONDS]
    registry = HostFiguresRegistry(lambda: clock[0])

    def hear(held: float, share: float = 0.0, server: UUID = HOST) -> None:
        of_tenant = TenantFigures(
            tenant_id=TENANT,
            tunnels=1,
            refused=0,
            held_back_seconds=held,
            held_back_by_share_seconds=share,
        )
        figures = Figures(run="1", uptime_seconds=clock[0], tenants=(of_tenant,))
        report = Report(
            assignment_revision=1,
            directory_revision=1,
            state=GatewayState.LISTENING,
            figures=figures,
        )
        registry.keep(server, report, at(clock[0]))

    def hours() -> dict[float, tuple[float, float]]:
        found = registry.held_back(TENANT)
        return {
            hour / HOUR_SECONDS: (round(each.limit_seconds), round(each.share_seconds))
            for hour, each in found.items()
        }

    hear(500.0)
    assert not hours(), "it is not of this manager's time"
    clock[0] += 1.5 * HOUR_SECONDS
    hear(500.0 + 3000, 900.0)
    assert hours() == {7: (1400, 600), 8: (700, 300)}
    taken = registry.take_held_back(8 * HOUR_SECONDS)
    assert hours() == {8: (700, 300)}
    registry.give_back(taken)
    assert hours() == {7: (1400, 600), 8: (700, 300)}
    assert not registry.take_held_back(7 * HOUR_SECONDS)
    assert registry.take_held_back(9 * HOUR_SECONDS)
    assert not hours()


def test_a_report_that_says_nothing_else_is_told_from_one_that_does() -> None:
    registry = HostFiguresRegistry()
    host = Host([10.0])
    report = host.report()
    assert not registry.is_repeated(HOST, report)
    registry.keep(HOST, report, at(10.0))
    assert registry.is_repeated(HOST, host.report())
    drained = report.model_copy(update={"state": GatewayState.DRAINING})
    assert not registry.is_repeated(HOST, drained)
    registry.forget(HOST)
    assert not registry.is_repeated(HOST, report)


def test_a_host_service_began_when_it_did_however_clocks_jitter_and_again_when_they_are_set() -> (
    None
):
    uptime, now = [100.0], [5000.4]
    registry = HostFiguresRegistry(lambda: 0.0)

    def began(run: str = "a") -> float:
        figures = Figures(run=run, uptime_seconds=uptime[0])
        report = Report(
            assignment_revision=1,
            directory_revision=1,
            state=GatewayState.LISTENING,
            figures=figures,
        )
        registry.keep(HOST, report, at(now[0]))
        return registry.latest()[HOST].began_at

    assert began() == 4900
    uptime[0], now[0] = 115.0, 5016.3  # it took a second to come
    assert began() == 4900
    now[0] += 3600
    assert began() == 8501
    uptime[0] = 1.0
    assert began("b") == 8615


def test_a_host_that_names_tenants_without_end_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host_figures, "MOST_TENANTS", 50)
    registry = HostFiguresRegistry(lambda: 1000.0)
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
        report = Report(
            assignment_revision=1,
            directory_revision=1,
            state=GatewayState.LISTENING,
            figures=figures,
        )
        registry.keep(HOST, report, at(1000.0))
    assert len(registry.tenants()) <= 100
