"""How long does somebody wait who guesses, and what makes it good?"""

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.trust.login_throttle import (
    FAMILIAR_SECONDS,
    FORGOTTEN_AFTER_SECONDS,
    FREE_FAILURES,
    MOST_REMEMBERED,
    Counts,
    FamiliarLogons,
    LoginThrottle,
)

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def throttle(now: list[float] | None = None) -> LoginThrottle:
    return LoginThrottle(lambda: now[0] if now else 0.0)


def test_who_has_an_account_of_his_own_guesses_at_others_no_faster() -> None:
    failures = throttle()
    for _ in range(FREE_FAILURES + 3):
        failures.failed("admin", HERE)
        failures.succeeded("eve", HERE)
    alone = throttle()
    for _ in range(FREE_FAILURES + 3):
        alone.failed("admin", HERE)
    assert failures.delay_for(HERE) == alone.delay_for(HERE) > 0


def test_who_was_wrong_and_then_right_waits_no_more() -> None:
    failures = throttle()
    for _ in range(FREE_FAILURES + 1):
        failures.failed("ann", HERE)
    assert failures.delay_for(HERE) > 0
    failures.succeeded("ANN", HERE)
    assert failures.delay_for(HERE) == 0
    for _ in range(FREE_FAILURES - 1):
        assert failures.failed("ann", ELSEWHERE) == 0, "the account has none, either"


def test_who_is_right_elsewhere_makes_nothing_good_here() -> None:
    failures = throttle()
    for _ in range(FREE_FAILURES + 1):
        failures.failed("admin", HERE)
    failures.succeeded("admin", ELSEWHERE)
    assert failures.delay_for(HERE) > 0


def test_what_others_do_makes_nothing_good_of_who_is_forgotten() -> None:
    failures = throttle()
    for _ in range(FREE_FAILURES):
        failures.failed("eve", HERE)
    for number in range(MOST_REMEMBERED):
        failures.failed("somebody", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    for _ in range(FREE_FAILURES):
        failures.failed("admin", HERE)
    failures.succeeded("eve", HERE)
    assert failures.delay_for(HERE) > 0


def familiar(now: list[float] | None = None) -> FamiliarLogons:
    found = FamiliarLogons(lambda: now[0] if now else 0.0)
    found.succeeded("ann", HERE)
    return found


def test_who_was_right_from_there_is_known_however_he_is_written_and_nobody_else_is() -> None:
    logons = familiar()
    assert logons.is_one("ANN", HERE)
    assert not logons.is_one("ann", ELSEWHERE)
    assert not logons.is_one("eve", HERE)
    for _ in range(FREE_FAILURES + 1):
        logons.failed("eve", HERE)
        logons.failed("ann", ELSEWHERE)
    assert logons.is_one("ann", HERE)


def test_who_is_known_is_so_no_more_once_he_was_wrong_too_often_until_he_is_right() -> None:
    logons = familiar()
    for _ in range(FREE_FAILURES):
        assert logons.is_one("ann", HERE)
        logons.failed("ann", HERE)
    assert not logons.is_one("ann", HERE)
    logons.succeeded("ann", HERE)
    assert logons.is_one("ann", HERE)


def test_who_guesses_at_others_by_a_login_of_his_own_is_not_known_though_he_is_right() -> None:
    now = [0.0]
    logons = familiar(now)
    for _ in range(FREE_FAILURES):
        logons.failed("ann", HERE, at_another=True)
        logons.succeeded("ann", HERE)
    assert not logons.is_one("ann", HERE)
    now[0] += FORGOTTEN_AFTER_SECONDS
    assert logons.is_one("ann", HERE)


def test_those_who_are_known_are_bounded_and_forgotten_after_months() -> None:
    now = [0.0]
    logons = familiar(now)
    now[0] += FAMILIAR_SECONDS - 1
    assert logons.is_one("ann", HERE)
    now[0] += 1
    assert not logons.is_one("ann", HERE)
    for number in range(MOST_REMEMBERED + 10):
        for at_another in (False, True):
            logons.failed(f"{number}", HERE, at_another=at_another)
        logons.succeeded(f"{number}", HERE)
        logons.failed(f"{number}", HERE)
    assert logons.remembered == 3 * MOST_REMEMBERED
    assert not logons.is_one("0", HERE)


NAMES = st.sampled_from(["admin", "eve", "ann"])
PLACES = st.sampled_from([HERE, ELSEWHERE])


@given(st.lists(st.tuples(st.booleans(), NAMES, PLACES, st.integers(0, 1200))))
def test_an_address_waits_for_at_least_what_was_never_made_good_there(
    steps: list[tuple[bool, str, str, int]],
) -> None:
    """Within the time that is remembered, whatever else goes on."""
    now = [0.0]
    failures, at = throttle(now), Counts(lambda: now[0])
    for is_right, name, place, seconds in steps:
        now[0] += seconds
        if is_right:
            failures.succeeded(name, place)
            at.forget(f"{name} {place}")
        else:
            failures.failed(name, place)
            at.add(f"{name} {place}")
        for each in (HERE, ELSEWHERE):
            least = sum(at.of(f"{who} {each}") for who in ("admin", "eve", "ann"))
            assert failures.delay_for(each) > 0 or least < FREE_FAILURES
