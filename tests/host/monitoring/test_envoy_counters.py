"""Do counts of Envoys add up, whichever of them begin and end?"""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.monitoring.envoy_counters import EnvoyCounters

NOBODY = cast(AdminClient, None)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50))), st.integers(0, 1000))
def test_counts_are_those_since_the_host_service_began_and_never_go_backwards(
    steps: list[tuple[bool, int]], before: int
) -> None:
    clock = [100.0]
    counters = EnvoyCounters(NOBODY, lambda: clock[0])
    value, uptime = before, 5000  # it ran before, and had counted
    counters.add({"handshakes": value}, uptime)
    expected = 0
    for begins_anew, more in steps:
        clock[0] += 5
        uptime += 5
        if begins_anew:
            value, uptime = 0, 1
        value += more
        expected += more
        counters.add({"handshakes": value}, uptime)
        assert counters.totals["handshakes"] == expected


def test_all_that_an_envoy_of_its_own_time_has_counted_counts() -> None:
    clock = [100.0]
    counters = EnvoyCounters(NOBODY, lambda: clock[0])
    clock[0] += 60
    counters.add({"handshakes": 7}, 30)
    assert counters.totals == {"handshakes": 7}
