"""Fair queue: has each address its turn, however many clients another one has?"""

from contextlib import ExitStack

import pytest

from cloudgate.api.connections.fair_queue import FairQueue
from cloudgate.errors import TooManyRequestsError


def test_each_address_has_a_line_of_its_own() -> None:
    lines = FairQueue()
    with ExitStack() as stack:
        for number in range(20):
            address = "198.51.100.1" if number < 15 else f"192.0.2.{number}"
            lines.join(stack.enter_context(lines.staying(address)))
        first = [lines.next() for _ in range(6)]
        addresses = [each.address for each in first if each is not None]
        assert len(set(addresses)) == 6, "one of each before the second of any"


def test_addresses_from_which_somebody_was_right_come_first_but_not_only_they() -> None:
    lines = FairQueue()
    lines.prefer("192.0.2.1")
    with ExitStack() as stack:
        for address in ["198.51.100.7"] * 10 + ["192.0.2.1"] * 10:
            lines.join(stack.enter_context(lines.staying(address)))
        turns = [each.address for each in (lines.next() for _ in range(8)) if each is not None]
        assert turns.count("192.0.2.1") == 6
        assert turns.count("198.51.100.7") == 2


def test_lines_have_an_end_of_each_address_and_in_all() -> None:
    lines = FairQueue(most_of_address=2, most_in_all=3)
    with ExitStack() as stack:
        for number in (1, 2):
            stack.enter_context(lines.staying(f"2001:db8::{number}"))
        with pytest.raises(TooManyRequestsError):
            stack.enter_context(lines.staying("2001:db8::3"))
        stack.enter_context(lines.staying("192.0.2.1"))
        with pytest.raises(TooManyRequestsError):
            stack.enter_context(lines.staying("192.0.2.2"))
    assert lines.here == 0
