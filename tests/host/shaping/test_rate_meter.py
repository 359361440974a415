"""Is it known how fast each connection is, and whether it would send more?"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.host.platform import SentBytes
from cloudgate.host.shaping.rate_meter import (
    BURST_BYTES,
    LONGEST_SECONDS,
    REMEMBERED_SECONDS,
    RateMeter,
)

MEBIBYTE = 1024 * 1024


@given(
    rate=st.integers(60_000, 10**9),
    looks=st.lists(st.floats(0.05, 0.5), min_size=2, max_size=60),
)
def test_who_sends_in_bursts_all_that_it_may_presses(rate: int, looks: list[float]) -> None:
    flows, now = RateMeter(), 0.0
    for pause in looks:
        now += pause
        bursts = int(now * rate / BURST_BYTES)
        flows.sample(now, {"a": SentBytes(bursts * BURST_BYTES, has_more=True)}, {"a": rate})
        assert flows.is_pressing("a")


def test_who_has_nothing_to_send_or_a_slow_line_does_not_press() -> None:
    flows, rate = RateMeter(), 10 * MEBIBYTE
    for look in range(50):
        now = look / 5
        sent = {
            "idle": SentBytes(1000, has_more=False),
            "slow line": SentBytes(int(now * rate / 4), has_more=True),
        }
        flows.sample(now, sent, dict.fromkeys(sent, rate))
    assert not flows.is_pressing("idle")
    assert not flows.is_pressing("slow line")
    assert flows.rate("slow line") == pytest.approx(rate / 4, rel=0.01)
    raised = dict.fromkeys(sent, 4.0 * rate)
    flows.sample(10.0, {"slow line": SentBytes(int(10 * rate / 4), has_more=True)}, raised)
    assert flows.is_pressing("slow line")  # until it was seen that more is of no use
    assert flows.new_bytes(["slow line", "unknown"]) == pytest.approx(0.2 * rate / 4, rel=0.01)
    assert not flows.is_measured("idle")
    assert LONGEST_SECONDS > 0


def test_what_a_connection_sent_is_known_by_the_name_that_it_gets_later() -> None:
    flows = RateMeter()
    flows.sample(0.0, {"a": SentBytes(1000, has_more=True)}, {"a": 100.0}, new=["a"])
    flows.rename("a", "b")
    flows.rename("unknown", "b")
    flows.sample(1.0, {"b": SentBytes(1500, has_more=True)}, {"b": 100.0}, new=["b"])
    assert flows.new_bytes(["a", "b"]) == 500, "and not all that it has sent"
    flows.sample(2.0, {}, {})
    flows.rename("b", "c")
    assert flows.is_gone("c")
    assert not flows.is_gone("b")


def test_who_was_seen_between_two_bursts_presses_until_it_sends_less() -> None:
    flows, rate = RateMeter(), 100_000
    looks = [(now / 5, int(now / 5 * rate), now % 2 == 0) for now in range(10)]
    for now, total, has_more in looks:
        flows.sample(now, {"it": SentBytes(total, has_more=has_more)}, {"it": rate})
    assert flows.is_pressing("it")
    for step in range(20):
        flows.sample(2.0 + step / 5, {"it": SentBytes(looks[-1][1], has_more=False)}, {"it": rate})
    assert not flows.is_pressing("it")


def test_what_was_seen_of_a_connection_counts_once_though_its_end_is_told_later() -> None:
    flows, rate = RateMeter(), 1000
    rates = {"gone": rate, "there": rate}
    first = {name: SentBytes(500, has_more=True) for name in rates}
    flows.sample(10.0, first, rates, new={"gone"})
    assert flows.new_bytes(["gone"]) == 500
    assert flows.new_bytes(["there"]) == 0  # a host service before this one may have seen it
    flows.sample(10.2, {name: SentBytes(700, has_more=True) for name in rates}, rates)
    flows.sample(10.4, {"there": SentBytes(900, has_more=True)}, rates)
    assert flows.is_gone("gone")
    assert not flows.is_gone("there")
    past = flows.past("gone")
    assert past is not None
    assert past.total_bytes == 700
    assert past.most_bytes_until(10.3) == pytest.approx(0.1 * rate)
    assert past.most_bytes_until(99.0) == pytest.approx(0.2 * rate)  # at 10.4 it was gone
    assert past.most_bytes_until(10.1) == 0
    flows.sample(10.2 + 2 * REMEMBERED_SECONDS, {}, rates)
    assert flows.past("gone") is None


def test_a_connection_that_has_the_ports_of_one_before_has_a_speed_of_its_own() -> None:
    meter = RateMeter()
    for second, total in enumerate([1_000_000, 2_000_000, 30_000, 60_000]):
        meter.sample(float(second), {"one": SentBytes(total, has_more=True)}, {"one": 1_000_000.0})
        assert meter.rate("one") >= 0
        assert meter.new_bytes(["one"]) == (0, 1_000_000, 30_000, 30_000)[second]
    assert meter.rate("one") == 30_000


@given(
    st.lists(st.none() | st.tuples(st.integers(0, 10**6), st.booleans()), min_size=1, max_size=25)
)
@example([(5, False), (3, True), None, (2, True), (4, False)])
def test_all_that_connections_of_one_name_have_sent_counts_once(
    looks: list[tuple[int, bool] | None],
) -> None:
    """None: the connection is away at that look; True: another one has its name from there on."""
    meter, counted, sent, total, is_there = RateMeter(), 0, 0, 0, False
    for second, look in enumerate(looks):
        if look is None:
            meter.sample(float(second), {}, {})
            assert meter.new_bytes(["one"]) == 0
            is_there = False
            continue
        more, is_other = look
        is_new = is_other or not is_there
        before = total
        total = more if is_new else total + more
        if is_there and is_new and total >= before:
            total = before + more  # it cannot be told from the one before: as if that went on
            is_new = False
        sent += total if is_new else total - before
        found = {"one": SentBytes(total, has_more=False)}
        meter.sample(float(second), found, {"one": 1000.0}, new=() if is_there else ("one",))
        counted += meter.new_bytes(["one"])
        is_there = True
        assert not meter.is_gone("one")
        assert meter.rate("one") >= 0
    assert counted == sent


def test_a_connection_that_has_the_name_of_one_that_has_ended_is_there() -> None:
    meter, one = RateMeter(), {"one": SentBytes(700, has_more=True)}
    meter.sample(1.0, one, {"one": 1000.0})
    meter.sample(2.0, {}, {})
    assert meter.is_gone("one")
    meter.sample(3.0, {"one": SentBytes(10, has_more=True)}, {"one": 1000.0}, new=["one"])
    assert not meter.is_gone("one")
    assert meter.new_bytes(["one"]) == 10
    meter.sample(4.0, {}, {})
    past = meter.past("one")
    assert past is not None
    assert (past.total_bytes, past.gone_at_seconds) == (10, 4.0)


def test_who_was_never_slowed_is_not_remembered_and_who_is_unknown_sends_nothing() -> None:
    meter = RateMeter()
    meter.sample(1.0, {"free": SentBytes(7, has_more=True)}, {})
    past = meter.past("free")
    assert past is not None
    assert past.most_bytes_until(1.0) == float("inf")
    meter.sample(2.0, {}, {})
    assert meter.past("free") is None
    assert not meter.is_gone("free")
    assert (meter.rate("unknown"), meter.is_pressing("unknown")) == (0.0, False)
    assert not meter.is_measured("unknown")
