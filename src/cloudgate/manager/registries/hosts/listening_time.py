"""Listening time: for how long has this manager really heard what hosts say?

A manager that stands still hears nobody: its process is stopped, its machine is paused. Nor has
anybody been silent for as long as a clock was set forward. Both are seen alike: the loop that hosts
are heard on notes the time every second, and has left out some of it. Where the disk hangs, the
loop goes on, and what hosts say waits to be written down, as each change does.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import structlog

BEAT_SECONDS = 1.0
"""How often `ListeningTime.beat` is to be called."""
STANDSTILL = timedelta(seconds=3)
"""A manager has heard nobody between two beats that are so far apart."""
IN_PIECES = 3
"""Who is waited for has also had its time when it had so many times as much, in small pieces: on a
machine that stands still again and again, who is gone would never be missed else."""
_KEPT = 100
"""Standstills, each with what was listened before it: many times as long as is waited for hosts."""

_log = structlog.get_logger(__name__)


class ListeningTime:
    """When this manager has not listened. May be used from any thread."""

    def __init__(self, machine_clock: Callable[[], datetime] | None = None) -> None:
        """`machine_clock`: of which the beats are seconds apart; the machine's when left out."""
        self._machine_clock = machine_clock or _utc_now
        self._lock = threading.Lock()
        self._beaten_at: datetime | None = None
        self._standstills: deque[tuple[datetime, datetime]] = deque(maxlen=_KEPT)
        """From when to when, by the manager's clock."""

    def beat(self, now: datetime) -> None:
        """Called every second where hosts are heard; `now` is the time by the manager's clock."""
        with self._lock:
            before, self._beaten_at = self._beaten_at, self._machine_clock()
            stood = timedelta() if before is None else self._note(before, now)
        _log_standstill(stood)

    def machine_time(self) -> datetime:
        """The time by the machine's clock."""
        return self._machine_clock()

    def note_held_up(self, since: datetime, now: datetime) -> None:
        """From a moment of the machine's clock on, nothing that hosts said was taken in.

        It is no standstill unless it was for long.
        """
        with self._lock:
            stood = self._note(since, now)
        _log_standstill(stood)

    def _note(self, since: datetime, now: datetime) -> timedelta:
        """For how long it stood still."""
        stood = self._machine_clock() - since
        if stood < STANDSTILL:
            return timedelta()
        begin = now - stood
        while self._standstills and self._standstills[-1][1] >= begin:
            begin = min(begin, self._standstills.pop()[0])
        self._standstills.append((begin, now))
        return stood

    def since(self, span: timedelta, now: datetime) -> datetime:
        """The latest moment since which who is waited for has had so much time to be heard.

        It is `span` ago, but for what was not listened: so much was listened in one piece, or
        `IN_PIECES` times as much in all.
        """
        listened = timedelta()
        for begin, end in self._pieces(now):
            if begin is None or end - begin >= span:
                return end - span
            listened += end - begin
            if listened >= IN_PIECES * span:
                return begin + (listened - IN_PIECES * span)
        raise AssertionError("The earliest piece has no beginning.")

    def resumed_at(self, now: datetime) -> datetime | None:
        """Since when it listens without a pause; None where it has always done so."""
        begin, _ = next(self._pieces(now))
        return begin

    def _pieces(self, now: datetime) -> Iterator[tuple[datetime | None, datetime]]:
        """From when to when it has listened, the latest first; the earliest has no beginning."""
        with self._lock:
            under_way = self._under_way(now)
            silences = [*self._standstills, *([under_way] if under_way else [])]
        end = now
        for begin, resumed in reversed(silences):
            if begin >= end:  # of before the clock was put back
                continue
            # Who asks may have begun before it went on.
            yield min(resumed, end), end
            end = begin
        yield None, end

    def _under_way(self, now: datetime) -> tuple[datetime, datetime] | None:
        """The standstill that no beat has ended yet."""
        if self._beaten_at is None:
            return None
        lasts = self._machine_clock() - self._beaten_at
        return (now - lasts, now) if lasts >= STANDSTILL else None


def _log_standstill(stood: timedelta) -> None:
    if stood:
        _log.warning(
            "the manager stood still, or its clock was set forward: hosts have their time again",
            seconds=round(stood.total_seconds(), 1),
        )


def _utc_now() -> datetime:
    return datetime.now(UTC)
