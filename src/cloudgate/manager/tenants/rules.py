"""Tenant rules: what may a tenant be called, and what may it be given? Pure."""

from collections.abc import Sequence

from cloudgate.errors import InvalidRequestError
from cloudgate.network import address_ranges
from cloudgate.values import precis

FORBIDDEN_CHARACTERS = '+][,\\/:*?"<>|=;@'
RESERVED_NAMES = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"com{n}" for n in range(1, 10)}
    | {f"lpt{n}" for n in range(1, 10)}
)


def tenant_name(name: str) -> str:
    """The name, if a tenant may have it (the product's guide on tenant accounts).

    Raises:
        InvalidRequestError: it has a forbidden character, ends with a dot, or is reserved.
    """
    return _checked(name, "a tenant", FORBIDDEN_CHARACTERS)


def subtenant_name(name: str) -> str:
    """The name, if a user of a tenant may have it: as a tenant's, and it may be a mail address.

    Raises:
        InvalidRequestError: it has a forbidden character, ends with a dot, or is reserved.
    """
    return _checked(name, "a subtenant", FORBIDDEN_CHARACTERS.replace("@", ""))


def _checked(name: str, whose: str, forbidden: str) -> str:
    found = precis.name(name)
    bad = next((c for c in found if c in forbidden or not precis.is_seen(c)), None)
    if bad is not None:
        raise InvalidRequestError(
            f"Name: {found!r} has the character {bad!a}; the name of {whose} has none of"
            f" {forbidden} and no control characters."
        )
    if found.endswith("."):
        raise InvalidRequestError(f"Name: {found!r} ends with a dot; the name of {whose} does not.")
    if precis.key(found) in RESERVED_NAMES:
        raise InvalidRequestError(f"Name: {found!r} is reserved by the operating system.")
    return found


def allowed_networks(wanted: Sequence[str]) -> list[str] | None:
    """The networks that somebody may come from, each once; None, for anywhere, without any.

    Raises:
        InvalidRequestError: one is none.
    """
    return list(dict.fromkeys(address_ranges.network(each) for each in wanted)) or None


def login(name: str) -> str:
    """What tells tenants apart: names that differ in case or Unicode form only are the same."""
    return precis.key(name)
