"""Is a gateway asked again the sooner the more depends on it?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.connector.health_schedule import BUSY_SECONDS, IDLE_SECONDS, LOST_SECONDS, is_due
from cloudgate.connector.load_balancing import (
    GatewayEndpoint,
)
from cloudgate.network.hostport import HostPort


@pytest.mark.parametrize(
    ("gateway", "dialled_at", "pause_seconds"),
    [
        (GatewayEndpoint(HostPort("a", 1), asked_at=1000.0), 0.0, IDLE_SECONDS),
        (GatewayEndpoint(HostPort("a", 1), asked_at=1000.0), 1001.0, BUSY_SECONDS),
        (GatewayEndpoint(HostPort("a", 1), asked_at=1000.0, doubted_at=1001.0), 0.0, LOST_SECONDS),
        (GatewayEndpoint(HostPort("a", 1), asked_at=1000.0, lost_at=1000.0), 0.0, LOST_SECONDS),
        (GatewayEndpoint(HostPort("a", 1), asked_at=1000.0, lost_at=1.0), 0.0, IDLE_SECONDS),
        (GatewayEndpoint(HostPort("a", 1), asked_at=1000.0, lost_at=1.0), 1001.0, BUSY_SECONDS),
    ],
    ids=["idle", "dialled", "cut", "just lost", "lost long ago", "lost long ago and dialled"],
)
def test_a_gateway_is_asked_the_sooner_the_more_depends_on_it(
    gateway: GatewayEndpoint, dialled_at: float, pause_seconds: float
) -> None:
    early, late = (1000 + share * pause_seconds for share in (0.79, 1.21))
    assert not is_due(gateway, early, dialled_at=dialled_at)
    assert is_due(gateway, late, dialled_at=dialled_at)


def test_a_gateway_that_was_never_asked_is_asked_at_once() -> None:
    assert is_due(GatewayEndpoint(HostPort("a", 1)), 0.0, dialled_at=0.0)


gateways = st.builds(
    GatewayEndpoint,
    st.just(HostPort("a", 1)),
    asked_at=st.floats(0, 1000),
    doubted_at=st.floats(0, 1000),
    lost_at=st.none() | st.floats(0, 1000),
    tie=st.floats(0, 1),
)


@given(gateways, st.floats(0, 100), st.floats(0, 100), st.floats(0, 2000))
def test_one_that_is_due_stays_so_until_it_is_asked(
    gateway: GatewayEndpoint, waited: float, longer: float, dialled_at: float
) -> None:
    asked = gateway.asked_at or 0.0
    if gateway.lost_at is None:  # of one that is away less and less is expected
        due = is_due(gateway, asked + waited, dialled_at=dialled_at)
        assert is_due(gateway, asked + waited + longer, dialled_at=dialled_at) >= due
    assert is_due(gateway, asked + 1.21 * IDLE_SECONDS, dialled_at=dialled_at)
    assert not is_due(gateway, asked + 0.79 * LOST_SECONDS, dialled_at=dialled_at)


@given(gateways, st.floats(0, 100))
def test_what_depends_on_it_only_has_it_asked_sooner(
    gateway: GatewayEndpoint, waited: float
) -> None:
    asked = gateway.asked_at or 0.0
    now = asked + waited
    idle = is_due(gateway, now, dialled_at=0.0)
    assert is_due(gateway, now, dialled_at=now + 1) >= idle


@given(st.floats(0, 1), st.floats(0, 1))
def test_connectors_do_not_ask_in_step(one: float, other: float) -> None:
    first, second = (
        GatewayEndpoint(HostPort("a", 1), asked_at=0.0, tie=each) for each in sorted((one, other))
    )
    for now in range(20, 40):
        assert is_due(first, now, dialled_at=0.0) >= is_due(second, now, dialled_at=0.0)
    assert is_due(GatewayEndpoint(HostPort("a", 1), asked_at=0.0, tie=0.0), 24.0, dialled_at=0.0)
    late = GatewayEndpoint(HostPort("a", 1), asked_at=0.0, tie=1.0)
    assert not is_due(late, 35.9, dialled_at=0.0)
