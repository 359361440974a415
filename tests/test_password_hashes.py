"""Are passwords kept as dearly as is promised? Here with the real cost, which other tests lower."""

import subprocess
import sys

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

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
