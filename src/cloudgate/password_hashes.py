"""Password hashes: what does checking a password cost, and who is made to pay it?

Argon2id with the library's defaults, which follow the second recommendation of RFC 9106, section
4: 64 MiB, 3 passes, 4 lanes. https://argon2-cffi.readthedocs.io/en/stable/parameters.html
"""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, in PHC format."""
    return hasher.hash(password)


def matches(password_hash: str | None, password: str | bytes) -> bool:
    """Whether a password is the right one. Without a hash it takes as long, and is not."""
    try:
        hasher.verify(password_hash or _stand_in(), password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(password_hash)


@cache
def _stand_in() -> str:
    """A hash that no password has, for names that do not exist: they cost what the others cost.

    Made when it is first needed, since that takes as long as a check.
    """
    return hasher.hash(secrets.token_urlsafe())
