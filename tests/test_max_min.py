"""Is what is not enough for all divided so that nobody has more while another needs it?"""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.max_min import EVERYTHING, USES_ITS_SHARE, Flow, allocate, max_min_shares


@given(
    st.floats(1, 1e12),
    st.dictionaries(
        st.integers(), st.one_of(st.floats(0, 1e12), st.just(float("inf"))), min_size=1, max_size=9
    ),
)
def test_nobody_gets_more_than_it_needs_while_another_needs_more(
    whole: float, demands: dict[int, float]
) -> None:
    parts = allocate(whole, demands)
    assert sum(parts.values()) <= whole + len(demands)
    for who, part in parts.items():
        assert part <= max(demands[who], 1)
        for other, others in parts.items():
            assert part <= others + 1 or others >= int(demands[other])


def filled(whole: float, demands: Mapping[int, float]) -> float:
    """The level up to which all are filled like vessels beside each other, by bisection."""
    low, high = 0.0, whole
    for _ in range(200):
        level = (low + high) / 2
        if sum(min(each, level) for each in demands.values()) > whole:
            high = level
        else:
            low = level
    return low


@given(
    st.integers(1000, 10**9),
    st.dictionaries(
        st.integers(),
        st.integers(0, 10**9).map(float) | st.just(EVERYTHING),
        min_size=1,
        max_size=9,
    ),
)
def test_it_is_as_if_vessels_were_filled_beside_each_other(
    whole: int, demands: dict[int, float]
) -> None:
    level, parts = filled(whole, demands), allocate(whole, demands)
    for who, part in parts.items():
        assert part == pytest.approx(max(1, min(demands[who], level)), abs=len(demands) + 1)


def test_the_order_of_who_asks_means_nothing() -> None:
    demands = {"a": 5.0, "b": 70.0, "c": EVERYTHING, "d": 30.0}
    other_way = dict(reversed(demands.items()))
    expected = {"a": 5, "b": 32, "c": 33, "d": 30}
    assert allocate(100, demands) == allocate(100, other_way) == expected


flows = st.builds(Flow, st.integers(1, 10**9), st.integers(0, 10**9).map(float))


@given(st.integers(100, 10**9), st.dictionaries(st.integers(), flows, min_size=1, max_size=9))
def test_all_together_have_no_more_than_the_limit_and_nobody_nothing(
    limit: int, found: dict[int, Flow]
) -> None:
    shares = max_min_shares(limit, found)
    assert shares.keys() == found.keys()
    assert sum(shares.values()) <= limit
    assert min(shares.values()) >= 1
    pressing = [shares[who] for who, each in found.items() if each.is_pressing]
    assert not pressing or max(pressing) - min(pressing) <= len(found)
    if pressing:  # what is there is used
        assert sum(shares.values()) >= limit - len(found)


def test_who_sends_little_keeps_room_to_begin_and_the_others_have_the_rest() -> None:
    found = {"idle": Flow(1000, 0), "some": Flow(1000, 100), "all": Flow(500, 500)}
    shares = max_min_shares(1000, found)
    assert shares == {"idle": 6, "some": 150, "all": 844}
    assert Flow(1000, USES_ITS_SHARE * 1000).is_pressing
    assert not Flow(1000, USES_ITS_SHARE * 1000 - 1).is_pressing
