"""Is the module to blame for it where Envoy dies, and not for all else?"""

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.envoy.data_path.crash_loop import (
    CRASHES_WITHIN_SECONDS,
    MOST_CRASHES,
    MOST_SHORT_LIVES,
    SOON_SECONDS,
    CrashLoopDetector,
)


def test_the_module_is_not_to_blame_for_who_kills_envoy_or_for_a_crash_now_and_then() -> None:
    long = SOON_SECONDS + 1
    apart = CRASHES_WITHIN_SECONDS / (MOST_CRASHES - 1) + 1
    known = CrashLoopDetector()
    assert not any(known.blame(long, 10.0 * each, crashed=False) for each in range(20))
    assert not any(known.blame(long, apart * each, crashed=True) for each in range(20))
    assert known.blame(long, apart * 19 + 1, crashed=True)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, SOON_SECONDS, SOON_SECONDS + 0.1, 10 * SOON_SECONDS, 9000.0]),
            st.booleans(),
        ),
        max_size=20,
    )
)
def test_blame_is_what_a_list_of_all_deaths_shows(lives: list[tuple[float, bool]]) -> None:
    known, now = CrashLoopDetector(), 0.0
    died: list[tuple[float, float, bool]] = []
    for lived, crashed in lives:
        now += lived
        died.append((now, lived, crashed))
        said = known.blame(lived, now, crashed=crashed)
        row = [each <= SOON_SECONDS for _, each, _ in died[-MOST_SHORT_LIVES:]]
        soon = len(row) == MOST_SHORT_LIVES and all(row)
        crashes = [at for at, _, broke in died if broke][-MOST_CRASHES:]
        often = len(crashes) == MOST_CRASHES and now - crashes[0] <= CRASHES_WITHIN_SECONDS
        assert bool(said) == (soon or often)
        assert said.startswith("Envoy died several times") == soon


def test_one_that_lives_long_ends_a_row_of_short_lives() -> None:
    known = CrashLoopDetector()
    for now in range(MOST_SHORT_LIVES - 1):
        assert not known.blame(1.0, float(now), crashed=False)
    assert not known.blame(SOON_SECONDS + 1, 100.0, crashed=False)
    assert not known.blame(1.0, 101.0, crashed=False)
