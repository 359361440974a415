"""Addresses: where is a manager, and what is where below it? And who asks, when nobody says so."""

from cloudgate.errors import InvalidRequestError
from cloudgate.values.endpoints import names_a_host

DEFAULT_PORT = 9398
DEFAULT_USER = "admin"
ENTITY = "?format=Entity"


def below_root(address: str) -> str:
    """The part of an Href below ``/api``. The logon session goes to no host but the manager."""
    if address.startswith("/"):
        return address
    _, _, path = address.partition("/api/")
    return f"/{path}"


def manager_url(text: str) -> str:
    """An address of a manager in the form in which it is used here: without ``/api``.

    Raises:
        InvalidRequestError: it is not one of HTTPS.
    """
    url = text.strip().rstrip("/").removesuffix("/api")
    if not url.lower().startswith("https://"):
        raise InvalidRequestError(f"The address {url} must begin with https://.")
    if not names_a_host(url):
        raise InvalidRequestError(
            f"{url[:200]} is no address of a manager; write https://HOST or https://HOST:PORT."
        )
    return url
