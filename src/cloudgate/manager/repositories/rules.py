"""What may a repository be, and what makes a service address?"""

import re

from cloudgate.errors import InvalidRequestError

DEFAULT_KIND = "LinuxLocal"
_SERVICE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/@]+):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65535


def service(text: str, name: str) -> str:
    """``host:port`` in its usual form: lower case, no trailing dot.

    Raises:
        InvalidRequestError: it is not of that form; `name` says which element it was.
    """
    match = _SERVICE.fullmatch(text.strip())
    if match is None or not 0 < int(match["port"]) <= _HIGHEST_PORT:
        raise InvalidRequestError(
            f"{name}: found {text[:100]!r}, expected host:port such as vault.example:8443."
        )
    return f"{match['host'].lower().rstrip('.')}:{int(match['port'])}"


def join_service(host: str, port: int) -> str:
    """``host:port`` of a name or an address."""
    bare = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{bare.lower().rstrip('.')}:{port}"
