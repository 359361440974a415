"""Message order: what comes late is told from what is new, and nobody is unheard for ever."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.registries.message_order import HEARD_WITHIN, MessageOrder
from cloudgate.protocol import DemandReport, GatewayState, Report

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOST, OTHER = UUID(int=1), UUID(int=2)


def report(number: int, run: str = "1") -> Report:
    return Report(
        assignment_revision=1,
        directory_revision=1,
        state=GatewayState.LISTENING,
        run=run,
        number=number,
    )


def demand(number: int) -> DemandReport:
    return DemandReport(demands=(), run="1", number=number)


def test_an_older_word_of_the_same_run_and_kind_comes_late() -> None:
    order = MessageOrder()
    assert not order.is_late(HOST, report(3), NOW)
    assert not order.is_late(HOST, report(3), NOW), "the same once more is no older one"
    assert not order.is_late(HOST, report(5), NOW)
    assert order.is_late(HOST, report(4), NOW)
    assert not order.is_late(HOST, demand(2), NOW)
    assert order.is_late(HOST, demand(1), NOW)
    assert not order.is_late(OTHER, report(1), NOW)
    assert not order.is_late(HOST, report(1, run="2"), NOW), "its service was started anew"
    order.forget(HOST)
    assert not order.is_late(HOST, demand(1), NOW)


def test_a_word_of_a_run_that_has_ended_comes_late_for_a_while() -> None:
    order = MessageOrder()
    assert not order.is_late(HOST, report(500), NOW)
    assert not order.is_late(HOST, report(1, run="2"), NOW)
    assert order.is_late(HOST, report(501), NOW + HEARD_WITHIN / 2)
    assert not order.is_late(HOST, report(2, run="2"), NOW)
    assert order.is_late(HOST, report(1, run="2"), NOW)
    assert order.is_late(HOST, report(502), NOW + HEARD_WITHIN / 2)
    # A machine may have been put back to before its service was started anew.
    assert not order.is_late(HOST, report(501), NOW + HEARD_WITHIN)
    assert order.is_late(HOST, report(3, run="2"), NOW + HEARD_WITHIN)


@given(st.lists(st.integers(0, 30), max_size=60))
def test_who_begins_anew_again_and_again_is_heard_each_time_and_fills_no_memory(
    runs: list[int],
) -> None:
    order, seen = MessageOrder(), set[int]()
    for run in runs:
        is_late = order.is_late(HOST, report(1, run=str(run)), NOW)
        assert is_late <= (run in seen), "what was never heard is news"
        seen.add(run)


def test_what_a_host_of_the_release_before_says_is_never_late() -> None:
    order = MessageOrder()
    assert not order.is_late(HOST, report(5), NOW)
    for _ in range(2):
        assert not order.is_late(HOST, report(0, run=""), NOW)


def test_a_host_that_was_put_back_with_its_memory_is_heard_again_also_as_a_clock_is_changed() -> (
    None
):
    for sign in (1, -1):
        order = MessageOrder()
        assert not order.is_late(HOST, report(9), NOW)
        assert order.is_late(HOST, report(4), NOW + sign * HEARD_WITHIN / 2)
        assert not order.is_late(HOST, report(5), NOW + sign * HEARD_WITHIN)
        assert not order.is_late(
            HOST, report(6), NOW + sign * (HEARD_WITHIN + timedelta(seconds=5))
        )
