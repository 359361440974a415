"""Is each pause twice the one before, up to the longest, however often something has failed?"""

import sys
from datetime import timedelta

import pytest

from cloudgate.client.core.retries import Retries
from cloudgate.values.backoff import doubled


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (6, 16), (7, 30), (8, 30), (sys.maxsize, 30)],
)
def test_pauses_double_up_to_the_longest(failures: int, seconds: float) -> None:
    assert doubled(0.5, 30.0, failures) == seconds
    span = doubled(timedelta(seconds=0.5), timedelta(seconds=30), failures)
    assert span.total_seconds() == seconds


def test_a_longest_pause_that_is_shorter_than_the_first_holds_at_once() -> None:
    assert doubled(0.5, 0.1, 1) == 0.1


def test_a_client_may_be_told_to_try_as_often_as_somebody_likes() -> None:
    assert Retries(most=100_000).pause_seconds(99_999) == 2.0
