"""Is what an operator says of names, a name server and its key taken, or refused in words?"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.settings.dns_names import dns_names

NAME = "gates.provider.example"
SECRET = "c2VjcmV0IG9mIHRoZSBnYXRlcyBhbmQgbW9yZSBvZiBpdA=="
KEY = f'key "gates" {{ algorithm hmac-sha256; secret "{SECRET}"; }};'


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (([NAME], None, None), "Say who is told"),
        (([], "ns.example", KEY), "with --dns-name"),
        ((["192.0.2.1"], "ns.example", KEY), "expected a DNS name"),
        ((["a b"], "ns.example", KEY), "--dns-name"),
        (([NAME, NAME], "ns.example", KEY), "besides another"),
        (([NAME, f"{NAME}=vip"], "ns.example", KEY), "besides another"),
        (([NAME, "other.example"], "ns.example", KEY), "besides another"),
        (([NAME], "ns.example:0", KEY), "--dns-server"),
        (([NAME], "ns.example", None), "--dns-key-file"),
        (([NAME], "ns.example", KEY.replace("sha256", "md5")), "--dns-key-file"),
        (([NAME], "ns.example", KEY.replace("==", "")), "--dns-key-file"),
        (([NAME], "ns.example", KEY + KEY), "--dns-key-file"),
    ],
)
def test_names_that_cannot_be_kept_are_refused_at_the_start(
    said: tuple[list[str], str | None, str | None], reason: str
) -> None:
    with pytest.raises(InvalidRequestError, match=reason):
        dns_names(*said, None)


def test_a_name_server_is_named_with_or_without_its_port_and_its_key_is_not_shown() -> None:
    found = dns_names([f"{NAME}.", "vip.example=vip"], "ns.example", KEY, None)
    assert (found.of_pool(""), found.of_pool("vip"), found.of_pool("x")) == (
        NAME,
        "vip.example",
        None,
    )
    assert found.server is not None
    assert (found.server.host, found.server.port) == ("ns.example", 53)
    assert found.server.secret not in repr(found)
    other = dns_names([NAME], "[2001:db8::1]:5353", KEY, None).server
    assert other is not None
    assert (other.host, other.port) == ("2001:db8::1", 5353)


@given(st.text(), st.text(max_size=30))
def test_whatever_is_given_is_taken_or_refused_in_words(key: str, address: str) -> None:
    for said in ((address, KEY), ("ns.example", key)):
        try:
            found = dns_names([NAME], *said, None)
        except InvalidRequestError as problem:
            assert problem.message.startswith(("--dns-", "Say who"))
        else:
            assert found.server is not None
            assert 0 < found.server.port <= 65535


def test_a_key_is_read_however_it_is_laid_out() -> None:
    flat = 'key gate { algorithm "HMAC-SHA512"; secret "c2VjcmV0"; }'
    found = dns_names([NAME], "ns.example", flat, None).server
    assert found is not None
    assert (found.key_name, found.algorithm, found.secret) == ("gate", "hmac-sha512", "c2VjcmV0")


def test_a_program_may_be_told_in_place_of_a_name_server() -> None:
    found = dns_names([f"{NAME}=vip"], None, None, Path("/hook"))
    assert (found.server, found.hook, found.of_pool("vip")) == (None, Path("/hook"), NAME)
    assert dns_names([], None, None, None).names == {}
