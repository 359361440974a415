"""Are passwords kept as dearly as is promised? Here with the real cost, which other tests lower."""

import subprocess
import sys
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type, hash_secret_raw

from cloudgate.trust import password_hashes

HASH_ONE = """
from cloudgate.trust.password_hashes import hash_password
print(hash_password("secret"))
"""


def test_a_hash_of_the_product_costs_what_rfc_9106_recommends() -> None:
    made = subprocess.run(
        [sys.executable, "-c", HASH_ONE], capture_output=True, text=True, check=True, timeout=60
    )
    parameters = extract_parameters(made.stdout.strip())
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (65536, 3, 4)
    assert password_hashes.matches(made.stdout.strip(), "secret")
    assert not password_hashes.matches(made.stdout.strip(), "secret ")


@pytest.mark.parametrize("password_hash", [None, "", "no hash", "$argon2id$v=19$m=64"])
def test_nobody_is_let_in_by_what_is_no_hash(password_hash: str | None) -> None:
    assert not password_hashes.matches(password_hash, "secret")


def test_of_two_passwords_that_were_hashed_beside_each_other_one_computation_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computed = []

    def counted(*arguments: Any, **named: Any) -> bytes:
        computed.append(arguments)
        return hash_secret_raw(*arguments, **named)

    monkeypatch.setattr(password_hashes, "hash_secret_raw", counted)
    old = password_hashes.hash_password("secret")
    new = password_hashes.hash_beside("another", old)
    for password, found in (("secret", old), ("another", new), ("wrong", "")):
        computed.clear()
        assert password_hashes.matching((new, old), password) == found
        assert len(computed) == 1
    apart = password_hashes.hash_password("third")
    computed.clear()
    assert password_hashes.matching((apart, old), "secret") == old
    assert len(computed) == 2


def test_beside_a_hash_that_cost_less_a_password_is_hashed_as_dearly_as_any() -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("secret")
    made = password_hashes.hash_beside("another", cheap)
    ours = password_hashes.hasher
    assert extract_parameters(made).time_cost == ours.time_cost
    assert extract_parameters(made).memory_cost == ours.memory_cost
    assert password_hashes.matching((made, cheap), "secret") == cheap
    assert password_hashes.matching((made, "broken"), "another") == made
    assert password_hashes.hash_beside("another", "broken") != made
