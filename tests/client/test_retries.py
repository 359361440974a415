"""Is sent again only what cannot have been done, or means nothing twice?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.client.core.exchange import LONGEST_RETRY_AFTER_SECONDS, Reply, Request
from cloudgate.client.core.retries import (
    NONE,
    Retries,
    UnreachedError,
    UntrustedError,
    may_follow_problem,
    may_follow_reply,
)
from cloudgate.errors import UnavailableError

READ, CHANGED = Request("GET", "/a"), Request("POST", "/a")
REMOVED = Request("DELETE", "/a")
LOGON = Request("POST", "/sessionMngr/", user=("admin", "a password"))
ALL = [READ, Request("HEAD", "/a"), CHANGED, Request("PUT", "/a"), REMOVED, LOGON]
TWICE = [READ, Request("HEAD", "/a"), LOGON]


@pytest.mark.parametrize("request_", ALL, ids=lambda each: f"{each.verb} {each.path}")
def test_only_what_means_nothing_twice_is_sent_again_when_it_may_have_been_done(
    request_: Request,
) -> None:
    again = request_ in TWICE
    assert may_follow_reply(request_, Reply(503, "")) is again
    assert may_follow_problem(request_, UnavailableError("no answer")) is again


@pytest.mark.parametrize("request_", ALL, ids=lambda each: f"{each.verb} {each.path}")
def test_what_was_not_done_is_sent_again_and_what_was_answered_is_not(request_: Request) -> None:
    assert may_follow_reply(request_, Reply(429, ""))
    assert may_follow_problem(request_, UnreachedError("nobody"))
    assert not may_follow_problem(request_, UntrustedError("somebody else"))
    for status in (200, 202, 304, 400, 401, 403, 404, 409, 412, 500, 502, 504):
        assert not may_follow_reply(request_, Reply(status, ""))


@given(st.integers(0, 10**6), st.integers(0, 20), st.floats(0, 100), st.text())
def test_each_pause_is_no_longer_than_may_be_and_they_end(
    number: int, most: int, longest: float, said: str
) -> None:
    found = Retries(most, longest).pause_seconds(number, said)
    assert (found is None) == (number >= most)
    assert found is None or 0 <= found <= longest
    assert NONE.pause_seconds(number, said) is None


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        (" 7", 0.2),
        ("soon", 0.2),
        ("", 0.2),
        (str(10**6), 30),
        (str(LONGEST_RETRY_AFTER_SECONDS + 1), 0.2),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.2),
    ],
)
def test_the_manager_says_when_in_seconds_and_else_it_is_soon(said: str, seconds: float) -> None:
    assert Retries().pause_seconds(0, said) == seconds


def test_pauses_grow_until_another_manager_can_have_taken_over() -> None:
    pauses = [Retries().pause_seconds(number) or 0 for number in range(8)]
    assert pauses == sorted(pauses)
    assert sum(pauses) > 8
