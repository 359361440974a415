"""Host refusals: they are over once the host was heard of since, and for a while nothing came."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cloudgate.manager.registries.hosts.host_refusals import HostRefusals
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR, Presence

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)
REFUSED = BEGAN + timedelta(hours=1)
SHORTLY, LATER = REFUSED + ONLINE_FOR / 2, REFUSED + ONLINE_FOR
PUT_BACK = BEGAN - timedelta(hours=5)
"""What a clock shows that was ahead when the manager began, and was set right."""
HOST = UUID(int=1)


def test_a_refusal_is_over_after_a_while_in_which_the_host_was_heard_of() -> None:
    presence = Presence(BEGAN)
    refusals = HostRefusals(presence)
    presence.touch(HOST, BEGAN)
    refusals.record(HOST, REFUSED)
    assert not refusals.are_over(HOST, LATER), "nobody was heard since"
    presence.touch(HOST, SHORTLY)
    assert not refusals.are_over(HOST, SHORTLY)
    assert refusals.are_over(HOST, LATER)


def test_what_a_manager_of_before_refused_is_taken_to_have_been_refused_when_this_one_began() -> (
    None
):
    presence = Presence(BEGAN)
    refusals = HostRefusals(presence)
    for now, is_over in ((BEGAN + ONLINE_FOR / 2, False), (BEGAN + ONLINE_FOR, True)):
        presence.touch(HOST, now)
        assert refusals.are_over(HOST, now) == is_over


def test_what_was_refused_before_the_clock_was_put_back_is_refused_then() -> None:
    presence = Presence(BEGAN)
    refusals = HostRefusals(presence)
    refusals.record(HOST, REFUSED)
    assert not refusals.are_over(HOST, PUT_BACK)
    presence.touch(HOST, PUT_BACK + ONLINE_FOR)
    assert refusals.are_over(HOST, PUT_BACK + ONLINE_FOR)
