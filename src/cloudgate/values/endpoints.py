"""Endpoints: how is a host written before a port, and which port is meant by none? Pure."""

from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
"""By a URL's scheme (RFC 9110, sections 4.2.1 and 4.2.2)."""


def bracketed(host: str) -> str:
    """A host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def names_a_host(url: str) -> bool:
    """Whether a URL has a host, and a port that is one where it has a port at all."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address, a port that is none
        return False


def join(host: str, port: int) -> str:
    """``host:port``."""
    return f"{bracketed(host)}:{port}"
