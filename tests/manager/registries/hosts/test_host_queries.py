"""Is each host asked what it was to be asked, once and in order, and nothing that nobody awaits?"""

from uuid import UUID

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.manager.registries.hosts.host_queries import HostQueries
from cloudgate.protocol import Answer

ONE, OTHER = UUID(int=1), UUID(int=2)


def names(questions: HostQueries, server_id: UUID) -> list[str]:
    """What a host is asked from here on."""
    found = []
    while (question := questions.next(server_id)) is not None:
        found.append(question.question)
    return found


def test_each_host_is_asked_its_own_questions_once_and_in_order() -> None:
    questions = HostQueries()
    asked = [questions.request_tunnels(each) for each in (ONE, OTHER, ONE)]
    assert names(questions, ONE) == [asked[0], asked[2]]
    assert names(questions, ONE) == []
    assert names(questions, OTHER) == [asked[1]]


def test_a_host_is_not_asked_what_nobody_waits_for_any_more() -> None:
    questions = HostQueries()
    given_up, too_late, kept = (questions.request_tunnels(ONE) for _ in range(3))
    questions.discard(given_up)
    with pytest.raises(UnavailableError, match="did not say within 0 seconds"):
        questions.wait(too_late, 0)
    assert names(questions, ONE) == [kept]
    questions.discard(kept)
    questions.answered(ONE, Answer(question=kept))
    questions.discard(kept)


def test_an_answer_counts_only_from_the_host_that_was_asked() -> None:
    questions = HostQueries()
    name = questions.request_tunnels(ONE)
    assert names(questions, ONE) == [name]
    questions.answered(OTHER, Answer(question=name))
    assert questions.resolve(name, 0) is None
    questions.answered(ONE, Answer(question=name))
    assert questions.wait(name, 0).question == name


def test_an_answer_is_awaited_from_the_host_that_was_asked_until_it_comes_or_nobody_waits() -> None:
    questions = HostQueries()
    name = questions.request_tunnels(ONE)
    assert questions.is_awaited(ONE)
    assert not questions.is_awaited(OTHER)
    questions.answered(ONE, Answer(question=name))
    assert not questions.is_awaited(ONE)
    questions.discard(name)
    questions.discard(questions.request_tunnels(ONE))
    assert not questions.is_awaited(ONE)
