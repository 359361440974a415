"""Usage outbox: what has the manager to hear next of what tenants used? Each batch once."""

from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from cloudgate.host.tunnels.accounting import TunnelTable
from cloudgate.protocol import Usage
from cloudgate.protocol.bounds import MOST_LINES

MAX_USAGE_BATCH = MOST_LINES
"""Entries of a batch: about a megabyte."""


class UsageOutbox:
    """Names what was used, so that the manager counts it once, however often it hears it."""

    def __init__(
        self,
        tunnels: TunnelTable,
        keep: Callable[[], bool],
        now: Callable[[], datetime],
        batch: str = "",
        batched: tuple[Usage, ...] = (),
    ) -> None:
        """What it needs.

        Args:
            tunnels: have counted what was used.
            keep: writes down both; whether they are on disk then.
            now: what time it is.
            batch: the name of the batch that was not heard when it was written down.
            batched: what is in it.
        """
        self._tunnels = tunnels
        self._keep = keep
        self._now = now
        self.batch = batch
        self.batched = batched
        self.is_closed = False
        """While older lines are still being read: a batch says that all before it was told."""

    def next_batch(self) -> tuple[str, tuple[Usage, ...]]:
        """What the manager has to hear next, and its name; the same until it was acknowledged."""
        if not self.batched and self._tunnels.usage and not self.is_closed:
            self._tunnels.mend_times(self._now())
            self.batch, self.batched = uuid4().hex, self._tunnels.drain_usage(MAX_USAGE_BATCH)
        # It would be counted under two names if it were sent and then forgotten.
        return (self.batch, self.batched) if self._keep() else ("", ())

    def acknowledge(self) -> None:
        """The manager has the batch."""
        self.batched = ()
        self._keep()
