"""Held-back hours: each part of a time is of its hour, and is written down once."""

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.manager.registries.hosts import held_back_hours
from cloudgate.manager.registries.hosts.held_back_hours import (
    HOUR_SECONDS,
    HeldBack,
    HeldBackHours,
    parts_by_hour,
)

HOST, OTHER, TENANT = UUID(int=1), UUID(int=2), UUID(int=3)


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


def test_hours_that_are_over_are_taken_once_and_may_be_given_back() -> None:
    hours = HeldBackHours()
    hours.add(TENANT, HOST, [(0.0, 0.25), (HOUR_SECONDS, 0.75)], HeldBack(80.0, 20.0))
    hours.add(TENANT, OTHER, [(HOUR_SECONDS, 1.0)], HeldBack(1.0, 2.0))
    before = {0.0: HeldBack(20.0, 5.0), HOUR_SECONDS: HeldBack(61.0, 17.0)}
    assert hours.of(TENANT) == before
    taken = hours.take(HOUR_SECONDS)
    assert taken == {TENANT: {(HOST, 0.0): HeldBack(20.0, 5.0)}}
    assert hours.take(HOUR_SECONDS) == {}
    assert hours.of(TENANT).keys() == {HOUR_SECONDS}
    hours.give_back(taken)
    assert hours.of(TENANT) == before
    assert hours.take(2 * HOUR_SECONDS)
    assert hours.of(TENANT) == {}


def test_no_more_hours_are_kept_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_back_hours, "MOST_KEPT", 2)
    hours = HeldBackHours()
    for number in range(3):
        hours.add(TENANT, HOST, [(number * HOUR_SECONDS, 1.0)], HeldBack(1.0))
    assert len(hours.of(TENANT)) == 2
    hours.take(HOUR_SECONDS)
    hours.add(TENANT, HOST, [(2 * HOUR_SECONDS, 1.0)], HeldBack(1.0))
    assert hours.of(TENANT).keys() == {HOUR_SECONDS, 2 * HOUR_SECONDS}
