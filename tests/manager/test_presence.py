"""Presence: who is taken to be there, while a manager runs and when one goes on after another."""

from datetime import UTC, datetime, timedelta

import pytest

from cloudgate.manager.registries.presence import NOTED_EVERY, ONLINE_FOR, Presence

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)
AT_ONCE, LATER = BEGAN + timedelta(seconds=1), BEGAN + ONLINE_FOR
"""Of a manager's start."""


@pytest.mark.parametrize("was_online", [True, False])
@pytest.mark.parametrize("now", [AT_ONCE, LATER])
def test_who_was_heard_a_poll_ago_is_there(now: datetime, was_online: bool) -> None:
    silent = ONLINE_FOR - timedelta(seconds=1)
    assert Presence(BEGAN).is_there(silent, now, was_online=was_online)


def test_who_was_online_when_another_manager_noted_it_last_is_there_until_it_has_had_its_time() -> (
    None
):
    silent = NOTED_EVERY + timedelta(seconds=15)
    presence = Presence(BEGAN)
    assert presence.is_there(silent, AT_ONCE, was_online=True)
    assert not presence.is_there(silent, AT_ONCE, was_online=False)
    assert not presence.is_there(silent, LATER, was_online=True)


def test_after_a_night_without_a_manager_nobody_is_there_before_it_is_heard() -> None:
    assert not Presence(BEGAN).is_there(timedelta(hours=8), AT_ONCE, was_online=True)
