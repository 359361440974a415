"""What a gateway has told of strangers is known again, and fills no memory."""

import gc
from datetime import UTC, datetime
from uuid import UUID

from cloudgate.manager.registries.audit_throttle import NOTED_EVERY, AuditThrottle
from cloudgate.manager.registries.hosts.host_registry import HostRegistry
from cloudgate.manager.registries.refused_callers import GUESSES, RefusedCallers
from cloudgate.manager.registries.reported_guesses import MOST_OF_HOST, ReportedGuesses
from cloudgate.protocol import MOST_GUESSES

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_what_was_heard_is_known_by_host_and_kind_and_the_oldest_is_forgotten() -> None:
    heard = ReportedGuesses()
    assert heard.of(ONE, "guess", ["a"]) is None
    heard.add(ONE, "guess", ["a"])
    assert heard.of(ONE, "guess", ["a", "b"]) == frozenset({"a"})
    assert heard.of(ONE, "outsider", ["a"]) is None
    assert heard.of(OTHER, "guess", ["a"]) is None
    heard.add(ONE, "guess", [str(number) for number in range(MOST_OF_HOST)])
    assert heard.of(ONE, "guess", ["a", "0", "\ud800"]) == frozenset({"0"})


def test_what_a_full_report_said_is_known_beside_the_next_and_no_more_is_kept() -> None:
    heard = ReportedGuesses()
    reports = [[f"{report} {number}" for number in range(MOST_GUESSES)] for report in range(3)]
    for each in reports:
        heard.add(ONE, "guess", each)
    known = [len(heard.of(ONE, "guess", each) or ()) for each in reports]
    assert known == [0, MOST_GUESSES, MOST_GUESSES]


def test_what_a_host_told_is_forgotten_with_it() -> None:
    hosts = HostRegistry()
    for each in (ONE, OTHER):
        for kind in ("guess", "outsider"):
            hosts.guesses.add(each, kind, ["a"])
    hosts.forget(ONE)
    assert [hosts.guesses.of(ONE, kind, ["a"]) for kind in ("guess", "outsider")] == [None, None]
    assert hosts.guesses.of(OTHER, "guess", ["a"]) == frozenset({"a"})


def test_gateways_at_which_nobody_guesses_any_more_are_not_counted_for() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    strangers = RefusedCallers()
    before = throttles()
    for number in range(50):
        assert strangers.is_guess_to_be_noted(GUESSES, f"gw{number}", "acme", now, 1)
        strangers.copy_for(f"other{number}")
    assert strangers.due(now) == []
    assert throttles() == before + 50
    assert not strangers.is_guess_to_be_noted(GUESSES, "gw1", "acme", now, 1)
    for _ in range(2):  # at first there is the sum of those that were not written down
        strangers.due(now + NOTED_EVERY)
    assert throttles() == before
    assert strangers.is_guess_to_be_noted(GUESSES, "gw1", "acme", now + NOTED_EVERY, 1)


def throttles() -> int:
    gc.collect()
    return sum(isinstance(each, AuditThrottle) for each in gc.get_objects())
