"""IP addresses: which one is meant, however a socket says it? Pure.

A socket of both families says an IPv4 address as one of IPv6 (RFC 4291, section 2.5.5.2), and a
link-local one with a zone (RFC 4007), which means something on that machine alone.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address


def read(text: str) -> IPv4Address | IPv6Address:
    """The address that a text means: without its zone, and IPv4 where it is IPv4's.

    Raises:
        ValueError: it is none.
    """
    found = ip_address(text.partition("%")[0])
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def unmapped(text: str) -> str:
    """An address as a log says it, without what makes one of IPv6 of one of IPv4."""
    return text.removeprefix("::ffff:") if "." in text else text


def plain(text: str) -> str:
    """The same in its usual form; a text that is no address stays as it is."""
    try:
        return str(read(text))
    except ValueError:
        return text
