"""Is a request that a foreign page had a browser make told from all others?"""

from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.http.cross_site import cookie, is_foreign, is_form


@pytest.mark.parametrize(
    ("origin", "host", "foreign"),
    [
        ("https://em.example", "em.example", False),
        ("https://em.example", "em.example:443", False),
        ("https://EM.example:9398", "em.example:9398", False),
        ("https://[2001:db8::1]:9398", "[2001:db8::1]:9398", False),
        ("https://em.example:9398", "em.example", True),
        ("https://em.example.elsewhere", "em.example", True),
        ("https://elsewhere@em.example.evil", "em.example", True),
        ("https://em.example:x", "em.example", True),
        ("file://", "em.example", True),
    ],
)
def test_an_origin_is_the_own_one_by_name_and_port(origin: str, host: str, foreign: bool) -> None:
    assert is_foreign({"origin": origin}, host) is foreign


HOST = "em.example:9398"


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),  # no browser
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": " None "}, False),  # typed by a person
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": ""}, True),
        ({"sec-fetch-site": "cross-site", "origin": f"https://{HOST}"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://elsewhere.example"}, False),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": f" https://{HOST} "}, False),
    ],
)
def test_a_browser_says_where_a_request_is_from(headers: dict[str, str], foreign: bool) -> None:
    assert is_foreign(headers, HOST) is foreign


@given(st.text(), st.text(max_size=30))
def test_whatever_is_said_is_answered(origin: str, host: str) -> None:
    assert is_foreign({"origin": origin}, host) in (True, False)
    assert is_foreign({"origin": f"https://elsewhere.example/{origin}"}, HOST)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/x-www-form-urlencoded", True),
        ("Multipart/Form-Data; boundary=x", True),
        ("text/plain;charset=utf-8", True),
        (" TEXT/PLAIN ", True),
        ("application/json", False),
        ("text/xml", False),
        ("text/plain+json", False),
        ("", False),
        (None, False),
    ],
)
def test_what_a_page_sends_without_a_script_is_a_form(content_type: str | None, form: bool) -> None:
    assert is_form(content_type) is form


def test_a_cookie_goes_to_the_api_alone_and_over_tls_where_there_is_tls() -> None:
    for scheme in ("https", "http"):
        (morsel,) = SimpleCookie(cookie("X-Session", "a-token", "/api", scheme)).values()
        assert (morsel.key, morsel.value, morsel["path"]) == ("X-Session", "a-token", "/api")
        assert morsel["httponly"] is True
        assert morsel["samesite"] == "Strict"
        assert bool(morsel["secure"]) is (scheme == "https")
