"""Is a host before a port written so that it is read again as the same?"""

from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.network import hostport
from cloudgate.values.endpoints import bracketed, join, names_a_host


@given(st.ip_addresses(), st.integers(1, 65535))
def test_each_address_is_read_again_as_the_same_host_and_port(
    address: IPv4Address | IPv6Address, port: int
) -> None:
    written = join(str(address), port)
    assert hostport.split(written) == (str(address), port)
    assert urlsplit(f"https://{written}/").port == port
    assert bracketed(bracketed(str(address))) == bracketed(str(address))


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("vault.example", "vault.example:1"),
        ("192.0.2.1", "192.0.2.1:1"),
        ("2001:db8::1", "[2001:db8::1]:1"),
        ("[2001:db8::1]", "[2001:db8::1]:1"),
        ("::", "[::]:1"),
    ],
)
def test_only_an_address_of_ipv6_stands_in_brackets(host: str, written: str) -> None:
    assert join(host, 1) == written


@pytest.mark.parametrize(
    ("url", "names_one"),
    [
        ("https://vault.example", True),
        ("//[2001:db8::1]:9398", True),
        ("//127.0.0.1:65535", True),
        ("//[2001:db8::1", False),
        ("//[", False),
        ("//a:b", False),
        ("//a:0", False),
        ("//a:65536", False),
        ("//:9398", False),
        ("https://", False),
    ],
)
def test_a_url_names_a_host_and_a_port_that_is_one_or_does_not(url: str, names_one: bool) -> None:
    assert names_a_host(url) is names_one
