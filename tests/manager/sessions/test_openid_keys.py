"""Are of a provider's keys those taken that sign, and of each what is public alone?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.sessions.openid_keys import public_keys

RSA = {"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": "AQAB", "e": "AQAB"}
EC = {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}
ED = {"kty": "OKP", "crv": "Ed25519", "x": "AQ"}


def test_keys_of_each_kind_that_sign_are_taken_in_their_order() -> None:
    assert public_keys({"keys": [RSA, EC, ED]}) == [RSA, EC, ED]


def test_of_a_key_what_is_private_is_not_even_looked_at() -> None:
    private = {"d": "AQ", "p": "AQ", "q": "AQ", "dp": "AQ", "dq": "AQ", "qi": "AQ", "oth": []}
    assert public_keys({"keys": [each | private for each in (RSA, EC, ED)]}) == [RSA, EC, ED]


@pytest.mark.parametrize(
    "key",
    [
        RSA | {"use": "enc"},
        RSA | {"kty": "oct", "k": "secret"},
        RSA | {"kty": 5},
        RSA | {"kid": 5},
        RSA | {"alg": ["RS256"]},
        RSA | {"n": "A" * 2732},
        {key: value for key, value in RSA.items() if key != "kty"},
        "RSA",
        None,
    ],
)
def test_what_is_of_no_use_is_left_out_and_the_others_stay(key: object) -> None:
    assert public_keys({"keys": [key, EC]}) == [EC]
    assert public_keys({"keys": [RSA | {"n": "A" * 2731}]}) != []


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["RSA", "sig", "EC"]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["keys", "kty", "use", "n", "e", "x", "d"]), inner)
    ),
)


@given(st.dictionaries(st.just("keys"), anything))
def test_whatever_a_provider_shows_is_read(said: dict[str, Any]) -> None:
    for each in public_keys(said):
        assert "d" not in each
        assert each["kty"] in ("RSA", "EC", "OKP")
