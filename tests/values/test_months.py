"""When do months begin and end, and how are they asked for?"""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.values.months import (
    MORE_DAYS,
    MOST_DAYS,
    begin_of,
    days_back,
    end_of,
    last_months,
    month_of,
    within,
)

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))


@given(MOMENTS)
@example(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
@example(datetime(2028, 2, 29, tzinfo=UTC))
@example(datetime(99, 1, 1, tzinfo=UTC))
def test_a_moment_is_in_its_month_and_the_months_follow_each_other(moment: datetime) -> None:
    month = month_of(moment)
    assert begin_of(month) <= moment < end_of(month)
    assert month_of(end_of(month) - timedelta(microseconds=1)) == month
    assert begin_of(month_of(end_of(month))) == end_of(month)


def test_months_are_those_of_utc() -> None:
    behind = timezone(timedelta(hours=-5))
    assert month_of(datetime(2026, 10, 31, 20, tzinfo=behind)) == "2026-11"


def test_the_last_ones_begin_with_this() -> None:
    assert last_months(NOW, 4) == ["2026-03", "2026-02", "2026-01", "2025-12"]
    assert last_months(NOW.replace(day=31), 2) == ["2026-03", "2026-02"]


def test_what_is_asked_for_is_the_month_and_no_other() -> None:
    assert within("2025-12") == ("BeginTime>=2025-12-01T00:00:00Z;BeginTime<2026-01-01T00:00:00Z")


@given(st.integers(0, 2000))
def test_so_many_days_are_asked_for_that_the_beginning_is_in_them_though_midnight_passes(
    days: int,
) -> None:
    begin = NOW - timedelta(days=days)
    asked = days_back(begin, NOW)
    assert asked == min(days + 1 + MORE_DAYS, MOST_DAYS)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "March", "2026-03-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not match|unconverted"):
        begin_of(text)
