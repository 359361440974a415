"""Is an address of HTTPS taken as one, and led back to as it was given?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.settings.signing_in import SigningInSettings, address


@pytest.mark.parametrize(
    ("given_", "found"),
    [
        ("https://id.example", "https://id.example"),
        (" https://id.example:8443/realms/a_b/ ", "https://id.example:8443/realms/a_b"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_address_is_taken_without_its_last_slash(given_: str, found: str) -> None:
    assert address(given_, "--sso-issuer") == found
    assert address(found, "--sso-issuer") == found


@pytest.mark.parametrize(
    "given_",
    [
        "",
        "id.example",
        "http://id.example",
        "https://",
        "https://user@id.example",
        "https://id.example:0",
        "https://id.example:70000",
        "https://id.example:many",
        "https://id.example/?a=b",
        "https://id.example/#a",
        "https://id.example/a b",
        "https://id.example\n.evil.example",
        "https://[",
        "javascript:alert(1)",
    ],
)
def test_what_is_none_is_refused_with_what_was_found(given_: str) -> None:
    with pytest.raises(InvalidRequestError, match="--console-url: found"):
        address(given_, "--console-url")


@given(st.text() | st.text("https://[]:.a1#?@ ").map("https://{}".format))
def test_whatever_is_given_is_taken_or_refused(text: str) -> None:
    try:
        found = address(text, "--x")
    except InvalidRequestError as problem:
        assert len(problem.message) < 1500
    else:
        assert found.startswith("https://")
        assert not found.endswith("/")
        assert not set(found) & set(" ?#@\r\n\"'<>")


def test_browsers_are_led_back_to_the_console() -> None:
    set_up = SigningInSettings(console_url="https://cloud.example:9398")
    assert set_up.callback_url == "https://cloud.example:9398/console/sso"
    assert set_up.signed_out_url == "https://cloud.example:9398/console/sign-in"
