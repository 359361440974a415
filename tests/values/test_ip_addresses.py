"""Is an address the same one however a socket says it?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.values import ip_addresses


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("::FFFF:c633:6407", "198.51.100.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("gw1.example", "gw1.example"),
        ("", ""),
    ],
)
def test_an_address_has_one_form_and_what_is_none_stays(said: str, kept: str) -> None:
    assert ip_addresses.plain(said) == kept


@given(st.ip_addresses(v=4), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_ipv4_is_ipv4_by_a_socket_of_both_families_and_a_zone_is_no_part(
    address: object, zone: str
) -> None:
    assert ip_addresses.read(f"::ffff:{address}%{zone}") == address
    assert ip_addresses.plain(ip_addresses.plain(f"::ffff:{address}")) == str(address)
