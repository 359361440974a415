"""Which IP address has the host that a tunnel goes to?"""

import asyncio
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cloudgate.errors import UnavailableError
from cloudgate.gateway.decision import join_address, split_address

FRESH_SECONDS = 10.0
"""How long an answer is used again; short, so that a repository that moves is found."""
LOOKUP_SECONDS = 5.0
KEPT = 4096
"""Answers that are kept at most."""


class Resolver:
    """Looks names up with the host's own means, and remembers answers for `FRESH_SECONDS`."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._threads = ThreadPoolExecutor(8, "lookup")
        self._answers: dict[str, tuple[float, str]] = {}

    async def resolve(self, address: str) -> str:
        """`IP:port` for a `host:port`.

        Raises:
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

    async def _look_up(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await loop.run_in_executor(self._threads, _first_address, host, port)
        except TimeoutError:
            raise UnavailableError(f"No name server tells the address of {host}.") from None
        except (OSError, UnicodeError):
            raise UnavailableError(f"The name {host} has no address.") from None


def _first_address(host: str, port: int) -> str:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return str(found[0][4][0])
