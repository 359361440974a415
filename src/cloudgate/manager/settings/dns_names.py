"""DNS names: under which names do gateways come, and who is told of their addresses? Pure."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudgate.errors import InvalidRequestError
from cloudgate.network import hostport

DNS_PORT = 53
_ALGORITHMS = ("hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
_KEY = re.compile(
    r'\s*key\s+"?(?P<name>[^\s";{]+)"?\s*\{\s*algorithm\s+"?(?P<algorithm>[\w-]+)"?\s*;'
    r'\s*secret\s+"?(?P<secret>[A-Za-z0-9+/=]+)"?\s*;\s*\}\s*;?\s*'
)


@dataclass(frozen=True)
class NameServer:
    """Takes dynamic updates (RFC 2136), signed with a shared key (RFC 8945)."""

    host: str
    port: int
    key_name: str
    algorithm: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class DnsNames:
    """What the operator who started the manager has said of names for gateways."""

    names: Mapping[str, str] = field(default_factory=dict)
    """By pool; the empty name is of the gateways that are in none."""
    server: NameServer | None = None
    hook: Path | None = None
    """The operator's program that is told instead."""

    def of_pool(self, pool: str) -> str | None:
        """Under which name the gateways of a pool come; None under none of these."""
        return self.names.get(pool)


def dns_names(
    texts: Iterable[str], address: str | None, key: str | None, hook: Path | None
) -> DnsNames:
    """Names as they were given: ``NAME``, or ``NAME=POOL``; an address ``HOST[:PORT]``; a key.

    Raises:
        InvalidRequestError: something of it is wrong, or missing.
    """
    names: dict[str, str] = {}
    for text in texts:
        name, _, pool = text.partition("=")
        known = _host(name, "--dns-name")
        if known in names.values() or pool in names:
            raise InvalidRequestError(
                f"--dns-name: found {text!r} besides another of that name, or for that pool."
            )
        names[pool] = known
    if not names and (address or key):
        raise InvalidRequestError("Name what the name server is to know, with --dns-name.")
    if names and not address and hook is None:
        raise InvalidRequestError(
            "Say who is told of the addresses of --dns-name: a name server, with --dns-server and"
            " --dns-key-file, or a program, with --acme-dns-hook."
        )
    return DnsNames(names, _server(address, key) if address else None, hook)


def _server(address: str, key: str | None) -> NameServer:
    said = _KEY.fullmatch(key or "")
    is_base64 = said is not None
    try:
        b64decode(said["secret"] if said else "", validate=True)
    except binascii.Error:
        is_base64 = False
    if said is None or not is_base64 or said["algorithm"].lower() not in _ALGORITHMS:
        raise InvalidRequestError(
            "--dns-key-file: expected one key as tsig-keygen writes it, with one of"
            f" {', '.join(_ALGORITHMS)}."
        )
    try:
        where = hostport.parse(address, DNS_PORT)
    except InvalidRequestError as problem:
        raise InvalidRequestError(f"--dns-server: {problem.message}") from None
    return NameServer(
        where.host,
        where.port,
        said["name"],
        said["algorithm"].lower(),
        said["secret"],
    )


def _host(text: str, option: str) -> str:
    try:
        found = hostport.parse_host(text)
    except InvalidRequestError as problem:
        raise InvalidRequestError(f"{option}: {problem.message}") from None
    if hostport.is_address(found):
        raise InvalidRequestError(f"{option}: found {text!r}, expected a DNS name.")
    return found
