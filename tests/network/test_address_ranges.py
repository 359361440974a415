"""Do networks mean the addresses that somebody wrote down, and no others?"""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.network.address_ranges import common, contains, network

FEW = (
    *("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "192.0.2.0/24"),
    *("2001:db8::/32", "2001:db8:1::/48", "2001:db8::1/128", "::/0"),
)
LISTS = st.none() | st.lists(st.sampled_from(FEW), max_size=4).map(tuple)
ADDRESSES = st.sampled_from(
    ("10.1.2.3", "10.1.9.9", "10.9.9.9", "192.0.2.7", "8.8.8.8", "2001:db8::1", "2001:db9::1")
) | st.ip_addresses().filter(lambda each: not getattr(each, "ipv4_mapped", None)).map(str)


@given(st.lists(st.sampled_from(FEW), max_size=4).map(tuple), ADDRESSES)
def test_a_list_has_the_addresses_of_its_networks(networks: tuple[str, ...], address: str) -> None:
    expected = any(ip_address(address) in ip_network(each) for each in networks)
    assert contains(networks, address) is expected


@given(LISTS, LISTS, ADDRESSES)
def test_what_two_lists_have_in_common_has_the_addresses_that_are_in_both(
    one: tuple[str, ...] | None, other: tuple[str, ...] | None, address: str
) -> None:
    in_both = contains(one, address) and contains(other, address)
    assert contains(common(one, other), address) is in_both


def test_an_ipv4_address_is_one_however_it_is_seen_and_written() -> None:
    assert contains(("192.0.2.0/24",), "::ffff:192.0.2.7")
    assert contains((network("::ffff:192.0.2.0/120"),), "192.0.2.7")
    assert network(" 192.0.2.7 ") == "192.0.2.7/32"
    assert network("2001:DB8:0::/48") == "2001:db8::/48"


def test_no_list_is_every_address_and_an_empty_one_is_none() -> None:
    assert contains(None, "192.0.2.7")
    assert contains(None, "no address")
    assert not contains((), "192.0.2.7")
    assert not contains(("0.0.0.0/0", "::/0"), "no address")
    assert contains(("fe80::/10",), "fe80::1%eth0")


@pytest.mark.parametrize(
    "text", ["", "acme", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "1.2.3.4/255.0.0.0.0", "::/129"]
)
def test_what_is_no_network_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"such as 192\.0\.2\.0/24"):
        network(text)


def test_bits_behind_the_prefix_are_refused_with_both_that_could_be_meant() -> None:
    with pytest.raises(InvalidRequestError, match=r"give 10\.1\.2\.0/24 .* or 10\.1\.2\.3 "):
        network("10.1.2.3/24")
