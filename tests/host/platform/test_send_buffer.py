"""How much may wait in the kernel, whatever the rate?"""

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.platform.send_buffer import (
    LEAST_UNSENT_BYTES,
    UNSENT_SECONDS,
    most_unsent_bytes,
)


@given(st.integers(0, 2**70), st.integers(0, 2**70))
def test_it_is_a_number_that_the_kernel_takes_and_more_for_who_may_send_more(
    rate: int, more: int
) -> None:
    found = most_unsent_bytes(rate)
    assert LEAST_UNSENT_BYTES <= found < 2**31
    assert found <= most_unsent_bytes(rate + more)


@given(st.integers(10 * LEAST_UNSENT_BYTES, 10**9))
def test_what_waits_is_gone_within_a_tenth_of_a_second_after_a_tunnels_end(rate: int) -> None:
    assert most_unsent_bytes(rate) / rate <= UNSENT_SECONDS
    assert (most_unsent_bytes(rate) + 1) / rate > UNSENT_SECONDS


def test_who_is_slow_has_room_for_a_packet_or_two() -> None:
    assert most_unsent_bytes(0) == most_unsent_bytes(1000) == 4096
