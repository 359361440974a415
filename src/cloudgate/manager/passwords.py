"""How are passwords kept and checked? As Argon2id; nothing here ever returns one."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
_NOBODY = _hasher.hash(secrets.token_urlsafe())


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, in PHC format."""
    return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the right one. Without a hash it takes as long, and is not."""
    try:
        _hasher.verify(password_hash or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(password_hash)


def generate_password() -> str:
    """A password that nobody can guess."""
    return secrets.token_urlsafe(18)
