"""Password verifier: is this the tenant's? Slow for guessers, fast for who was right before."""

import asyncio
import hashlib
import os
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from cloudgate.host.authorization.priority_queue import VerificationQueue
from cloudgate.trust.password_hashes import matching
from cloudgate.values import precis

REMEMBERED = 10_000
"""Credentials that are known to be right at most; the longest unused go first."""


class PasswordVerifier:
    """Verifies Argon2id hashes, few at a time, and remembers what was right.

    What it remembers is a keyed hash (RFC 7693) whose key dies with the process, never a password.
    It covers the stored hash, so a changed password is a new question.
    """

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._cores = _cores()
        self.turns = VerificationQueue(len(self._cores))
        """Who waits for a core to look at a password."""
        self._threads = ThreadPoolExecutor(
            len(self._cores), "argon2", _keep_to_one_core, (list(self._cores),)
        )
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._remembered = remembered

    async def verify(self, hashes: tuple[str, ...], password: str) -> str:
        """Of which hash `password` is; empty when of none. No hash costs as much time as any.

        It takes a core, so whoever calls has taken a turn.
        """
        found = self.cached(hashes, password) or await self._verify(hashes, password)
        if found:
            self._remember(self.cache_key((found,), password))
        return found

    def cached(self, hashes: tuple[str, ...], password: str) -> str:
        """Of which hash it is known to be without any work; empty when that is not known."""
        for each in hashes:
            mark = self.cache_key((each,), password)
            if each and mark in self._right:
                self._right.move_to_end(mark)
                return each
        return ""

    def cache_key(self, hashes: tuple[str, ...], password: str) -> bytes:
        """What is equal for equal questions, and tells nobody the password."""
        # Lengths in front, so that no two questions look alike when joined.
        form = precis.password(password)
        parts = (*(each.encode() for each in hashes), form.encode("utf-8", "surrogatepass"))
        message = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hashlib.blake2b(message, key=self._key, digest_size=32).digest()

    def close(self) -> None:
        """Let go of the threads; what they work on is awaited by nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _verify(self, hashes: tuple[str, ...], password: str) -> str:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, matching, hashes, password)

    def _remember(self, mark: bytes) -> None:
        self._right[mark] = None
        while len(self._right) > self._remembered:
            self._right.popitem(last=False)


def _cores() -> Sequence[int]:
    """Of the cores that this process may use, those that look at passwords: all but one."""
    if not hasattr(os, "sched_getaffinity"):
        return range(1, max(2, os.cpu_count() or 2))
    found = sorted(os.sched_getaffinity(0))
    return found[1:] or found


def _keep_to_one_core(free: list[int]) -> None:
    """Have this thread, and those that Argon2 starts for its lanes, use one core and no more."""
    if hasattr(os, "sched_setaffinity"):
        # EINVAL: the core was taken from this process meanwhile. Then it is not kept to one.
        with suppress(OSError):
            os.sched_setaffinity(0, {free.pop()})
