"""Host timestamps: what is yet to come, by a clock that was put back, counts as of now."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cloudgate.manager.registries.hosts.host_timestamps import HostTimestamps

LEEWAY = timedelta(seconds=40)
AHEAD = datetime(2026, 11, 29, 12, tzinfo=UTC)
NOW = AHEAD - timedelta(hours=5)
"""What a clock shows that was ahead, and was set right."""
LATER = NOW + timedelta(minutes=5)
HOST = UUID(int=1)


def test_a_moment_that_is_a_little_ahead_is_what_it_is() -> None:
    moments = HostTimestamps(LEEWAY)
    assert moments.of(HOST, NOW) is None
    moments.record(HOST, NOW + LEEWAY / 2)
    assert moments.of(HOST, NOW) == NOW + LEEWAY / 2
    assert moments.all(NOW) == {HOST: NOW + LEEWAY / 2}


def test_a_moment_of_before_the_clock_was_put_back_is_of_when_that_was_first_seen() -> None:
    moments = HostTimestamps(LEEWAY)
    moments.record(HOST, AHEAD)
    assert moments.of(HOST, NOW) == NOW
    assert moments.all(LATER) == {HOST: NOW}
    moments.record(HOST, LATER)
    assert moments.of(HOST, LATER) == LATER
    moments.forget(HOST)
    assert moments.all(LATER) == {}
