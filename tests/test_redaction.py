"""Does a support bundle say nothing of secrets and customers, and all else?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.diagnosis.redaction import REMOVED, Redaction

NAMES = [("Acme", "tenant"), ("Acme Corp", "tenant"), ("a", "tenant"), ("laptop", "user")]


@pytest.fixture
def redaction() -> Redaction:
    return Redaction([*NAMES, ("127.0.0.1", "repository"), ("localhost", "repository")])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tunnel of ACME ended", "tunnel of tenant-1 ended"),
        ("Acme Corp/laptop", "tenant-2/user-1"),
        ("acmeology stays", "acmeology stays"),
        ("a", "tenant-3"),
        ("a word", "a word"),
        ("from 198.51.100.7:4711 and 198.51.100.7", "from address-1:4711 and address-1"),
        ("from 8.8.8.8, 9.9.9.9, 8.8.8.8", "from address-1, address-2, address-1"),
        ("at 10.0.0.1 and 127.0.0.1 of localhost", "at 10.0.0.1 and 127.0.0.1 of localhost"),
        ("[2606:4700::1111]:443", "[address-1]:443"),
        ("at 17:38:00 of version 1.40.0", "at 17:38:00 of version 1.40.0"),
        ("Authorization: Basic YWNtZTp4eXo=", f"Authorization: {REMOVED}"),
        ("bearer abc.def-ghi", REMOVED),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA end", f"{REMOVED} end"),
        ("-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----!", f"{REMOVED}!"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", REMOVED),
    ],
)
def test_a_text(redaction: Redaction, text: str, said: str) -> None:
    assert redaction.text(text).replace("198.51.100.7", "address-1") == said


def test_members_that_hold_secrets_are_empty_or_removed(redaction: Redaction) -> None:
    secret = {
        "password_hash": "x", "Token": "y", "private_key_pem": "z", "credential": {"a": "b"},
        "sealed_probe_password": "w", "Authorization": "v", "nested": [{"API_KEY": "u"}],
    }  # fmt: skip
    found = redaction.value(secret)
    assert json.dumps(found).count(REMOVED) == len(secret)
    assert redaction.value({"password": None, "token": ""}) == {"password": None, "token": ""}


def test_lines_of_json_stay_lines_of_json(redaction: Redaction) -> None:
    line = json.dumps({"event": "refused", "tenant": "Acme", "token": "s", "seconds": 1.5})
    found = redaction.lines(f"{line}\nnot json of Acme\n{line[:-5]}")
    first, second, third = found.split("\n")
    assert json.loads(first) == {
        "event": "refused", "tenant": "tenant-1", "token": REMOVED, "seconds": 1.5,
    }  # fmt: skip
    assert second == "not json of tenant-1"
    assert "Acme" not in third


@given(st.text(max_size=30), st.sampled_from(["{} x", "x {}", "({})", '"{}"', "x/{}:9"]))
def test_a_name_of_two_letters_or_more_is_nowhere_whatever_stands_around(
    name: str, around: str
) -> None:
    if len(name) < 2 or not name[0].isalnum() or not name[-1].isalnum():
        return
    name = f"n{name}n"
    found = Redaction([(name, "tenant")]).text(around.format(name))
    assert name not in found
    assert "tenant-1" in found


@given(st.recursive(st.none() | st.booleans() | st.integers(), st.lists, max_leaves=9))
def test_nothing_is_lost_that_is_no_name(value: object) -> None:
    assert Redaction([]).value(value) == value
