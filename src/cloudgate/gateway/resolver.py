"""Which IP address has the host that a tunnel goes to?

What a name server says is not to be trusted: it may belong to a tenant. A name leads to no address
that only this machine means, or that is this machine. An operator who wants that names the address.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from cloudgate.errors import AccessDeniedError, UnavailableError
from cloudgate.gateway.decision import join_address, split_address
from cloudgate.gateway.facts import host_addresses

FRESH_SECONDS = 10.0
"""How long an answer is used again; short, so that a repository that moves is found."""
LOOKUP_SECONDS = 5.0
KEPT = 4096
"""Answers that are kept at most."""


class Resolver:
    """Looks names up with the host's own means, and remembers answers for `FRESH_SECONDS`."""

    def __init__(
        self,
        clock_seconds: Callable[[], float] = time.monotonic,
        own: Callable[[], Collection[str]] = host_addresses,
    ) -> None:
        """`own`: the addresses of this machine."""
        self._own = own
        self._clock_seconds = clock_seconds
        self._threads = ThreadPoolExecutor(8, "lookup")
        self._answers: dict[str, tuple[float, str]] = {}

    async def resolve(self, address: str) -> str:
        """`IP:port` for a `host:port`.

        Raises:
            AccessDeniedError: The name leads to this machine, or to nowhere else.
            UnavailableError: The name has no address, or nobody who knows it answers.
        """
        known = self._answers.get(address)
        if known is not None and known[0] > self._clock_seconds():
            return known[1]
        host, port = split_address(address)
        found = join_address(await self._look_up(host, port), port)
        if len(self._answers) >= KEPT:
            self._answers.clear()
        self._answers[address] = (self._clock_seconds() + FRESH_SECONDS, found)
        return found

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _find(self, host: str, port: int) -> str | None:
        listed = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in listed]
        if _is_literal(host):
            return addresses[0]
        own = self._own()
        return next((each for each in addresses if is_elsewhere(each, own)), None)

    async def _look_up(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await loop.run_in_executor(self._threads, self._find, host, port)
        except TimeoutError:
            raise UnavailableError(f"No name server tells the address of {host}.") from None
        except (OSError, UnicodeError):
            raise UnavailableError(f"The name {host} has no address.") from None
        if found is None:
            raise AccessDeniedError(
                f"The name {host} leads to the gateway itself, where nobody is connected. If it is"
                " right, give the repository an Address with the IP address."
            )
        return found


def is_elsewhere(address: str, own: Collection[str]) -> bool:
    """Whether an IP address is that of another machine. Pure.

    Args:
        address: what a name server said.
        own: the addresses of this machine.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    local = ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast
    return not local and str(ip) not in own


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
