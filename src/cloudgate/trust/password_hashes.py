"""Password hashes: what does checking a password cost, and who is made to pay it?

Argon2id with the library's defaults, which follow the second recommendation of RFC 9106, section
4: 64 MiB, 3 passes, 4 lanes. https://argon2-cffi.readthedocs.io/en/stable/parameters.html
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from argon2 import Parameters, PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import hash_secret_raw

from cloudgate.values import precis

hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, in PHC format; in the one form of RFC 8265."""
    return hasher.hash(_encoded(precis.password(password)))


def hash_if_any(password: str | None) -> str | None:
    """As `hash_password`; None where there is no password, or an empty one."""
    return hash_password(password) if password else None


def hash_beside(password: str, known_hash: str) -> str:
    """As `hash_password`, with the salt of another hash where that cost as much to make.

    One computation tells then of which of the two a password is: a wrong one costs no more while
    somebody has two.
    """
    known = _read(known_hash)
    if known is None or not _costs_as_ours(known.cost):
        return hash_password(password)
    return hasher.hash(_encoded(precis.password(password)), salt=known.salt)


def matching(hashes: Sequence[str], password: str) -> str:
    """The hash of which a password is, in whichever form it is typed, and was hashed; else empty.

    Without any hash it takes as long.
    """
    known = [each for each in hashes if each]
    for form in precis.password_forms(password):
        found = _first_of(known or [_stand_in()], form)
        if found:
            return found if known else ""
    return ""


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the right one, in whichever form it is typed, and was hashed.

    Without a hash it takes as long, and is not.
    """
    return bool(matching((password_hash or "",), password))


def password_fingerprint(password_hash: str) -> str:
    """Tells one password from the next, and nothing of either: it is made of its salted hash."""
    return hashlib.sha256(password_hash.encode()).hexdigest()


@dataclass(frozen=True)
class _ParsedHash:
    """What a hash in PHC format says."""

    cost: Parameters
    salt: bytes
    digest: bytes


def _first_of(hashes: Sequence[str], password: str) -> str:
    computed: dict[str, bytes] = {}
    found = ""
    for each in hashes:
        known = _read(each)
        if known is None:
            continue
        how, _, _ = each.rpartition("$")  # cost and salt
        if how not in computed:
            computed[how] = _digest(password, known.cost, known.salt)
        if hmac.compare_digest(computed[how], known.digest) and not found:
            found = each
    return found


def _costs_as_ours(cost: Parameters) -> bool:
    ours = (hasher.type, hasher.time_cost, hasher.memory_cost, hasher.parallelism)
    return (cost.type, cost.time_cost, cost.memory_cost, cost.parallelism) == ours


def _digest(password: str, cost: Parameters, salt: bytes) -> bytes:
    """Empty, which no hash has, where the hash asks for what cannot be computed."""
    try:
        return hash_secret_raw(
            _encoded(password),
            salt,
            time_cost=cost.time_cost,
            memory_cost=cost.memory_cost,
            parallelism=cost.parallelism,
            hash_len=cost.hash_len,
            type=cost.type,
            version=cost.version,
        )
    except Argon2Error:
        return b""


def _read(password_hash: str) -> _ParsedHash | None:
    """None for what is no hash."""
    try:
        cost = extract_parameters(password_hash)
        salt, digest = (_decoded(each) for each in password_hash.split("$")[-2:])
    except (InvalidHashError, binascii.Error, ValueError):
        return None
    return _ParsedHash(cost, salt, digest)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


@cache
def _stand_in() -> str:
    """A hash that no password has, for names that do not exist: they cost what the others cost.

    Made when it is first needed, since that takes as long as a check.
    """
    return hasher.hash(secrets.token_urlsafe())
