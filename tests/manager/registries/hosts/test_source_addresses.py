"""Source addresses: what a host spoke from lately is known, with when it last did."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cloudgate.manager.registries.hosts.source_addresses import KEPT_FOR, SourceAddresses

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SOON = NOW + timedelta(seconds=30)
HOST = UUID(int=1)


def test_each_address_is_known_with_the_time_until_it_was_not_heard_of_for_a_while() -> None:
    addresses = SourceAddresses()
    assert addresses.record(HOST, "192.0.2.1", NOW) == {}
    assert addresses.record(HOST, "192.0.2.2", SOON) == {"192.0.2.1": NOW}
    assert addresses.record(HOST, "192.0.2.2", NOW + KEPT_FOR) == {
        "192.0.2.1": NOW,
        "192.0.2.2": SOON,
    }
    assert addresses.record(HOST, "192.0.2.2", NOW + KEPT_FOR) == {"192.0.2.2": NOW + KEPT_FOR}
    addresses.forget(HOST)
    assert addresses.record(HOST, "192.0.2.1", NOW + KEPT_FOR) == {}


def test_what_was_heard_before_the_clock_was_put_back_was_heard_now() -> None:
    addresses = SourceAddresses()
    addresses.record(HOST, "192.0.2.1", SOON)
    assert addresses.record(HOST, "192.0.2.2", NOW) == {"192.0.2.1": NOW}
