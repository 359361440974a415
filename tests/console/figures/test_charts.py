"""Does a picture show what was counted, in its hour or day?"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.console.figures.charts import (
    BYTES,
    DAY,
    DAYS,
    HEIGHT,
    HOUR,
    HOURS,
    SECONDS,
    WIDTH,
    beside,
    held_back,
    lately,
    stacked,
    traffic,
)

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def test_the_last_day_has_each_hour_and_what_went_through_in_it() -> None:
    used = [
        {"BeginTime": "2026-03-15T11:05:00Z", "Minutes": 1, "BytesUp": 300, "BytesDown": 1},
        {"BeginTime": "2026-03-15T11:06:00Z", "Minutes": 1, "BytesUp": 0, "BytesDown": 99},
        {"BeginTime": "2026-03-14T12:00:00Z", "Minutes": 1, "BytesUp": 1, "BytesDown": None},
        {"BeginTime": "2026-03-14T13:00:00Z", "Minutes": 60, "BytesUp": 1, "BytesDown": None},
        {"BeginTime": "2026-03-15T00:00:00Z", "Minutes": 1440, "BytesUp": 7, "BytesDown": 7},
    ]
    hours = lately(used, BYTES, NOW)
    assert [each.begin.hour for each in hours] == [*range(13, 24), *range(13)]
    assert [each.is_idle for each in hours] == [False, *([True] * 21), False, True]
    assert hours[-2].counted == {"BytesUp": 300, "BytesDown": 100}
    drawn = traffic(used, NOW)
    up, down = (drawn["bars"][name] for name in BYTES)
    assert (up[-2].height, up[-1].height, down[-2].y) == (HEIGHT, 0, pytest.approx(66.7))
    assert 0 < up[0].height < 2, "little is seen, too"
    assert up[-2].x + up[-2].width <= down[-2].x, "they stand side by side"
    assert (drawn["sums"]["BytesUp"], traffic([], NOW)["sums"]["BytesUp"]) == (301, 0)


def test_what_was_held_back_stands_upon_each_other_by_hours_and_by_days_of_utc() -> None:
    found = [
        {
            "BeginTime": "2026-02-13T00:00:00Z",
            "Minutes": 1440,
            "LimitSeconds": 8,
            "ShareSeconds": 0,
        },
        {
            "BeginTime": "2026-03-14T22:00:00Z",
            "Minutes": 60,
            "LimitSeconds": 900,
            "ShareSeconds": 0,
        },
        {
            "BeginTime": "2026-03-15T02:00:00Z",
            "Minutes": 60,
            "LimitSeconds": 900,
            "ShareSeconds": 900,
        },
    ]
    drawn = held_back(found, NOW)
    hours, days = drawn["hours"], drawn["days"]
    limit, share = (hours["bars"][name][13] for name in SECONDS)
    assert (limit.height, limit.y, share.height, share.y) == (25, 75, 25, 50), "of a whole hour"
    assert (limit.x, limit.width) == (share.x, share.width)
    assert hours["sums"] == {"LimitSeconds": 1800, "ShareSeconds": 900}
    assert [each.begin.day for each in days["stretches"]][-2:] == [14, 15]
    assert len(days["stretches"]) == 31
    assert [round(each.height) for each in days["bars"]["LimitSeconds"]][-2:] == [50, 50]
    assert days["bars"]["ShareSeconds"][-1].y == 0, "the day of most is as high as the picture"
    assert days["sums"]["LimitSeconds"] == 1808
    more = [{**found[2], "LimitSeconds": 9000}]
    (highest,) = {each.y for each in held_back(more, NOW)["hours"]["bars"]["ShareSeconds"]} - {100}
    assert highest == 0, "several gateways hold back for longer than an hour in an hour"


begun = st.builds(
    lambda ago, up, down: {
        "BeginTime": f"{NOW - timedelta(minutes=ago):%Y-%m-%dT%H:%M:%SZ}",
        "Minutes": 1,
        "BytesUp": up,
        "BytesDown": down,
    },
    st.integers(0, 40 * 24 * 60),
    st.integers(0, 10**12),
    st.none() | st.integers(0, 10**12),
)


@given(st.lists(begun, max_size=20), st.sampled_from([HOUR, DAY]))
def test_what_was_counted_in_the_time_that_is_shown_is_in_one_stretch_and_nothing_else(
    used: list[dict[str, object]], each: timedelta
) -> None:
    found = lately(used, BYTES, NOW, each)
    assert len(found) == (HOURS if each == HOUR else DAYS)
    assert all(later.begin - earlier.begin == each for earlier, later in pairwise(found))
    assert found[-1].begin <= NOW < found[-1].begin + each
    shown = [one for one in used if str(one["BeginTime"]) >= f"{found[0].begin:%Y-%m-%dT%H:%M:%SZ}"]
    for name in BYTES:
        counted = sum(int(str(one[name] or 0)) for one in shown)
        assert sum(stretch.counted[name] for stretch in found) == counted


@given(st.lists(begun, max_size=20))
def test_no_bar_leaves_the_picture_or_covers_another_and_more_is_never_lower(
    used: list[dict[str, object]],
) -> None:
    hours = lately(used, BYTES, NOW)
    for drawn in (beside(hours, BYTES), stacked(hours, BYTES)):
        for name in BYTES:
            bars = drawn[name]
            assert all(bar.x >= 0 and bar.x + bar.width <= WIDTH for bar in bars)
            assert all(bar.y >= -0.1 and bar.y + bar.height <= HEIGHT + 0.1 for bar in bars)
            assert all(one.x + one.width <= other.x for one, other in pairwise(bars))
            amounts = [hour.counted[name] for hour in hours]
            assert [bar.height > 0 for bar in bars] == [amount > 0 for amount in amounts]
    for name in BYTES:
        pairs = sorted(
            zip([hour.counted[name] for hour in hours], beside(hours, BYTES)[name], strict=True)
        )
        heights = [bar.height for _, bar in pairs]
        assert heights == sorted(heights)


def test_an_hour_that_is_told_as_part_of_a_day_is_in_no_hour() -> None:
    whole_day = {"BeginTime": "2026-03-15T00:00:00Z", "Minutes": 1440, "BytesUp": 7}
    assert all(each.is_idle for each in lately([whole_day], BYTES, NOW))
    assert lately([whole_day], BYTES, NOW, DAY)[-1].counted["BytesUp"] == 7
