"""OpenID cache: what did the provider say of itself, when, and how many ask it just now?"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cloudgate.errors import TooManyRequestsError
from cloudgate.trust.login_throttle import client_network

AT_ONCE, OF_ADDRESS = 8, 2
"""How many may wait for the provider: a slow one is to hold up nobody who comes by password."""
_BUSY = "Too many are signing in at the provider just now. Try again in a few seconds."


@dataclass
class CachedDocument:
    """One thing that the provider was asked for, kept for a while; failures, too, for less."""

    value: Mapping[str, Any] | None = None
    problem: str = ""
    at_seconds: float = 0.0


@dataclass
class OpenIdCache:
    """Any thread may use it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    documents: dict[str, CachedDocument] = field(default_factory=dict)
    asking: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def seat(self, address: str) -> Iterator[None]:
        """While somebody from an address has the provider asked.

        Raises:
            TooManyRequestsError: too many others do.
        """
        address = client_network(address)
        with self.lock:
            if self.asking.total() >= AT_ONCE or self.asking[address] >= OF_ADDRESS:
                raise TooManyRequestsError(_BUSY)
            self.asking[address] += 1
        try:
            yield
        finally:
            with self.lock:
                self.asking[address] -= 1
                if not self.asking[address]:
                    del self.asking[address]
