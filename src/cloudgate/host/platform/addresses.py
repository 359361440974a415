"""Addresses: which IP addresses has this machine, and has it IPv6 at all?"""

import errno
import ipaddress
import re
import socket
from pathlib import Path

# Nothing is sent there: a datagram socket only asks the kernel for the route.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)
_NO_WAY = (*_NO_SUCH_FAMILY, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EACCES)
"""Nothing goes out by that family."""
_seen_last: list[tuple[str, ...]] = []
_LOCAL_IPV4 = re.compile(r"\|-- (\S+)\s+/32 host LOCAL")


def host_addresses() -> tuple[str, ...]:
    """This host's IP addresses: those that outbound traffic uses first, loopback last.

    Where they cannot be seen, as when this process may open no file more, those seen last.

    Raises:
        OSError: none were seen before.
    """
    try:
        found = in_order(_outbound(), [*_local_ipv4(), *_local_ipv6()] or _by_name())
    except OSError:  # EMFILE, ENFILE, ENOBUFS, ENOMEM
        if not _seen_last:
            raise
        return _seen_last[0]
    _seen_last[:] = [found]
    return found


def in_order(outbound: list[str], others: list[str]) -> tuple[str, ...]:
    """All addresses once. Link-local ones are left out: nobody can be told to go there."""
    found = [ipaddress.ip_address(each) for each in dict.fromkeys([*outbound, *others])]
    usable = [each for each in found if not (each.is_link_local or each.is_unspecified)]
    first = [each for each in usable if str(each) in outbound]
    rest = sorted(
        (each for each in usable if each not in first),
        key=lambda each: (each.is_loopback, each.version),
    )
    return tuple(str(each) for each in dict.fromkeys([*first, *rest]))


def host_has_ipv6() -> bool:
    """Whether an IPv6 socket can be bound here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY:
            return False
        raise  # EMFILE and the like: it is not known, and no address is taken off a gateway by that
    return True


def local_ipv4(fib_trie: str) -> list[str]:
    """The host's own IPv4 addresses in the text of ``/proc/net/fib_trie``."""
    return list(dict.fromkeys(_LOCAL_IPV4.findall(fib_trie)))


def local_ipv6(if_inet6: str) -> list[str]:
    """The host's own IPv6 addresses in the text of ``/proc/net/if_inet6``."""
    return [str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in if_inet6.splitlines()]


def _outbound() -> list[str]:
    found = []
    for family, elsewhere in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError as error:
            if error.errno not in _NO_WAY:
                raise
    return found


def _local_ipv4() -> list[str]:
    return local_ipv4(_read(Path("/proc/net/fib_trie")))


def _local_ipv6() -> list[str]:
    return local_ipv6(_read(Path("/proc/net/if_inet6")))


def _by_name() -> list[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    except socket.gaierror:  # the machine's own name has no address; no errno
        return []
    return [str(each[4][0]) for each in found if "%" not in str(each[4][0])]


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM):
            return ""  # not every system has it, or shows it
        raise
