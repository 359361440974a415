r"""Login names: whose is one, of a tenant or of a user of it? Pure.

A tenant logs in by its name, its user by ``TENANT\USER``. Neither character is possible in a
tenant's name; a slash is taken for the backslash, which is hard to write in a URL.
"""

from typing import NamedTuple


class LoginName(NamedTuple):
    """Of whom it is, as it was written."""

    tenant: str
    user: str | None
    """None of the tenant itself; empty where no user is named after the backslash."""


def read(name: str) -> LoginName:
    """What a name means."""
    tenant, has_user, user = name.replace("/", "\\").partition("\\")
    return LoginName(tenant, user if has_user else None)
