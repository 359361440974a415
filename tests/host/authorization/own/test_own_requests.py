"""Is what a tenant asks for itself read as it was written, or refused in words?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.authorization.own.requests import OwnChange, change_of
from cloudgate.host.authorization.policy import Denial
from cloudgate.network.well_known import CERTIFICATE_PATH, PASSWORD_PATH
from cloudgate.protocol import Refusal

NEW = "another good one"
WANTED = OwnChange(new_password=NEW, old_password_seconds=60)
PEM = "-----BEGIN CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (CERTIFICATE_PATH, PEM, OwnChange(certificate_request=PEM)),
        (CERTIFICATE_PATH, "{}", "must be a certificate request in PEM"),
        (PASSWORD_PATH, f'{{"Password": "{NEW}"}}', OwnChange(new_password=NEW)),
        (PASSWORD_PATH, f'{{"Password": "{NEW}", "OldPasswordSeconds": 60}}', WANTED),
        (PASSWORD_PATH, "{", "must be JSON such as"),
        (PASSWORD_PATH, "[]", "must be JSON such as"),
        (PASSWORD_PATH, '{"Password": 5}', "must be JSON such as"),
        (PASSWORD_PATH, '{"Password": "x", "OldPasswordSeconds": true}', "and nothing else"),
        (PASSWORD_PATH, '{"Password": "x", "OldPasswordSeconds": -1}', "and nothing else"),
        (PASSWORD_PATH, '{"Password": "x", "More": 1}', "and nothing else"),
    ],
)
def test_what_is_asked_for_is_read_as_it_was_written_or_refused_in_words(
    path: str, body: str, expected: OwnChange | str
) -> None:
    found = change_of(path, body)
    if isinstance(expected, str):
        assert isinstance(found, Denial)
        assert (found.status, expected in found.reason) == (400, True)
    else:
        assert found == expected


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.text() | anything.map(json.dumps))
def test_no_body_is_more_than_refused(body: str) -> None:
    for path in (PASSWORD_PATH, CERTIFICATE_PATH):
        found = change_of(path, body)
        if isinstance(found, Denial):
            assert (found.status, found.kind) == (400, Refusal.OTHER)
        else:
            assert (found.certificate_request is None) == (path == PASSWORD_PATH)


@given(st.text(), st.none() | st.integers(0))
def test_a_password_is_taken_letter_by_letter_and_shown_to_nobody(
    password: str, seconds: int | None
) -> None:
    said = {"Password": password, "OldPasswordSeconds": seconds}
    found = change_of(PASSWORD_PATH, json.dumps(said))
    assert found == OwnChange(new_password=password, old_password_seconds=seconds)
    assert repr(found) == repr(OwnChange(new_password="other", old_password_seconds=seconds))


def test_a_body_that_is_nested_without_end_is_refused() -> None:
    assert isinstance(change_of(PASSWORD_PATH, "[" * 200_000), Denial)
