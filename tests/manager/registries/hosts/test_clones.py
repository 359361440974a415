"""Clones: two machines are there as one host when it speaks again after the other one has."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cloudgate.manager.registries.hosts.clones import CloneDetector
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR, Presence

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)
SOON, LATER = BEGAN + timedelta(seconds=1), BEGAN + timedelta(seconds=2)
PUT_BACK = BEGAN - timedelta(hours=5)
"""What a clock shows that was ahead when the manager began, and was set right."""
HOST = UUID(int=1)


def test_both_machines_are_there_once_the_host_was_heard_of_after_the_other_one() -> None:
    presence = Presence(BEGAN)
    clones = CloneDetector(presence)
    presence.touch(HOST, BEGAN)
    assert not clones.is_contested(HOST, BEGAN)
    assert not clones.detect(HOST, SOON), "it may have been started anew"
    assert clones.is_contested(HOST, SOON)
    presence.touch(HOST, LATER)
    assert not clones.is_contested(HOST, LATER)
    assert clones.detect(HOST, LATER)
    clones.forget(HOST)
    assert not clones.detect(HOST, LATER)


def test_another_machine_that_said_nothing_for_a_while_is_another_one_anew() -> None:
    presence = Presence(BEGAN)
    clones = CloneDetector(presence)
    assert not clones.detect(HOST, BEGAN)
    presence.touch(HOST, SOON)
    assert not clones.detect(HOST, BEGAN + ONLINE_FOR)


def test_what_another_machine_said_before_the_clock_was_put_back_is_over() -> None:
    presence = Presence(BEGAN)
    clones = CloneDetector(presence)
    presence.touch(HOST, BEGAN)
    assert not clones.detect(HOST, SOON)
    assert clones.is_contested(HOST, SOON)
    assert not clones.is_contested(HOST, PUT_BACK)
    assert not clones.detect(HOST, PUT_BACK)
