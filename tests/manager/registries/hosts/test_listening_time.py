"""Listening time: who is waited for has all of its time again after what was not listened."""

from datetime import UTC, datetime, timedelta

from cloudgate.manager.registries.hosts.listening_time import STANDSTILL, ListeningTime

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)
SPAN = timedelta(seconds=10)
LONG = timedelta(hours=1)


class _Machine:
    """One whose clock a test sets, and which beats when the test says so."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.listening = ListeningTime(lambda: self.now)
        self.listening.beat(self.now)

    def goes_on(self, span: timedelta) -> None:
        """It listens all the time."""
        until = self.now + span
        while self.now < until:
            self.now = min(self.now + timedelta(seconds=1), until)
            self.listening.beat(self.now)

    def stands_still(self, span: timedelta) -> None:
        """No beat has ended it yet."""
        self.now += span

    def since(self) -> datetime:
        """Since when who is waited for has had its time."""
        return self.listening.since(SPAN, self.now)


def test_who_is_waited_for_has_had_its_time_when_it_is_over() -> None:
    machine = _Machine()
    machine.goes_on(SPAN)
    assert machine.since() == BEGAN
    assert machine.listening.resumed_at(machine.now) is None


def test_it_has_not_while_the_manager_stands_still_nor_before_all_is_listened_again() -> None:
    machine = _Machine()
    machine.goes_on(SPAN / 2)
    machine.stands_still(LONG)
    assert machine.since() == BEGAN - SPAN / 2, "before any beat has ended it"
    machine.listening.beat(machine.now)
    resumed = machine.now
    assert machine.since() == BEGAN - SPAN / 2
    assert machine.listening.resumed_at(machine.now) == resumed
    machine.goes_on(SPAN - timedelta(seconds=1))
    assert machine.since() == BEGAN - SPAN / 2
    machine.goes_on(timedelta(seconds=1))
    assert machine.since() == resumed


def test_who_was_silent_for_too_long_before_the_manager_stood_still_has_had_its_time() -> None:
    machine = _Machine()
    machine.goes_on(SPAN)
    machine.stands_still(LONG)
    machine.listening.beat(machine.now)
    assert machine.since() == BEGAN


def test_a_moment_between_two_beats_is_no_standstill() -> None:
    machine = _Machine()
    machine.goes_on(SPAN)
    machine.stands_still(STANDSTILL - timedelta(milliseconds=1))
    assert machine.since() == machine.now - SPAN


def test_who_is_gone_is_missed_though_the_manager_stands_still_again_and_again() -> None:
    machine = _Machine()
    for _ in range(8):
        machine.goes_on(SPAN / 2)
        machine.stands_still(STANDSTILL)
        machine.listening.beat(machine.now)
    assert machine.since() == machine.now - 6 * (SPAN / 2 + STANDSTILL)


def test_what_waits_to_be_written_is_not_heard_and_several_that_wait_do_so_at_once() -> None:
    machine = _Machine()
    machine.goes_on(SPAN / 2)
    stood_at = machine.now
    machine.goes_on(LONG)
    for asked_at in (stood_at, stood_at + SPAN):
        machine.listening.note_held_up(asked_at, machine.now)
    assert machine.since() == stood_at - SPAN
    assert machine.listening.resumed_at(machine.now) == machine.now


def test_who_began_to_look_before_the_manager_went_on_sees_that_it_stood_still() -> None:
    machine = _Machine()
    machine.goes_on(SPAN / 2)
    machine.stands_still(LONG)
    began_to_look = machine.now
    machine.goes_on(timedelta(seconds=1))
    assert machine.listening.since(SPAN, began_to_look) == BEGAN - SPAN / 2
    assert machine.listening.resumed_at(began_to_look) == began_to_look


def test_a_standstill_that_is_yet_to_come_since_the_clock_was_put_back_counts_no_more() -> None:
    machine = _Machine()
    machine.goes_on(SPAN)
    machine.stands_still(LONG)
    machine.listening.beat(machine.now)
    machine.now = BEGAN
    machine.listening.beat(machine.now)
    assert machine.since() == BEGAN - SPAN
    machine.goes_on(SPAN)
    assert machine.since() == BEGAN
