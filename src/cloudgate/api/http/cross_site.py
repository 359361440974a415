"""Cross-site requests: is it a browser that was led here by a foreign page? Pure.

A page of somebody else can have a browser send a form, with the cookie or password that the browser
has for the manager. It cannot add a header of its own, nor hide where it is from: browsers say so
in Sec-Fetch-Site (https://www.w3.org/TR/fetch-metadata/) and in Origin (RFC 6454, section 7).
Programs that are no browsers send neither.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from cloudgate.values.endpoints import DEFAULT_PORTS

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
"""What a form of a page can send (HTML, 4.10.21), and no program has a reason to."""
_OWN_SITE = frozenset({"same-origin", "none"})


def is_foreign(headers: Mapping[str, str], host: str) -> bool:
    """Whether a page that is not the manager's own had this request made.

    Args:
        headers: the request's, by lower-case name.
        host: the name and port by which the client came, as in the Host header.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site.strip().lower() not in _OWN_SITE
    origin = headers.get("origin")
    return origin is not None and not _is_of(origin.strip(), host)


def is_form(content_type: str | None) -> bool:
    """Whether a body is one that a page's form sends."""
    return (content_type or "").partition(";")[0].strip().lower() in FORMS


def cookie(name: str, token: str, path: str, scheme: str) -> str:
    """The Set-Cookie of a session (RFC 6265bis): no page's script reads it, no other site sends it.

    Over the plain port it goes without Secure, or no client that came there would send it back.
    """
    secure = "; Secure" if scheme == "https" else ""
    return f"{name}={token}; Path={path}; HttpOnly; SameSite=Strict{secure}"


def _is_of(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
        default = DEFAULT_PORTS.get(parts.scheme)
        said = (parts.hostname, parts.port or default)
        own = urlsplit(f"//{host}")
        # A proxy that ends TLS may not say so: the port of either scheme is meant by none.
        ports = {own.port} if own.port else set(DEFAULT_PORTS.values())
    except ValueError:
        return False
    return said[0] is not None and said[0] == own.hostname and said[1] in ports
