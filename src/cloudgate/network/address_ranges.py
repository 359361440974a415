"""Address ranges: which addresses does a list of networks mean? Pure.

A list is of networks in CIDR notation (RFC 4632, RFC 4291). None is every address there is, and an
empty list none at all.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from cloudgate.errors import InvalidRequestError
from cloudgate.values import ip_addresses

Networks = tuple[str, ...] | None
_MAPPED = IPv6Network("::ffff:0:0/96")
_KNOWN_LISTS = 20_000
"""Lists that are kept as they were read: those of the tenants that come in."""


def network(text: str) -> str:
    """A network as it is kept; an address alone is a network of one.

    Raises:
        InvalidRequestError: it is none, or has bits behind its prefix.
    """
    written = text.strip()
    try:
        return str(_unmapped(ip_network(written)))
    except ValueError:
        pass
    try:
        around = _unmapped(ip_network(written, strict=False))
    except ValueError:
        raise InvalidRequestError(
            f"Network: found {text!r}; give a network such as 192.0.2.0/24 or 2001:db8::/48, or an"
            " address."
        ) from None
    address = written.partition("/")[0]
    raise InvalidRequestError(
        f"Network: found {text!r}, which has bits behind its prefix; give {around} for the network,"
        f" or {address} for the one address."
    )


def named_networks(texts: Iterable[str], refusal: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks that whoever starts a program names.

    `refusal`: what is said of a text that is none, with `{}` where the text stands.

    Raises:
        InvalidRequestError: a text is none; `refusal`, and why.
    """
    found = []
    for text in texts:
        try:
            found.append(ip_network(text.strip()))
        except ValueError as problem:
            raise InvalidRequestError(f"{refusal.format(repr(text))}: {problem}.") from None
    return tuple(found)


def contains(networks: Networks, address: str) -> bool:
    """Whether an IP address is in one of the networks; one that is none, is not."""
    if networks is None:
        return True
    try:
        found = ip_addresses.read(address)
    except ValueError:
        return False
    number, version = int(found), found.version
    return any(
        version == of_version and number >> host_bits == prefix
        for of_version, prefix, host_bits in _read(networks)
    )


def common(some: Networks, others: Networks) -> Networks:
    """The networks of the addresses that are in both lists."""
    if some is None or others is None:
        return others if some is None else some
    # Of two networks one is within the other, or they have nothing in common.
    found = dict.fromkeys(
        str(one if one.prefixlen >= other.prefixlen else other)
        for one in map(ip_network, some)
        for other in map(ip_network, others)
        if one.version == other.version and one.overlaps(other)
    )
    return tuple(found)


@lru_cache(_KNOWN_LISTS)
def _read(networks: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    """Of each its version, its prefix, and the number of bits behind that."""
    read = [ip_network(each) for each in networks]
    return tuple(
        (each.version, int(each.network_address) >> bits, bits)
        for each in read
        for bits in [each.max_prefixlen - each.prefixlen]
    )


def _unmapped(found: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """IPv4 that is written as IPv6 (RFC 4291, section 2.5.5.2), as addresses are seen here."""
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        mapped = found.network_address.ipv4_mapped
        return ip_network(f"{mapped}/{found.prefixlen - 96}")
    return found
