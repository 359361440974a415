"""Reported guesses: which of what a gateway tells of strangers has this manager heard already?

A host tells the same again until it is answered. In memory alone: what it told a manager before
this one is in the audit log, and looked for there when it is heard for the first time.
"""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b
from threading import Lock
from uuid import UUID

from cloudgate.protocol import MOST_GUESSES

MOST_OF_HOST = 2 * MOST_GUESSES
"""Of each kind, as many as two reports are full of: what a host tells again, it told in its last.
The oldest are forgotten first."""


class ReportedGuesses:
    """Remembers what was heard of each host. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._heard: dict[tuple[UUID, str], OrderedDict[bytes, None]] = {}

    def of(self, server_id: UUID, kind: str, told: Iterable[str]) -> frozenset[str] | None:
        """Which of them was heard; None where nothing of that kind was of that host."""
        with self._lock:
            known = self._heard.get((server_id, kind))
            return None if known is None else frozenset(t for t in told if _key(t) in known)

    def add(self, server_id: UUID, kind: str, told: Iterable[str]) -> None:
        """These are heard from here on."""
        with self._lock:
            known = self._heard.setdefault((server_id, kind), OrderedDict())
            for each in told:
                known[_key(each)] = None
                known.move_to_end(_key(each))
            while len(known) > MOST_OF_HOST:
                known.popitem(last=False)

    def forget(self, server_id: UUID) -> None:
        """The host has no business here any more, or has to be heard anew."""
        with self._lock:
            for key in [each for each in self._heard if each[0] == server_id]:
                del self._heard[key]


def _key(told: str) -> bytes:
    return blake2b(told.encode(errors="surrogatepass"), digest_size=16).digest()
