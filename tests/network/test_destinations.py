"""Is what an address means seen through all of its forms?"""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.network.destinations import final_address, is_loopback, is_never, is_own_name
from tests.support.addresses import FINE, LOOPBACK, NEVER


def test_what_an_address_means_is_seen_through_all_its_forms() -> None:
    assert [each for each in NEVER if not is_never(each)] == []
    assert [each for each in LOOPBACK if not is_loopback(each) or is_never(each)] == []
    assert [each for each in FINE if is_never(each) or is_loopback(each)] == []
    assert not is_never("vault.example")


def forms_of(address: IPv4Address) -> list[str]:
    """All the ways in which IPv6 says it."""
    number = int(address)
    forms = [
        int(IPv6Address("::ffff:0:0")) + number,  # mapped
        int(IPv6Address("64:ff9b::")) + number,
        int(IPv6Address("::ffff:0:0:0")) + number,
        (0x2002 << 112) + (number << 80) + 7,  # 6to4
        (0x2001 << 112) + (0xFFFF_FFFF ^ number),  # Teredo: the client's, each bit the other way
    ]
    if number >= 2**16:
        forms.append(number)  # compatible
    return [str(IPv6Address(each)) for each in forms]


@given(st.ip_addresses(v=4))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("0.0.0.1"))
@example(IPv4Address("0.1.0.0"))
def test_an_ipv4_address_is_the_same_in_each_form_of_ipv6(address: IPv4Address) -> None:
    for form in forms_of(address):
        assert final_address(form) == address
        assert is_never(form) == is_never(str(address))
        assert is_loopback(form) == is_loopback(str(address))


@given(st.ip_addresses())
def test_brackets_zones_and_leading_zeros_change_nothing(
    address: IPv4Address | IPv6Address,
) -> None:
    meant = final_address(str(address))
    assert meant is not None
    assert final_address(str(meant)) == meant
    if isinstance(address, IPv6Address):
        for written in (f"[{address}]", f"{address}%eth0", address.exploded.upper()):
            assert final_address(written) == meant


@given(st.text())
def test_what_is_no_address_means_none_and_is_left_to_others(text: str) -> None:
    try:
        ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        assert final_address(text) is None
        assert not is_never(text)
        assert not is_loopback(text)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.b.localhost", True),
        ("notlocalhost", False),
        ("localhost.example", False),
        ("127.0.0.1", False),  # an address, which others look at
        ("", False),
    ],
)
def test_names_that_mean_the_machine_itself(name: str, own: bool) -> None:
    assert is_own_name(name) is own
