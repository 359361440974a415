"""How long is a client waited for, and how much is taken from it?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.connections.deadlines import (
    IDLE_SECONDS,
    MOST_BODY_BYTES,
    MOST_HEADER_BYTES,
    SLOWEST_BYTES_PER_SECOND,
    SPEAK_SECONDS,
    Deadlines,
    RequestPhase,
    WriteProgress,
)


@given(st.floats(0, 1000), st.integers(0, 10**9), st.sampled_from(RequestPhase), st.booleans())
def test_nobody_is_waited_for_longer_than_a_slow_line_needs(
    elapsed: float, received: int, owed: RequestPhase, proven: bool
) -> None:
    account = Deadlines(0.0, owed, received)
    overdue = account.is_overdue(elapsed, proven=proven)
    if owed is RequestPhase.ANSWER:
        assert not overdue
    elif owed is RequestPhase.BODY:
        assert overdue == (elapsed >= SPEAK_SECONDS + received / SLOWEST_BYTES_PER_SECOND)
    elif owed is RequestPhase.NEXT and proven:
        assert overdue == (elapsed >= IDLE_SECONDS)
    else:
        assert overdue == (elapsed >= SPEAK_SECONDS)


def test_a_reader_has_to_keep_up_a_speed() -> None:
    keeps_up, too_slow, none = WriteProgress(), WriteProgress(), WriteProgress()
    for second in range(60):
        now = float(second)
        assert not keeps_up.is_stuck(10_000_000 - 2 * SLOWEST_BYTES_PER_SECOND * second, now)
        assert not none.is_stuck(0, now)
        stuck = too_slow.is_stuck(10_000_000 - 1000 * second, now)
        assert stuck == (second >= SPEAK_SECONDS)
        if stuck:
            break


@given(
    st.sampled_from(RequestPhase),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.tuples(st.floats(0, 10**4), st.floats(0, 10**4)),
    st.booleans(),
)
def test_time_only_makes_overdue_and_bytes_buy_time_of_a_body_alone(
    owed: RequestPhase, received: int, more: int, times: tuple[float, float], proven: bool
) -> None:
    elapsed, later = times
    client = Deadlines(0.0, owed, received)
    now = client.is_overdue(elapsed, proven=proven)
    assert client.is_overdue(elapsed + later, proven=proven) >= now
    other = Deadlines(0.0, owed, received + more).is_overdue(elapsed, proven=proven)
    assert other <= now if owed is RequestPhase.BODY else other == now
    assert client.is_overdue(elapsed, proven=True) <= client.is_overdue(elapsed, proven=False)


def test_a_drop_now_and_then_buys_no_time() -> None:
    client = Deadlines(0.0)
    for second in range(10):
        client.received_bytes += 1
        assert not client.is_overdue(float(second), proven=False)
    assert client.is_overdue(SPEAK_SECONDS, proven=False)


def test_what_is_owed_next_begins_with_time_and_room_of_its_own() -> None:
    client = Deadlines(0.0, RequestPhase.HEADER, MOST_HEADER_BYTES + 1)
    assert client.is_too_much()
    client.owe(RequestPhase.BODY, SPEAK_SECONDS)
    assert not client.is_too_much()
    assert not client.is_overdue(2 * SPEAK_SECONDS - 0.1, proven=False)
    assert client.is_overdue(2 * SPEAK_SECONDS, proven=False)


@pytest.mark.parametrize(
    ("owed", "most"),
    [
        (RequestPhase.HEADER, MOST_HEADER_BYTES),
        (RequestPhase.NEXT, MOST_HEADER_BYTES),
        (RequestPhase.ANSWER, MOST_HEADER_BYTES),
        (RequestPhase.BODY, MOST_BODY_BYTES),
        (RequestPhase.REST, MOST_BODY_BYTES),
    ],
)
def test_a_header_and_a_body_have_an_end(owed: RequestPhase, most: int) -> None:
    assert not Deadlines(0.0, owed, most).is_too_much()
    assert Deadlines(0.0, owed, most + 1).is_too_much()


def test_a_reader_that_has_read_all_begins_anew() -> None:
    reader = WriteProgress()
    assert not reader.is_stuck(100, 0.0)
    assert not reader.is_stuck(0, 5.0)
    assert not reader.is_stuck(100, 6.0)
    assert not reader.is_stuck(100, 6.0 + SPEAK_SECONDS - 0.1)
    assert reader.is_stuck(100, 6.0 + SPEAK_SECONDS)
