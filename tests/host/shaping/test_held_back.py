"""Is it counted for how long a tenant is held back, however rarely it is looked at?"""

from uuid import UUID

import pytest

from cloudgate.host.shaping.held_back import HeldBackMeter
from cloudgate.protocol import Restraint

ACME = UUID(int=1)


@pytest.mark.parametrize("distance_seconds", [0.2, 2.0, 2.1, 30.0])
def test_who_is_held_back_at_each_look_is_so_all_the_time(distance_seconds: float) -> None:
    meter = HeldBackMeter()
    for number in range(1, 11):
        now, before = number * distance_seconds, (number - 1) * distance_seconds
        meter.record(ACME, Restraint.LIMIT, now, before)
    assert meter.by_tenant[ACME] == pytest.approx(9 * distance_seconds)
    assert meter.by_restraint[Restraint.LIMIT] == pytest.approx(9 * distance_seconds)


def test_a_look_at_which_it_was_not_held_back_counts_for_nothing_but_a_short_one() -> None:
    meter = HeldBackMeter()
    meter.record(ACME, Restraint.LIMIT, 10.0, 9.0)
    meter.record(ACME, Restraint.SHARE, 12.0, 11.0)
    assert meter.by_share == {ACME: 2.0}
    meter.record(ACME, Restraint.SHARE, 20.0, 16.0)
    assert meter.by_share == {ACME: 2.0}
