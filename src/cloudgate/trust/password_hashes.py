"""Password hashes: what does checking a password cost, and who is made to pay it?

Argon2id with the library's defaults, which follow the second recommendation of RFC 9106, section
4: 64 MiB, 3 passes, 4 lanes. https://argon2-cffi.readthedocs.io/en/stable/parameters.html
"""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cloudgate.values import precis

hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, in PHC format; in the one form of RFC 8265."""
    return hasher.hash(_encoded(precis.password(password)))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the right one, in whichever form it is typed, and was hashed.

    Without a hash it takes as long, and is not.
    """
    known = password_hash or _stand_in()
    return any(_is_of(known, form) for form in precis.password_forms(password)) and bool(
        password_hash
    )


def _is_of(password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, _encoded(password))
    except (VerificationError, InvalidHashError):
        return False


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


@cache
def _stand_in() -> str:
    """A hash that no password has, for names that do not exist: they cost what the others cost.

    Made when it is first needed, since that takes as long as a check.
    """
    return hasher.hash(secrets.token_urlsafe())
