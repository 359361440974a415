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


NAMED = "198.51.100.7"
"""What a client says of itself, to be taken for another."""
CAME = "203.0.113.7"
"""What its proxy says of it."""


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": CAME, "forwarded": f"for={NAMED}"},
        {"x-forwarded-for": f"{NAMED}, {CAME}", "forwarded": f"for={NAMED}"},
        {"x-forwarded-for": NAMED, "forwarded": f"for={CAME}"},
        {"x-forwarded-for": "", "forwarded": f"for={CAME}"},
    ],
)
def test_what_a_client_says_beside_its_proxy_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError, match="Have the proxy take away the one"):
        origin(DIRECT, headers, TRUSTED)
    outside = replace(DIRECT, address="192.0.2.1")
    assert origin(outside, headers, TRUSTED) == outside


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"x-forwarded-for": CAME, "forwarded": f"for={NAMED}, for={CAME}"}, CAME),
        ({"forwarded": f"for={NAMED}, for=unknown"}, DIRECT.address),
        ({"forwarded": f"for={NAMED}, for=_a8, for=10.0.0.7"}, "10.0.0.7"),
        ({"x-forwarded-for": f"{NAMED}, garbage"}, DIRECT.address),
        ({"x-forwarded-for": f"{NAMED}, {CAME}:4711"}, CAME),
        ({"forwarded": f"for={CAME}, proto=https"}, CAME),
    ],
)
def test_the_client_is_who_the_nearest_proxy_names(headers: dict[str, str], address: str) -> None:
    assert origin(DIRECT, headers, TRUSTED).address == address


@pytest.mark.parametrize(
    "long",
    [
        "a" * 500_000,
        '"' + '\\"' * 250_000,
        '"\\' * 250_000,
        "for=" * 125_000,
        "," * 500_000,
        ";" * 500_000,
    ],
    ids=lambda each: each[:4],
)
def test_no_header_is_gone_through_again_from_each_of_its_letters(long: str) -> None:
    for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-prefix"):
        assert origin(DIRECT, {name: long}, TRUSTED) == DIRECT


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
