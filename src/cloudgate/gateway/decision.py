"""May this request become a tunnel, and where to? Pure: no clock, no lookup, no password work."""

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cloudgate.assignment import Target, Tenant

CHALLENGE = 'Basic realm="Cloudgate", charset="UTF-8"'
"""What a 407 asks for."""

HIGHEST_PORT = 65535
LONGEST_NAME = 253
"""Of a host name, in characters."""

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


@dataclass(frozen=True)
class Credentials:
    """What a client says of itself. Never log one: `password` is plain."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(name={self.name!r}, password=...)"


@dataclass(frozen=True)
class Refusal:
    """No tunnel: the HTTP status, and why, for the client and the log."""

    status: int
    reason: str


NOT_AUTHENTICATED = Refusal(407, "Name or password are missing or wrong.")
"""The one answer to all that keeps a client from proving who it is, so that none tells more."""


def tenant_key(name: str) -> str:
    """What is equal for all spellings of a tenant's name."""
    return name.casefold()


def parse_credentials(header: str | None) -> Credentials | None:
    """The credentials in a Proxy-Authorization of the Basic scheme, None when there are none.

    Clients do not say how they encode: what is valid UTF-8 is read as that, the rest as Latin-1.
    """
    scheme, _, encoded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")
    name, colon, password = text.partition(":")
    return Credentials(name, password) if colon and name else None


def parse_authority(text: str) -> str | None:
    """The `host:port` that a CONNECT names, as targets are written; None when it is neither.

    Lower case, without the dot of a fully qualified name; an IPv6 address is in brackets, in
    its short form.
    """
    host, colon, port = text.strip().rpartition(":")
    number = _port(port)
    if not colon or number is None:
        return None
    if host.startswith("[") and host.endswith("]"):
        return _bracketed(host[1:-1], number)
    name = host.lower().removesuffix(".")
    if len(name) > LONGEST_NAME or not _HOST_NAME.fullmatch(name):
        return None
    return f"{name}:{number}"


def split_address(address: str) -> tuple[str, int]:
    """Host without brackets, and port, of a well-formed `host:port`."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def join_address(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def decide(
    tenant: Tenant | None,
    target: str | None,
    *,
    password_is_right: bool,
    now: datetime,
    pool_id: UUID | None = None,
) -> Refusal | Target:
    """What to do with a CONNECT to `target` from somebody who says to be `tenant`.

    `pool_id`: the pool that this gateway is in.
    """
    if tenant is None or not tenant.password_hash or not password_is_right:
        return NOT_AUTHENTICATED
    barred = _barred(tenant, pool_id, now)
    if barred is not None:
        return barred
    if target is None:
        return Refusal(403, "CONNECT must name a target as host:port.")
    for each in tenant.targets:
        if parse_authority(each.endpoint) == target:
            return each
    return Refusal(403, f"The tenant has no right to {target}.")


def _barred(tenant: Tenant, pool_id: UUID | None, now: datetime) -> Refusal | None:
    """Why a tenant may not come in by this gateway, whatever its target; None when it may."""
    if not tenant.enabled:
        return Refusal(403, "The tenant is disabled.")
    if tenant.expires_at is not None and tenant.expires_at <= now:
        return Refusal(403, "The tenant's lease has expired.")
    if not _may_use(tenant, pool_id):
        return Refusal(403, "This gateway is set apart for others; use another one.")
    return None


def _may_use(tenant: Tenant, pool_id: UUID | None) -> bool:
    """Whether the pool of a gateway, or that it has none, lets a tenant in."""
    if pool_id is not None:
        return pool_id in tenant.pool_ids
    return not tenant.pool_ids or tenant.failover_to_others


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST_PORT))):
        return None
    number = int(text)
    return number if 0 < number <= HIGHEST_PORT else None


def _bracketed(host: str, port: int) -> str | None:
    try:
        return join_address(ipaddress.IPv6Address(host).compressed, port)
    except ValueError:
        return None
