"""Drain: since when is the gateway closed, and what became of its tunnels, over restarts?"""

import hashlib
import time
from collections.abc import Callable, Iterable

import structlog
from pydantic import BaseModel

from cloudgate.host.state.files import read_or_backup, write_private
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.withdrawal_journal import TooLongError, WithdrawalJournal
from cloudgate.host.tunnels.accounting import Tunnel

_ENTRY = "drain"
_log = structlog.get_logger(__name__)
JITTER_SECONDS = 10.0
"""Within this time after the deadline the tunnels that are left are closed, each at its moment."""


class _DrainState(BaseModel):
    started_seconds: float
    """By the machine's monotonic clock: no tunnel outlives a restart of the machine."""
    live_tunnels: int
    closed_tunnels: int = 0
    drain: str = ""


class Drain:
    """Whether the gateway is draining, since when by the machine's clock, and its counts."""

    def __init__(
        self,
        paths: StatePaths,
        now_seconds: Callable[[], float] = time.monotonic,
        journal: WithdrawalJournal | None = None,
    ) -> None:
        """`journal` takes what the disk does not."""
        self._path = paths.drain
        self._now_seconds = now_seconds
        self._journal = journal
        begun = read_or_backup(self._path, _DrainState.model_validate_json)
        noted = journal.get(_ENTRY) if journal else None
        if noted is not None:
            begun = _DrainState.model_validate(noted)
        is_of_now = begun is not None and begun.started_seconds <= now_seconds()
        self._begun = begun if is_of_now else None

    def begin(self, live_tunnels: int, drain: str = "") -> None:
        """The gateway has just been closed; nothing happens when that is known already.

        But for more tunnels than were known: some were asked for before, and began since.
        `drain`: names the drain; another one begins anew.
        """
        begun = self._begun
        if begun is not None and begun.drain == drain:
            if live_tunnels + begun.closed_tunnels > begun.live_tunnels:
                known = live_tunnels + begun.closed_tunnels
                self._keep(begun.model_copy(update={"live_tunnels": known}))
        else:
            self._keep(
                _DrainState(
                    started_seconds=self._now_seconds(), live_tunnels=live_tunnels, drain=drain
                )
            )

    def seconds_left(self, drain_seconds: float) -> float:
        """How long tunnels may still go on; below zero when the deadline is over."""
        if self._begun is None:
            return drain_seconds
        return self._begun.started_seconds + drain_seconds - self._now_seconds()

    def note_closed(self, count: int) -> None:
        """So many tunnels were closed."""
        if self._begun is not None and count:
            closed = self._begun.closed_tunnels + count
            self._keep(self._begun.model_copy(update={"closed_tunnels": closed}))

    def result(self, live_tunnels: int, drain: str = "") -> tuple[int, int]:
        """How many tunnels have finished by themselves, and how many were closed."""
        if self._begun is None or self._begun.drain != drain:
            return 0, 0
        closed = self._begun.closed_tunnels
        return max(0, self._begun.live_tunnels - closed - live_tunnels), closed

    def forget(self) -> None:
        """The gateway is open; the next drain starts anew."""
        if self._begun is None:
            return
        self._begun = None
        self._path.unlink(missing_ok=True)
        self._note(None)

    def _keep(self, begun: _DrainState) -> None:
        self._begun = begun
        try:
            write_private(self._path, begun.model_dump_json())
        except OSError as error:
            # The deadline holds nevertheless; should nothing take it, it begins anew at a restart.
            _log.warning("a drain is not written down", reason=error.strerror)
            self._note(begun.model_dump(mode="json"))
        else:
            self._note(None)

    def _note(self, entry: dict[str, object] | None) -> None:
        if self._journal is None:
            return
        try:
            self._journal.put(_ENTRY, entry)
        except (OSError, TooLongError) as error:
            _log.warning("a drain is not noted", reason=repr(error))


def overdue(tunnels: Iterable[Tunnel], late_seconds: float, spread_seconds: float) -> list[Tunnel]:
    """Those whose moment has come, `late_seconds` after the deadline. Pure.

    Closed at one moment, all their clients would be at another gateway's door at one moment.
    """
    return [each for each in tunnels if jitter(each.tunnel) * spread_seconds <= late_seconds]


def jitter(tunnel: str) -> float:
    """Between 0 and 1, always the same for a tunnel and different for different ones."""
    return int.from_bytes(hashlib.sha256(tunnel.encode()).digest()[:4]) / 2**32
