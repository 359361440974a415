"""Signing in: what has the operator set of it, besides names and passwords? Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import UUID

from cloudgate.errors import InvalidRequestError

_ADDRESS = re.compile(r"https://[A-Za-z0-9.\[\]:-]+(?:/[A-Za-z0-9._~/-]*)?")
_CONSOLE = "console"


@dataclass(frozen=True, kw_only=True)
class SingleSignOn:
    """A provider of OpenID Connect, and what its word is good for."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    """Empty for a client that shows none; PKCE (RFC 7636) is used in any case."""
    name: str
    """What the button says."""
    scopes: str
    role_claim: str
    """Of the ID token; with dots, also a path into it."""
    roles: Mapping[str, UUID]
    """The role that a value of the claim stands for."""
    makes_accounts: bool = True
    """Whether who comes for the first time gets an account, or has to have been linked to one."""
    passwords_are_good: bool = True
    """Whether accounts that it knows may sign in by password and passkey, too."""
    authority_pem: str = ""
    """Whom to trust that it is the provider; the public authorities when empty."""


@dataclass(frozen=True, kw_only=True)
class SigningInSettings:
    """How people sign in, besides by name and password."""

    console_url: str = ""
    """Where people reach the manager, without a slash at the end; empty when nobody said."""
    single_sign_on: SingleSignOn | None = None

    @property
    def callback_url(self) -> str:
        """Where the provider leads browsers back to."""
        return f"{self.console_url}/{_CONSOLE}/sso"

    @property
    def signed_out_url(self) -> str:
        """Where it leads those who have signed out there, too."""
        return f"{self.console_url}/{_CONSOLE}/sign-in"


def address(url: str, option: str) -> str:
    """An address of HTTPS, without a slash at the end.

    Raises:
        InvalidRequestError: it is none.
    """
    found = url.strip().rstrip("/")
    try:
        is_one = bool(_ADDRESS.fullmatch(found)) and urlsplit(found).port != 0
    except ValueError:  # a port that is none
        is_one = False
    if not is_one:
        raise InvalidRequestError(
            f"{option}: found {url[:200]!r}, expected an address such as https://HOST or"
            " https://HOST:PORT/PATH."
        )
    return found
