"""One-time codes: RFC 6238's own vectors, and each code good once, about now."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.registries.used_codes import UsedCodes
from cloudgate.manager.sessions import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    step = totp.step_at(datetime.fromtimestamp(seconds, UTC))
    assert totp.code_of(SECRET, step, 8) == code
    assert totp.code_of(SECRET, step) == code[2:]


@given(st.integers(-5, 5))
def test_a_code_is_good_about_now_and_once(steps_away: int) -> None:
    step = totp.step_at(NOW) + steps_away
    code = totp.code_of(SECRET, step)
    found = totp.step_of(SECRET, code, NOW, 0)
    assert (found == step) is (abs(steps_away) <= 1)
    if found is not None:
        assert totp.step_of(SECRET, code, NOW, found) is None
        assert totp.step_of(SECRET, code, NOW + timedelta(seconds=90), 0) is None


def test_an_app_is_told_whose_code_it_is() -> None:
    told = urlsplit(totp.uri(SECRET, "jörg & co"))
    assert (told.scheme, told.netloc) == ("otpauth", "totp")
    assert parse_qs(told.query) == {"secret": [SECRET], "issuer": ["Cloudgate"]}
    assert len(base64.b32decode(totp.new_secret())) == 20


def test_what_was_used_while_nothing_could_be_written_is_used() -> None:
    used = UsedCodes()
    account = uuid4()
    assert not used.was_used(account, 7)
    assert used.use(account, 7)
    assert not used.use(account, 7)
    assert used.was_used(account, 6)
    assert used.use(account, 8)
