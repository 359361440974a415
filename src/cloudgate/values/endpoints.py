"""Endpoints: how is a host written before a port, and which port is meant by none? Pure."""

DEFAULT_PORTS = {"http": 80, "https": 443}
"""By a URL's scheme (RFC 9110, sections 4.2.1 and 4.2.2)."""


def bracketed(host: str) -> str:
    """A host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def join(host: str, port: int) -> str:
    """``host:port``."""
    return f"{bracketed(host)}:{port}"
