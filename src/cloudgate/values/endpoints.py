"""Endpoints: how is a host written before a port? Pure."""


def bracketed(host: str) -> str:
    """A host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def join(host: str, port: int) -> str:
    """``host:port``."""
    return f"{bracketed(host)}:{port}"
