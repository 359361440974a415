"""Is a token read from its header as RFC 6750 has it, and from no other scheme?"""

import pytest

from cloudgate.api.http.token_gate import bearer_token


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        (" BEARER abc", "abc"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Basic abc", ""),
        ("Bearerabc", ""),
        ("", ""),
    ],
)
def test_a_token_is_what_follows_the_scheme(header: str, token: str) -> None:
    assert bearer_token(header) == token
