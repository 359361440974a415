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
        ("'cgt_" + "aB3" * 16 + "x' was shown", f"'{REMOVED}' was shown"),
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


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sam", "x \u017fam y", "x tenant-1 y"),
        ("\u0130stanbul GmbH", "of \u0130stanbul GmbH.", "of tenant-1."),
        ("stra\u00dfe", "STRASSE, strasse, STRA\u00dfE", "tenant-1, tenant-1, tenant-1"),
        ("Ba\u0308cker", "of B\u00c4CKER", "of tenant-1"),
        ("B\u00e4cker", '{"tenant": "B\\u00e4cker', '{"tenant": "tenant-1'),
        ("B\u00e4cker", "/x%2FB%C3%A4cker", "/x%2Ftenant-1"),
        ("\u00dfx", "of \u00dfx, SSX", "of tenant-1, tenant-1"),
        ("a b@c", "?u=a%20b%40c&a+b%40c", "?u=tenant-1&tenant-1"),
        ("acme", "line\\nacme_backup", "line\\ntenant-1_backup"),
        ("+acme+", "x+acme+y", "xtenant-1y"),
        ('a"b', '{"tenant":"a\\"b', '{"tenant":"tenant-1'),
    ],
)
def test_a_name_is_known_however_it_is_written(name: str, text: str, said: str) -> None:
    assert Redaction([(name, "tenant")]).text(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("peer ipv6:%5B2a00:1450::5%5D:443", "peer ipv6:%5Baddress-1%5D:443"),
        ("peer:2a00:1450::5 left", "peer:address-1 left"),
        ("[::ffff:8.8.8.8]:443", "[address-1]:443"),
    ],
)
def test_an_address_is_known_however_it_is_written(text: str, said: str) -> None:
    assert Redaction([]).text(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://cloudgate:hunter2@db/cloudgate",
        "cloudgate host join --token hunter2",
        "password=hunter2",
        '{"host_token": "hunter2 and more", "x',
        "{'api_key': 'hunter2'",
        '\\"token\\":\\"hunter2\\"',
    ],
)
def test_a_secret_is_removed_from_a_text_that_is_no_json(text: str) -> None:
    assert "hunter2" not in Redaction([]).lines(text)


def test_of_a_damaged_state_file_nothing_is_told() -> None:
    for damaged in ('{"credential": {"a": "hunter2"', "[" * 100_000):
        assert "left out" in (told := Redaction([]).document(damaged))
        assert "hunter2" not in told


def test_a_line_that_is_nested_too_deeply_is_a_text() -> None:
    line = '{"a":' * 100_000
    assert Redaction([]).lines(line) == line
