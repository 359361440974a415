"""Is this the tenant's password? Slow on purpose for guessers, fast for who was right before."""

import asyncio
import hashlib
import hmac
import os
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from cloudgate.password_hashes import matches

REMEMBERED = 10_000
"""Credentials that are known to be right at most; the longest unused go first."""


class PasswordCheck:
    """Verifies Argon2id hashes, few at a time, and remembers what was right.

    What it remembers is an HMAC under a key that dies with the process, never a password. It
    covers the hash, so a changed password is a new question.
    """

    def __init__(self, *, at_once: int | None = None, remembered: int = REMEMBERED) -> None:
        workers = at_once or max(1, (os.cpu_count() or 2) - 1)
        self._threads = ThreadPoolExecutor(workers, "argon2")
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._remembered = remembered

    async def is_right(self, password_hash: str, password: str) -> bool:
        """Whether `password` is the one of the hash. An empty hash costs as much time as any."""
        if not password_hash:
            return await self._verify("", password)
        mark = self.mark(password_hash, password)
        if mark in self._right:
            self._right.move_to_end(mark)
            return True
        right = await self._verify(password_hash, password)
        if right:
            self._remember(mark)
        return right

    def is_remembered(self, password_hash: str, password: str) -> bool:
        """Whether it is known to be right without any work."""
        return bool(password_hash) and self.mark(password_hash, password) in self._right

    def mark(self, password_hash: str, password: str) -> bytes:
        """What is equal for equal questions, and tells nobody the password."""
        # Lengths in front, so that no two questions look alike when joined.
        parts = (password_hash.encode(), _encoded(password))
        message = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self._key, message, hashlib.sha256)

    def close(self) -> None:
        """Let go of the threads; what they work on is awaited by nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _verify(self, password_hash: str, password: str) -> bool:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, matches, password_hash, _encoded(password))

    def _remember(self, mark: bytes) -> None:
        self._right[mark] = None
        while len(self._right) > self._remembered:
            self._right.popitem(last=False)


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
