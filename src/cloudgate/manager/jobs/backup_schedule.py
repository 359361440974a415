"""Backup schedule: when is the manager backed up by itself, and which backups are kept?

A backup of a moment that is yet to come was made by a clock that was ahead, and was put back since.
It says nothing of when the next one is due, is not among the newest that are kept, and is left for
the operator to decide on, who is told.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloudgate.background import Job
from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.manager.backups.archive import create
from cloudgate.manager.backups.journal import JOURNAL, Journal
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.threads import run_in_thread
from cloudgate.manager.security.sealed_files import SealingSecret
from cloudgate.manager.storage.marks import LAST_BACKUP_AT, read_moment
from cloudgate.values import timestamps
from cloudgate.values.enumeration import few

BACKING_UP = "Backing the manager up"
WATCHING = "Seeing that backups are made in time"
JOURNALLING = "Writing down beside the backups what was changed since"
AHEAD = "Backups of a time that is yet to come"
TICK_SECONDS = 5.0
LATE_SHARE = 0.25
"""How much later than wanted the newest backup may be, of the time between two."""
_NAME = re.compile(r"cloudgate-(\d{8}T\d{6}Z)\.backup")
_LEFT_OVER = re.compile(rf"\.{_NAME.pattern}\.[0-9a-f]{{16}}\.new")
_STAMP = "%Y%m%dT%H%M%SZ"
_FIRST_MAY_TAKE = timedelta(minutes=10)
"""After a start, when one may be due at once."""
_LONGEST_PAUSE_SECONDS = 300.0
_AHEAD_IS_TOLD = timedelta(minutes=10)
"""Of backups that are ahead by less than that, nobody needs to be told."""


@dataclass(frozen=True)
class Schedule:
    """What the operator wants to have backed up by itself."""

    folder: Path
    """Where backups go. It is there, or there is none: a disk that is not mounted is missed."""
    every: timedelta
    keep: int
    """How many of the newest are left, besides those of a time that is yet to come."""
    secret: SealingSecret
    """What they are sealed with."""


class BackupWorker:
    """Backs a manager up when it is time, and keeps the journal beside the backups."""

    def __init__(self, manager: Manager, data: Path, schedule: Schedule) -> None:
        self._manager = manager
        self._data = data
        self._schedule = schedule
        self._journal = Journal(schedule.folder / JOURNAL, manager)
        self._began_at = manager.clock()
        self._ahead_since: datetime | None = None
        """Since when the newest is of a time that is yet to come; None where it is not."""
        self._awaited = {WATCHING, AHEAD}
        """Of what it is not known yet whether it is well."""
        manager.warnings.await_kinds(lambda: frozenset(self._awaited))

    def jobs(self) -> tuple[Job, ...]:
        """What is to be run."""

        def job(name: str, attempt: object) -> Job:
            return Job(
                name=name,
                attempt=lambda: run_in_thread(attempt),  # type: ignore[arg-type]
                interval_seconds=TICK_SECONDS,
                longest_pause_seconds=_LONGEST_PAUSE_SECONDS,
            )

        return (
            job(BACKING_UP, self._back_up),
            job(JOURNALLING, self._write_journal),
            job(WATCHING, self._watch),
        )

    def _back_up(self) -> None:
        now, made = self._manager.clock(), self._made()
        self._tell_of_those_ahead(made, now)
        newest = max(_not_ahead(made, now), default=None)
        if newest is not None and now < newest + self._schedule.every:
            return
        folder = self._schedule.folder
        self._see_that_it_is_there()
        for each in folder.iterdir():
            if _LEFT_OVER.fullmatch(each.name):  # of a manager that was killed meanwhile
                each.unlink(missing_ok=True)
        create(self._data, folder / _name_of(now), self._schedule.secret, now)
        self._remove_old(now)

    def _remove_old(self, now: datetime) -> None:
        made = self._made()
        done = sorted(_not_ahead(made, now))
        for old in done[: -self._schedule.keep]:
            (self._schedule.folder / _name_of(old)).unlink(missing_ok=True)
        # What came after one that is ahead is told by no time: as long as it is there, all is kept.
        if len(done) == len(made):
            self._journal.forget_before(done[-self._schedule.keep :][0])

    def _tell_of_those_ahead(self, made: Sequence[datetime], now: datetime) -> None:
        names = few(sorted(_name_of(each) for each in made if each > now + _AHEAD_IS_TOLD))
        self._manager.warn(
            AHEAD,
            names
            and f"Backups in {self._schedule.folder} are of a time that is yet to come: {names}."
            " The manager's clock was ahead when they were made, or is behind now. They do not"
            " count among the newest that are kept and are not removed, and while they are there,"
            " the journal of changes is not shortened. See that the clock is right; then move them"
            " to another folder, or delete them.",
        )
        self._awaited.discard(AHEAD)

    def _write_journal(self) -> None:
        self._see_that_it_is_there()
        made = self._made()
        if made:
            self._journal.write(since=min(made))

    def _watch(self) -> None:
        """Also where making one hangs, as a disk of another machine may.

        Raises:
            UnavailableError: there should be a newer one.
        """
        with self._manager.reading() as work:
            newest = read_moment(work.session, LAST_BACKUP_AT)
        now, late = self._manager.clock(), self._schedule.every * LATE_SHARE
        self._began_at = min(self._began_at, now)  # later: the clock was put back
        is_ahead = newest is not None and newest > now
        self._ahead_since = min(self._ahead_since or now, now) if is_ahead else None
        if now - self._began_at <= min(late, _FIRST_MAY_TAKE):
            return
        if now - (self._ahead_since or newest or self._began_at) <= self._schedule.every + late:
            if newest is not None and not is_ahead:  # else it may be missed since before the start
                self._awaited.discard(WATCHING)
            return
        said = f"is of {timestamps.readable(newest)}" if newest else "was never made"
        if is_ahead:
            said += ", which is yet to come"
        raise UnavailableError(
            f"A backup of the manager is overdue: the newest {said}, and there is to be one every"
            f" {_spoken(self._schedule.every)} in {self._schedule.folder}. See that this folder is"
            " there, can be written to, and has room."
        )

    def _made(self) -> Sequence[datetime]:
        try:
            names = [each.name for each in self._schedule.folder.iterdir()]
        except OSError as problem:
            raise CloudgateError(
                f"The folder of the backups, {self._schedule.folder}, cannot be looked into:"
                f" {problem.strerror}. See that its disk is mounted, and that the user that runs"
                " the manager may write there."
            ) from None
        return [made for made in map(_made_at, names) if made is not None]

    def _see_that_it_is_there(self) -> None:
        if not self._schedule.folder.is_dir():
            raise CloudgateError(
                f"The folder of the backups, {self._schedule.folder}, is not there. Mount its disk,"
                " or make it."
            )


def _made_at(name: str) -> datetime | None:
    found = _NAME.fullmatch(name)
    return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) if found else None


def _name_of(made_at: datetime) -> str:
    return f"cloudgate-{made_at.astimezone(UTC).strftime(_STAMP)}.backup"


def _not_ahead(made: Sequence[datetime], now: datetime) -> list[datetime]:
    return [each for each in made if each <= now]


def _spoken(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    return f"{hours:g} hours" if hours >= 1 else f"{span / timedelta(minutes=1):g} minutes"
