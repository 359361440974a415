"""Do the connections of a tenant share what it may send, and is what was too much made good?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.shaping.connection_rates import (
    MOST_OWED_PART,
    MOST_SAVED_PART,
    ConnectionShare,
    TokenBucket,
    rates_within,
)

lines = st.dictionaries(
    st.integers(0, 99).map(str),
    st.builds(ConnectionShare, st.floats(0, 10**9), st.booleans()),
    min_size=1,
    max_size=40,
)


@given(limit=st.integers(1, 10**10), lines=lines)
def test_those_that_press_share_what_the_others_leave(
    limit: int, lines: dict[str, ConnectionShare]
) -> None:
    given = rates_within(limit, lines)
    assert given.keys() == lines.keys()
    assert min(given.values()) >= (1 if limit >= len(lines) else 0)
    pressing = [given[name] for name, each in lines.items() if each.is_pressing]
    idle = [given[name] for name, each in lines.items() if not each.is_pressing]
    assert sum(pressing) <= limit + len(lines)
    assert sum(idle) <= 2 * limit + len(lines)
    assert not pressing or max(pressing) - min(pressing) <= len(lines)


@given(
    limit=st.integers(1000, 10**9),
    steps=st.lists(st.tuples(st.floats(0.01, 2), st.floats(0, 5)), max_size=30),
)
def test_what_was_too_much_is_made_good_and_never_without_end(
    limit: int, steps: list[tuple[float, float]]
) -> None:
    now, account = 0.0, TokenBucket(0.0)
    for seconds, speed in steps:
        now += seconds
        account.record_sent(now, limit, int(speed * limit * seconds))
        lowest, highest = 1 - MOST_OWED_PART, 1 + MOST_SAVED_PART
        assert lowest * limit <= account.within(limit) * 1.001
        assert account.within(limit) <= highest * limit * 1.001


@pytest.mark.parametrize("distance_seconds", [0.2, 1.9, 2.1, 4.0, 10.0])
@pytest.mark.parametrize("first", [0.0, 1.0, 3.0])
def test_who_sends_what_it_may_has_its_limit_however_rarely_it_is_looked_at(
    distance_seconds: float, first: float
) -> None:
    limit, looks = 1_000_000, 200
    now, account = 0.0, TokenBucket(0.0)
    sent = first * limit * distance_seconds
    told = 0.0
    for _ in range(looks):
        now += distance_seconds
        account.record_sent(now, limit, int(sent))
        sent = account.within(limit) * distance_seconds
        told += sent
    assert told / now == pytest.approx(limit, rel=0.02)
    assert account.within(limit) == pytest.approx(limit, rel=0.02)
