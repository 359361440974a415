"""Is a browser kept inside, and a form known as its session's?"""

import base64
import re
from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.console.browser import (
    HEADERS,
    SESSION_SECONDS,
    Cookie,
    form_token,
    inside,
    is_from_elsewhere,
    is_token_of,
    wants_a_page,
)

GUID = "29e5d158-1f58-44bc-bbaa-2752d787a91d"


@pytest.mark.parametrize("path", ["tenants", f"tenants/{GUID}/edit", "audit?page=2&object=a%20b"])
def test_after_signing_in_one_is_where_one_wanted_to_be(path: str) -> None:
    assert inside(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "//elsewhere.example", "/tenants", "https://elsewhere.example", "\\\\elsewhere.example",
        "javascript:alert(1)", "tenants/../../x", "a\r\nSet-Cookie: x=1", "a//b", "",
    ],
)  # fmt: skip
def test_no_address_leads_out_of_the_console(path: str) -> None:
    assert inside(path) == ""


def test_a_form_is_known_by_its_session_and_tells_nothing_of_it() -> None:
    session = base64.b64encode(GUID.encode()).decode()
    token = form_token(session)
    assert is_token_of(session, token)
    assert not is_token_of(session, "")
    assert not is_token_of(session, form_token(session[::-1]))
    assert not is_token_of(session, "é")
    assert session not in token


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("*/*", False),
        ("application/xml", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_only_browsers_ask_for_pages(accept: str, *, page: bool) -> None:
    assert wants_a_page(accept) is page


CONSOLE = "https://cloud.example:9398/console/"


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["tenants", "/", ".", "..", "//", "?", "#", "%2e", ":", "@", "\\", "a", "A"]
        )
    ).map("".join)
)
def test_wherever_somebody_wants_to_be_a_browser_stays_in_the_console(wanted: str) -> None:
    found = inside(wanted)
    assert found in ("", wanted)
    assert inside(found) == found
    there = urlsplit(urljoin(CONSOLE, found))
    assert there.netloc == "cloud.example:9398"
    assert there.path.startswith("/console/")
    assert not set(found) & set("\r\n \\\"'<>;")


@given(st.text(), st.text())
def test_a_form_of_one_session_is_none_of_another(one: str, other: str) -> None:
    one, other = (each.encode(errors="ignore").decode() for each in (one, other))
    assert is_token_of(one, form_token(one))
    assert is_token_of(one, form_token(other)) == (one == other)
    assert re.fullmatch(r"[\w-]{43}", form_token(one))


def test_a_cookie_is_sent_to_this_host_alone_over_tls_and_shown_to_no_script() -> None:
    kind = Cookie("__Host-console")
    kept, gone = SimpleCookie(kind.keep("a-session")), SimpleCookie(kind.forget())
    for cookies, value, seconds in ((kept, "a-session", SESSION_SECONDS), (gone, "", 0)):
        (morsel,) = cookies.values()
        assert (morsel.key, morsel.value) == ("__Host-console", value)
        assert (morsel["path"], morsel["domain"], int(morsel["max-age"])) == ("/", "", seconds)
        assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Lax")


@pytest.mark.parametrize(
    ("site", "elsewhere"),
    [
        ("", False),
        ("none", False),
        ("same-origin", False),
        ("same-site", True),
        ("cross-site", True),
        ("something new", True),
    ],
)
def test_a_page_of_another_site_is_told_from_ones_own(site: str, *, elsewhere: bool) -> None:
    assert is_from_elsewhere(site) is elsewhere


def test_a_page_loads_nothing_from_elsewhere_runs_nothing_within_it_and_is_in_no_frame() -> None:
    policy = dict(
        each.strip().split(" ", 1) for each in HEADERS["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert HEADERS["Cache-Control"] == "no-store"
