"""Observed addresses: one of each IP version is kept, until another was heard of and it was not."""

from datetime import UTC, datetime

import pytest

from cloudgate.manager.registries.hosts.source_addresses import KEPT_FOR
from cloudgate.manager.servers import observed_addresses

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
FIRST, SECOND, OF_VERSION_6 = "192.0.2.1", "192.0.2.2", "2001:db8::1"


@pytest.mark.parametrize("text", ["", "gate.example", "0.0.0.0", "::", "224.0.0.1", "fe80::1"])
def test_nobody_is_told_to_go_to_what_is_no_address_of_a_machine(text: str) -> None:
    assert observed_addresses.usable(text) == ""


def test_an_address_has_one_form() -> None:
    assert observed_addresses.usable("2001:0DB8::0:1") == OF_VERSION_6
    assert observed_addresses.usable(f"::ffff:{FIRST}") == FIRST


def test_an_address_of_each_version_is_kept_beside_the_other() -> None:
    kept = observed_addresses.after(FIRST, OF_VERSION_6, {FIRST: NOW}, NOW)
    assert set(observed_addresses.read(kept)) == {FIRST, OF_VERSION_6}
    assert observed_addresses.after(kept, "", {}, NOW) == kept


def test_another_address_takes_the_place_of_one_that_was_not_heard_of_for_a_while() -> None:
    heard = {FIRST: NOW}
    assert observed_addresses.after(FIRST, SECOND, heard, NOW + KEPT_FOR / 2) == FIRST
    assert observed_addresses.after(FIRST, SECOND, heard, NOW + KEPT_FOR) == SECOND
    assert observed_addresses.after(FIRST, SECOND, {}, NOW) == SECOND
