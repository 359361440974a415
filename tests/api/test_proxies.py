"""Who is believed about where a request came from."""

from dataclasses import replace

import pytest

from cloudgate.api.http.proxies import Origin, networks, origin, own_host
from cloudgate.errors import InvalidRequestError

DIRECT = Origin("http", "10.0.0.5:9399", "10.0.0.1")
TRUSTED = networks(["10.0.0.0/8", "2001:db8::1"])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, DIRECT),
        (
            {
                "x-forwarded-for": "203.0.113.7",
                "x-forwarded-proto": "https",
                "x-forwarded-host": "em.example",
            },
            Origin("https", "em.example", "203.0.113.7"),
        ),
        (
            {"x-forwarded-host": "em.example", "x-forwarded-port": "9398"},
            Origin("http", "em.example:9398", "10.0.0.1"),
        ),
        (
            {"x-forwarded-for": "1.1.1.1, 203.0.113.7, 10.2.0.9"},
            Origin("http", "10.0.0.5:9399", "203.0.113.7"),
        ),
        (
            {"forwarded": 'for=203.0.113.7;host="em.example:9398";proto=https'},
            Origin("https", "em.example:9398", "203.0.113.7"),
        ),
        (
            {"forwarded": 'for=1.1.1.1;host=evil, For="[2001:db8::7]:4711";Host=em.example'},
            Origin("http", "em.example", "2001:db8::7"),
        ),
        (
            {"forwarded": "for=203.0.113.7;proto=https;host=em.example, for=10.9.9.9"},
            Origin("https", "em.example", "203.0.113.7"),
        ),
        ({"forwarded": "for=unknown;proto=gopher;host=a b"}, DIRECT),
        ({"x-forwarded-prefix": "/backup"}, replace(DIRECT, prefix="/backup")),
        ({"x-forwarded-prefix": "/a/b.c/~d_e/"}, replace(DIRECT, prefix="/a/b.c/~d_e")),
        ({"x-forwarded-prefix": "outer/, /inner"}, replace(DIRECT, prefix="/outer/inner")),
        ({"x-forwarded-prefix": "/"}, DIRECT),
        ({"x-forwarded-prefix": ""}, DIRECT),
        (
            {"forwarded": "for=203.0.113.7", "x-forwarded-prefix": "/backup"},
            Origin("http", "10.0.0.5:9399", "203.0.113.7", "/backup"),
        ),
        *(
            ({"x-forwarded-prefix": bad}, DIRECT)
            for bad in (
                "/a; Domain=evil.example",
                "//evil.example/x",
                "/../x",
                "/a/./b",
                "/a%0d%0aSet-Cookie: x=y",
                '/"><script>',
                "/a b",
                "/a?x=",
                "/ä",
                "/" + "a" * 101,
                "/a" * 21,
            )
        ),
        ({"forwarded": 'for="_hidden";host="a\\"b"'}, DIRECT),
        ({"forwarded": ',;=,"'}, DIRECT),
    ],
)
def test_a_configured_proxy_is_believed(headers: dict[str, str], expected: Origin) -> None:
    assert origin(DIRECT, headers, TRUSTED) == expected


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::2", "", "unix"])
def test_nobody_else_is_believed(peer: str) -> None:
    direct = Origin("https", "em.example:9398", peer)
    headers = {"x-forwarded-for": "1.1.1.1", "forwarded": "for=1.1.1.1;host=evil"}
    assert origin(direct, headers, TRUSTED) == direct


def test_a_proxy_that_reaches_a_dual_socket_over_ipv4_is_the_same_one() -> None:
    direct = Origin("http", "h", "::ffff:10.0.0.1")
    assert origin(direct, {"x-forwarded-for": "1.2.3.4"}, TRUSTED).address == "1.2.3.4"


def test_what_is_no_network_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequestError, match=r"'proxy\.example' is no IP address"):
        networks(["10.0.0.1", "proxy.example"])


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "127.0.0.1:9398"),
        ("::ffff:127.0.0.1", "127.0.0.1:9398"),
        ("::1", "[::1]:9398"),
        ("localhost", "localhost:9398"),
    ],
)
def test_who_names_no_host_gets_links_to_the_address_that_he_came_to(
    address: str, host: str
) -> None:
    assert own_host(address, 9398) == host
