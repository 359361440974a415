"""Destinations: to which IP addresses is nobody sent, and which mean the machine itself?

What a machine has for itself, such as the metadata of a cloud with its keys, is answered at
addresses that no service of a provider has. IPv6 has ways to write an IPv4 address; what counts is
the one that is meant. Pure.
"""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

Address = IPv4Address | IPv6Address
_NEVER = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this host on this network (RFC 1122, 3.2.1.3)
        "169.254.0.0/16",  # link-local (RFC 3927), and the metadata of most clouds
        "192.0.0.192/32",  # metadata at Oracle
        "100.100.100.200/32",  # metadata at Alibaba
        "168.63.129.16/32",  # the platform of Azure
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
) + tuple(
    IPv6Network(text)
    for text in (
        "::/128",  # unspecified
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, given up
        "fd00:ec2::/32",  # metadata at Amazon
        "fd20:ce::/32",  # metadata at Google
        "ff00::/8",  # multicast
        "64:ff9b:1::/48",  # translated by the site itself, in any of several forms (RFC 8215)
    )
)
_EMBEDDING = tuple(
    IPv6Network(text)
    for text in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765, 2.1)
    )
)
_IPV4_COMPATIBLE = IPv6Network("::/96")
_LOWEST_COMPATIBLE = 2**16
"""Below it, `::1` and its like are themselves."""


def final_address(text: str) -> Address | None:
    """The address that a text means in the end; None when it is no address."""
    try:
        found = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return found
    teredo = found.teredo[1] if found.teredo else None
    return found.ipv4_mapped or found.sixtofour or teredo or _embedded(found) or found


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address of a form that translates, or of the one that was before mapped ones."""
    compatible = address in _IPV4_COMPATIBLE and int(address) >= _LOWEST_COMPATIBLE
    if compatible or any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def is_never(address: str) -> bool:
    """Whether nobody is sent there, whoever says so."""
    found = final_address(address)
    return found is not None and any(
        found in network for network in _NEVER if network.version == found.version
    )


def is_loopback(address: str) -> bool:
    """Whether it means the machine itself, by its loopback interface."""
    found = final_address(address)
    return found is not None and found.is_loopback


def is_own_name(host: str) -> bool:
    """Whether a name means the machine itself, wherever it is asked (RFC 6761, section 6.3)."""
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")
