"""Which of a host's polls is its newest, in whatever order it becomes known whose they are?"""

from uuid import UUID

from cloudgate.manager.registries.poll_order import PollOrder

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_the_newest_poll_of_a_host_is_the_one_that_came_last_though_it_was_known_first() -> None:
    polls = PollOrder()
    slow, quick, of_other = (polls.next_number() for _ in range(3))
    polls.begin(ONE, quick)
    polls.begin(OTHER, of_other)
    polls.begin(ONE, slow)
    assert polls.is_newest(ONE, quick)
    assert not polls.is_newest(ONE, slow)
    assert polls.is_newest(OTHER, of_other)


def test_no_poll_is_the_newest_of_a_host_that_is_not_known_or_was_forgotten() -> None:
    polls = PollOrder()
    number = polls.next_number()
    assert not polls.is_newest(ONE, number)
    polls.begin(ONE, number)
    polls.forget(ONE)
    assert not polls.is_newest(ONE, number)
    again = polls.next_number()
    polls.begin(ONE, again)
    assert polls.is_newest(ONE, again)
