"""Meter of the authorizer: how many were refused and why, and how long did answers take?

Counting is a few additions: a new tunnel costs nothing by it that could be measured.
"""

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self
from uuid import UUID

from cloudgate.monitoring.stopwatch import Stopwatch
from cloudgate.protocol import Refusal

MOST_TENANTS = 50_000
"""Of so many it is counted how often each was refused; they have proved who they are."""


class AuthorizationMeter:
    """Counts since the host service began. Used on the event loop."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        # The one that everybody watches is there before it has ever happened: of what begins with
        # its first value, Prometheus sees no increase.
        self.refused: Counter[Refusal] = Counter({Refusal.CREDENTIALS: 0})
        self.refused_tenants: Counter[UUID] = Counter()
        self.took = Stopwatch()
        self.waiting = 0
        """Requests that are not answered yet."""

    def answering(self) -> "Answer":
        """A request is looked at meanwhile."""
        return Answer(self, self._clock_seconds)

    def note_refused(self, kind: Refusal, tenant_id: UUID | None = None) -> None:
        """A request was refused, of a tenant if it has proved to be one."""
        self.refused[kind] += 1
        if tenant_id is not None and (
            tenant_id in self.refused_tenants or len(self.refused_tenants) < MOST_TENANTS
        ):
            self.refused_tenants[tenant_id] += 1


class Answer:
    """One answer, while it is looked for."""

    def __init__(self, meter: AuthorizationMeter, clock_seconds: Callable[[], float]) -> None:
        self._meter = meter
        self._clock_seconds = clock_seconds
        self._began_seconds = clock_seconds()
        self.is_guess = False
        """No password, or a wrong one, whose answer waits on purpose: it says nothing of how quick
        those are let in who may come."""

    def __enter__(self) -> Self:
        self._meter.waiting += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._meter.waiting -= 1
        if not self.is_guess:
            self._meter.took.observe(self._clock_seconds() - self._began_seconds)
