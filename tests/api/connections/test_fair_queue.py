"""Fair queue: has each address its turn, however many clients another one has?"""

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.connections.fair_queue import FairQueue, Waiter
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


PLACES = tuple(f"192.0.2.{number}" for number in range(4))


class Seen:
    """What somebody has seen who watches a queue and remembers everything."""

    def __init__(self, known: set[str]) -> None:
        self.queue = FairQueue()
        self.known = known
        self.waiting: dict[str, list[Waiter]] = {each: [] for each in PLACES}
        self.passed: dict[str, list[str]] = {each: [] for each in PLACES}
        """By address, whose turns there were while it waited."""
        for each in known:
            self.queue.prefer(each)

    def join(self, place: str) -> None:
        waiter = Waiter(place)
        self.queue.join(waiter)
        if not self.waiting[place]:
            self.passed[place] = []
        self.waiting[place].append(waiter)

    def leave(self, place: str) -> None:
        if self.waiting[place]:
            self.queue.leave(self.waiting[place].pop())

    def next(self, _place: str) -> None:
        found = self.queue.next()
        if found is None:
            assert not any(self.waiting.values())
            return
        assert found is self.waiting[found.address].pop(0)
        self.passed[found.address] = []
        for other in PLACES:
            if self.waiting[other] and other != found.address:
                self.passed[other].append(found.address)
                self.check_nobody_has_two_before(other)

    def check_nobody_has_two_before(self, place: str) -> None:
        is_known = place in self.known
        alike = [each for each in self.passed[place] if (each in self.known) == is_known]
        assert len(alike) == len(set(alike))


@given(
    st.lists(
        st.tuples(st.sampled_from(["join", "join", "next", "leave"]), st.sampled_from(PLACES)),
        min_size=20,
        max_size=80,
    ),
    st.sets(st.sampled_from(PLACES)),
)
def test_each_has_one_turn_in_its_line_and_nobody_alike_two_before_it(
    steps: list[tuple[str, str]], known: set[str]
) -> None:
    seen = Seen(known)
    for step, place in steps:
        getattr(seen, step)(place)
    for its in seen.waiting.values():
        for waiter in its:
            seen.queue.leave(waiter)
            seen.queue.leave(waiter)
    assert seen.queue.next() is None


def test_whoever_is_not_known_has_every_fourth_turn_whatever_the_known_do() -> None:
    queue = FairQueue()
    queue.prefer(PLACES[0])
    for _ in range(40):
        queue.join(Waiter(PLACES[0]))
        queue.join(Waiter(PLACES[1]))
    turns = [found.address for _ in range(40) if (found := queue.next())]
    assert turns.count(PLACES[1]) == 10
