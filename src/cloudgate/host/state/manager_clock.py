"""Manager clock: what time is it, where this machine's own clock is wrong?

Leases end by it. What was heard of the manager's clock goes on by the machine's monotonic one, so
that setting the wrong clock right changes nothing.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

WRONG = timedelta(seconds=60)
"""A clock that differs less is taken for right: the answer was under way, and has whole seconds."""


class ManagerClock:
    """The time, by whichever clock is to be believed."""

    def __init__(
        self,
        own: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._monotonic_seconds = monotonic_seconds
        self._heard: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """Now."""
        own = self._own()  # once: this is asked several times for each tunnel
        if self._heard is None:
            return own
        managers = self._managers()
        return managers if abs(own - managers) >= WRONG else own

    def sync(self, now: datetime) -> None:
        """The manager has just said what time it is."""
        self._heard = now, self._monotonic_seconds()

    @property
    def heard_seconds_ago(self) -> float | None:
        """How long ago the manager was last heard of; None where it was not yet."""
        return None if self._heard is None else self._monotonic_seconds() - self._heard[1]

    @property
    def offset(self) -> timedelta:
        """How far this machine's clock is ahead of the manager's; nothing when about right."""
        ahead = self.ahead
        return ahead if ahead is not None and abs(ahead) >= WRONG else timedelta()

    @property
    def ahead(self) -> timedelta | None:
        """How far this machine's clock is ahead, as heard; None when the manager was not yet."""
        return None if self._heard is None else self._own() - self._managers()

    @property
    def trouble(self) -> str:
        """What the operator should know; empty when nothing."""
        ahead = self.offset
        if not ahead:
            return ""
        minutes = round(abs(ahead).total_seconds() / 60)
        many = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"  # noqa: PLR2004
        where = "ahead of" if ahead > timedelta() else "behind"
        return f"Its clock is {many} {where} the manager's. Set it right."

    def _managers(self) -> datetime:
        if self._heard is None:
            return self._own()
        said, then_seconds = self._heard
        return said + timedelta(seconds=self._monotonic_seconds() - then_seconds)
