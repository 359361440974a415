"""Fact changes: a machine may say something else of itself a number of times, then now and then."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cloudgate.manager.registries.hosts.fact_changes import (
    CHANGE_SECONDS,
    CHANGES_AT_ONCE,
    FactChangeThrottle,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PUT_BACK = NOW - timedelta(hours=5)
"""What a clock shows that was ahead, and was set right."""
HOST, OTHER = UUID(int=1), UUID(int=2)


def changed(throttle: FactChangeThrottle, now: datetime, host: UUID = HOST) -> bool:
    if not throttle.may_change(host, now):
        return False
    throttle.record(host, now)
    return True


def test_after_so_many_changes_the_next_is_heard_in_its_time() -> None:
    throttle = FactChangeThrottle()
    heard = [changed(throttle, NOW) for _ in range(CHANGES_AT_ONCE + 1)]
    assert heard == [True] * CHANGES_AT_ONCE + [False]
    assert changed(throttle, NOW, OTHER), "each machine has its own"
    later = NOW + timedelta(seconds=CHANGE_SECONDS)
    assert [changed(throttle, later) for _ in range(2)] == [True, False]
    throttle.forget(HOST)
    assert changed(throttle, later)


def test_a_clock_that_was_put_back_keeps_no_host_from_saying_something_else_of_itself() -> None:
    throttle = FactChangeThrottle()
    for now in (NOW, PUT_BACK):
        heard = [changed(throttle, now) for _ in range(CHANGES_AT_ONCE + 1)]
        assert heard == [True] * CHANGES_AT_ONCE + [False]
