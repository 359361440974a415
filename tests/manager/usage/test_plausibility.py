"""Is a host believed as far as a line goes, and no further?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.usage.plausibility import (
    LEEWAY,
    LINE_BYTES,
    MOST_AHEAD,
    OLDEST,
    TUNNEL_BYTES,
    LineCapacity,
    impossible_time,
    moment_of,
)
from cloudgate.protocol import Usage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def used(up: int = 0, down: int = 0, tunnels: int = 0, minute: datetime = NOW) -> Usage:
    return Usage(
        minute=minute,
        tenant_id=UUID(int=1),
        target="vault.example:1",
        tunnels=tunnels,
        bytes_up=up,
        bytes_down=down,
    )


told = st.builds(
    used,
    up=st.integers(0, 400 * LINE_BYTES),
    down=st.integers(0, 400 * LINE_BYTES),
    tunnels=st.integers(0, 10**6),
)


@given(st.integers(0, 3600), st.lists(told, max_size=12))
def test_no_more_is_believed_than_a_line_carries_in_the_time_that_there_was(
    seconds: int, lines: list[Usage]
) -> None:
    line = LineCapacity(NOW - seconds * SECOND, NOW)
    believed = 0
    most = LINE_BYTES * (seconds + int(LEEWAY.total_seconds()))
    for each in lines:
        sent = each.bytes_up + each.bytes_down + each.tunnels * TUNNEL_BYTES
        was = line.told_until
        if line.carries(each):
            believed += sent
            assert line.told_until >= was
        else:
            # A microsecond of the line for each that was told, which is rounded away.
            assert believed + sent > most - LINE_BYTES // 1_000_000
            assert line.told_until == was
    assert believed <= most + len(lines) * LINE_BYTES // 1_000_000


@given(st.lists(told, max_size=12))
def test_in_how_many_parts_it_is_told_changes_nothing(lines: list[Usage]) -> None:
    parts, whole = (LineCapacity(NOW - timedelta(days=1), NOW) for _ in range(2))
    assert all(parts.carries(each) for each in lines)
    once = used(
        sum(each.bytes_up for each in lines),
        sum(each.bytes_down for each in lines),
        sum(each.tunnels for each in lines),
    )
    assert whole.carries(once)
    assert whole.told_until - parts.told_until <= len(lines) * timedelta(microseconds=1)


def test_a_batch_that_is_refused_takes_nothing_of_the_line() -> None:
    line = LineCapacity(NOW, NOW)
    assert not line.carries(used(up=10**15))
    assert line.carries(used(up=int(LINE_BYTES * LEEWAY.total_seconds())))
    assert not line.carries(used(up=LINE_BYTES))


def test_tunnels_without_a_byte_take_of_the_line_what_their_handshakes_take() -> None:
    line, most = LineCapacity(NOW, NOW), int(LINE_BYTES * LEEWAY.total_seconds()) // TUNNEL_BYTES
    assert not line.carries(used(tunnels=most + 1000))
    assert line.carries(used(tunnels=most))


def test_whoever_was_away_for_longer_than_is_believed_has_no_more_than_that() -> None:
    line = LineCapacity(NOW - 10 * OLDEST, NOW)
    assert line.told_until == NOW - OLDEST


def test_a_clock_that_was_put_back_leaves_a_line_that_carries() -> None:
    ahead = LineCapacity(NOW + LEEWAY + SECOND, NOW)
    assert ahead.carries(used(up=LINE_BYTES))
    within = LineCapacity(NOW + LEEWAY, NOW)
    assert within.told_until == NOW + LEEWAY
    assert not within.carries(used(up=LINE_BYTES))


def test_what_comes_after_a_minute_has_no_time_before_it() -> None:
    line = LineCapacity(NOW - timedelta(days=1), NOW)
    line.forget_before(NOW - timedelta(hours=1))
    assert line.told_until == NOW - timedelta(hours=1)
    line.forget_before(NOW - timedelta(hours=2))
    assert line.told_until == NOW - timedelta(hours=1)
    line.forget_before(NOW + timedelta(hours=2))
    assert line.told_until == NOW


@pytest.mark.parametrize(
    ("minute", "why"),
    [
        (NOW, ""),
        (NOW + MOST_AHEAD, ""),
        (NOW + MOST_AHEAD + SECOND, "it is of 2026-01-02 12:00 UTC, which is yet to come"),
        (NOW - OLDEST, ""),
        (NOW - OLDEST - SECOND, "it is of 2024-11-27 11:59 UTC, more than 400 days ago"),
    ],
)
def test_a_time_that_cannot_be_is_said_why(minute: datetime, why: str) -> None:
    assert impossible_time(used(minute=minute), NOW) == why


def test_what_a_clock_that_is_ahead_calls_later_counts_for_this_minute() -> None:
    now = NOW + timedelta(seconds=59, microseconds=1)
    assert moment_of(used(minute=NOW + MOST_AHEAD), now) == NOW
    earlier = NOW - timedelta(minutes=7)
    assert moment_of(used(minute=earlier), now) == earlier
