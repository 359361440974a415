"""Silence: which live tunnels have a gateway that is gone without a word?

A gateway that is there answers what TCP sends it, also while a target takes nothing for hours: it
says then that there is no room, and answers each probe of that. Probes come more and more seldom,
up to two minutes apart, and one may be lost on its way. So what counts is how long several have
been without an answer, and not how long ago the last one came.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cloudgate.connector.socket_options import PeerSigns
from cloudgate.connector.tls_connection import TlsConnection

SILENT_SECONDS = 20.0
"""How long a gateway may leave unanswered what TCP asks it, before its tunnels count as cut."""
LOOK_SECONDS = 2.0
"""How often that is looked at."""
ATTEMPTS = 3
"""So often it must have been asked: one may be lost on its way, and the next come minutes later."""
_SLACK_SECONDS = 0.1
"""The system's clock of connections is a coarse one."""


@dataclass
class Unanswered:
    """What the other end of a connection has not answered, from look to look."""

    looked_at: float = 0.0
    sent_again: int = 0
    """How often something was when it was last heard."""
    since: float | None = None
    """When something was first seen to be without an answer; None while nothing is."""

    def is_gone(self, signs: PeerSigns, now: float, silent_seconds: float) -> bool:
        """Whether it is at this look, by the same clock as at the others."""
        if signs.silent_seconds < now - self.looked_at + _SLACK_SECONDS:
            self.since, self.sent_again = None, signs.sent_again
        self.looked_at = now
        attempts = signs.sent_again - self.sent_again + signs.probes
        if not attempts:
            self.since = None
        elif self.since is None:
            self.since = now
        return self.since is not None and attempts >= ATTEMPTS and now - self.since > silent_seconds


class SilenceWatch:
    """Cuts the connections whose gateway has fallen silent."""

    def __init__(
        self, *, silent_seconds: float = SILENT_SECONDS, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._silent_seconds = silent_seconds
        self._look_seconds = look_seconds
        self._watched: dict[TlsConnection, Unanswered] = {}
        self._next: asyncio.TimerHandle | None = None

    @contextmanager
    def over(self, line: TlsConnection) -> Iterator[None]:
        """A connection is looked at while the context is open."""
        self._watched[line] = Unanswered()
        if self._next is None:
            self._look_later()
        try:
            yield
        finally:
            del self._watched[line]

    def _look_later(self) -> None:
        self._next = asyncio.get_running_loop().call_later(self._look_seconds, self._look)

    def _look(self) -> None:
        if not self._watched:
            self._next = None
            return
        self._look_later()
        now = asyncio.get_running_loop().time()
        for line, unanswered in self._watched.items():
            signs = line.peer_signs()
            if signs is not None and unanswered.is_gone(signs, now, self._silent_seconds):
                line.cut(f"nothing was heard of the gateway for {self._silent_seconds:g} seconds")
