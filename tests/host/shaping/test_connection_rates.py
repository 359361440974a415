"""Do the connections of a tenant share what it may send, and is what was too much made good?"""

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
