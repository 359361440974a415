"""Presence: who is taken to be there, while a manager runs and when one goes on after another."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from cloudgate.manager.registries.hosts.presence import NOTED_EVERY, ONLINE_FOR, Presence

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)
AT_ONCE, LATER = BEGAN + timedelta(seconds=1), BEGAN + ONLINE_FOR
"""Of a manager's start."""
HOST = UUID(int=1)
PUT_BACK = BEGAN - timedelta(hours=5)
"""What a clock shows that was ahead when the manager began, and was set right."""
SOON = PUT_BACK + ONLINE_FOR


@pytest.mark.parametrize("was_online", [True, False])
@pytest.mark.parametrize("now", [AT_ONCE, LATER])
def test_who_was_heard_a_poll_ago_is_there(now: datetime, was_online: bool) -> None:
    heard = now - ONLINE_FOR + timedelta(seconds=1)
    assert Presence(BEGAN).is_there(heard, now, was_online=was_online)


def test_who_was_online_when_another_manager_noted_it_last_is_there_until_it_has_had_its_time() -> (
    None
):
    silent = NOTED_EVERY + timedelta(seconds=15)
    presence = Presence(BEGAN)
    assert presence.is_there(AT_ONCE - silent, AT_ONCE, was_online=True)
    assert not presence.is_there(AT_ONCE - silent, AT_ONCE, was_online=False)
    assert not presence.is_there(LATER - silent, LATER, was_online=True)


def test_after_a_night_without_a_manager_nobody_is_there_before_it_is_heard() -> None:
    assert not Presence(BEGAN).is_there(AT_ONCE - timedelta(hours=8), AT_ONCE, was_online=True)


def test_once_the_clock_was_put_back_a_host_counts_as_heard_then_and_no_later() -> None:
    presence = Presence(BEGAN)
    presence.touch(HOST, BEGAN)
    assert presence.last(HOST, PUT_BACK) == PUT_BACK
    assert presence.last(HOST, SOON) == PUT_BACK
    assert presence.all(SOON) == {HOST: PUT_BACK}
    assert presence.last(HOST, BEGAN) == BEGAN, "who began to look before the clock was set"
    assert not presence.has_listened(PUT_BACK)
    assert presence.has_listened(SOON)


def test_what_the_database_has_of_before_the_clock_was_put_back_is_of_the_managers_start() -> None:
    presence = Presence(PUT_BACK)
    assert presence.last(HOST, SOON, noted=BEGAN) == PUT_BACK
    presence.touch(HOST, AT_ONCE - timedelta(hours=5))
    assert presence.last(HOST, SOON, noted=BEGAN) == AT_ONCE - timedelta(hours=5)
