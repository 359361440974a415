"""Service rules: what may be said of a storage service, and to whom is its password shown? Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from cryptography import x509

from cloudgate.errors import InvalidRequestError
from cloudgate.network import hostport
from cloudgate.trust.unreadable import UNREADABLE

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class StorageService(Protocol):
    """A server and its user, as whoever has the manager look there has named them."""

    @property
    def method(self) -> str:
        """How it is looked at."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def username(self) -> str:
        """Whose the password is."""

    @property
    def authority_pem(self) -> str:
        """Whom to trust that it is the server; the public authorities when empty."""

    @property
    def named_by_administrator(self) -> bool:
        """Whether it may lead where only administrators may have the manager look."""


def opened_by_password(service: StorageService) -> tuple[str, ...]:
    """To whom its password is shown, and whose it is: with another of these it is given anew.

    The authority says who the server is: whoever names another one could be it, on the way there.
    """
    scheme, netloc, *_ = urlsplit(service.url)
    return (service.method, scheme, netloc, service.username, service.authority_pem)


def origin_of(url: str) -> str:
    """Scheme, host and port of a Url as they are dialled: the host by its usual form."""
    parts = urlsplit(url)
    host = hostport.bracketed(hostport.host_known_as(parts.hostname or ""))
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def is_bucket(name: str) -> bool:
    """Whether a bucket can have that name."""
    return _BUCKET.fullmatch(name) is not None


def has_braces(text: str) -> bool:
    """Whether there is a brace in it, as around what is to be filled in."""
    return "{" in text or "}" in text


def check_elements(
    given: Mapping[str, str],
    kind: tuple[str, str],
    method: str,
    used: Collection[str],
    needed: Sequence[str],
) -> None:
    """See whether a way to look at a server has what its method needs, and nothing else.

    Args:
        given: its elements by name; what is empty was not given.
        kind: what the whole is called, as an element and in a sentence.
        method: its method.
        used: the elements that the method knows.
        needed: those that it cannot do without.

    Raises:
        InvalidRequestError: it has not.
    """
    element, called = kind
    for name, value in given.items():
        if value and name not in used:
            raise InvalidRequestError(f"{name}: {called} with the method {method} has none.")
    missing = [name for name in needed if not given[name]]
    if missing:
        raise InvalidRequestError(
            f"{element} is incomplete: the method {method} needs {' and '.join(missing)}."
        )
    if bool(given["Password"]) != bool(given["Username"]):
        raise InvalidRequestError(
            f"{element}: Username and Password belong together. The Password has to be given"
            " again with another Method, Url, Username or CaFile."
        )


def check_s3_url(text: str) -> None:
    """See whether a Url is one of S3: secret keys sign and are not sent, and it names no bucket.

    Raises:
        InvalidRequestError: it is none.
    """
    check_url(text, open_password=False)
    if urlsplit(text).path.strip("/"):
        raise InvalidRequestError("Url: expected no path; the bucket is named by Bucket.")


def check_url(text: str, *, open_password: bool) -> None:
    """See whether a Url is one; `open_password`: the password can be read on the way.

    Raises:
        InvalidRequestError: it is none, or the password could be read.
    """
    try:
        url = urlsplit(text)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or any(c.isspace() or c in '<>"\\' for c in text):
        raise InvalidRequestError(
            f"Url: found {text[:100]!r}, expected one such as https://storage.example/."
        )
    try:
        hostport.parse_host(url.hostname or "")
    except hostport.InvalidHostError as error:
        raise InvalidRequestError(f"Url: found {text[:100]!r}: {error.message}.") from None
    if url.username is not None or url.query or url.fragment or has_braces(url.netloc):
        raise InvalidRequestError(
            "Url: expected scheme, host, port and path only. Name and password are given as"
            " Username and Password."
        )
    if open_password and url.scheme == "http" and not _is_loopback(url.hostname or ""):
        raise InvalidRequestError(
            "Url: with http:// the password could be read on the way; expected https://."
        )


def check_authority(pem: str) -> None:
    """See whether a CaFile is one.

    Raises:
        InvalidRequestError: it is none.
    """
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except UNREADABLE:
        raise InvalidRequestError(
            "CaFile: expected certificates in PEM, to trust the server by."
        ) from None


def _is_loopback(host: str) -> bool:
    # Not what it means elsewhere: a form that another machine translates takes the password there.
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
