"""Changes since a backup: which audit logs say what they were?

The log of the manager that was there, the journal beside the backup, or a file that is named. Where
these are of another past, because another backup was restored meanwhile, also what earlier
restores have put aside.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import select

from cloudgate.errors import CloudgateError
from cloudgate.manager.backups.archive import Contents
from cloudgate.manager.backups.journal import (
    JOURNAL,
    JOURNALS_ASIDE,
    entries_of_database,
    entries_of_file,
)
from cloudgate.manager.backups.pasts import BackupEnd, Standing, standing
from cloudgate.manager.backups.revocations import ChangesSince, revocations_among
from cloudgate.manager.security import installation
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.sqlite_files import connect, snapshot
from cloudgate.manager.storage.tables import AuditEvent

_KNOWN = f"SELECT hash FROM {AuditEvent.__tablename__} WHERE number = ?"  # noqa: S608


@dataclass(frozen=True)
class Source:
    """Who says what was changed."""

    name: str
    entries: Sequence[dict[str, Any]]


@contextmanager
def backup_end(database: Path, contents: Contents) -> Iterator[BackupEnd]:
    """Where the audit log of a backup ends, by its database, wherever that is by now."""
    with closing(connect(database)) as connection:

        def hash_of(number: int) -> str | None:
            found = connection.execute(_KNOWN, (number,)).fetchone()
            return None if found is None else str(found[0])

        yield BackupEnd(contents.last_audit_number, hash_of)


def changes_since(
    end: BackupEnd, sources: Iterable[Source], aside: Iterable[Source]
) -> tuple[str, ChangesSince | None]:
    """What was changed after a backup, and who says so; None where nobody does.

    Args:
        end: of the backup.
        sources: who may know, the best first; asked until nothing is missing.
        aside: what earlier restores have put aside, the newest first: asked where none of these
            goes on from the backup.
    """
    found: dict[Standing, list[Source]] = {each: [] for each in Standing}
    by_past = [found[Standing.GOES_ON], found[Standing.NOT_TOLD]]
    for source in sources:
        found[standing(source.entries, end)].append(source)
        if any(by_past) and not revocations_among(_merged(*by_past), end).gaps:
            break
    if not found[Standing.GOES_ON]:
        fits = (each for each in aside if standing(each.entries, end) is Standing.GOES_ON)
        found[Standing.GOES_ON] += islice(fits, 1)
    apart, ended = found[Standing.APART], found[Standing.ENDS_BEFORE]
    used = [*found[Standing.GOES_ON], *found[Standing.NOT_TOLD], *apart] or ended
    if not used:
        return "", None
    since = replace(
        revocations_among(_merged(*by_past), end, _merged(apart)),
        ends_before=used is ended,
        is_of_another_past=bool(apart) and not any(by_past),
    )
    return " and ".join(each.name for each in used), since


def _merged(*groups: Sequence[Source]) -> list[dict[str, Any]]:
    """What all of them have: of an audit log whose old entries were removed, a journal has more."""
    lists = [each.entries for some in groups for each in some]
    together = [entry for each in lists for entry in each]
    if len(lists) > 1:
        together.sort(key=lambda each: (int(each["number"]), str(each["at"])))
    return together


def by_file(file: Path) -> Source:
    """What a file that was named says.

    Raises:
        CloudgateError: it cannot be read, or is something else.
    """
    return Source(str(file), entries_of_file(file))


def by_journal_beside(backup: Path, *, is_needed: bool) -> Iterator[Source]:
    """What the journal beside a backup says, if there is one.

    Where that `is_needed`, it has to be whole; else what is missing is told without it, too.

    Raises:
        CloudgateError: it is needed, and cannot be read.
    """
    beside = backup.resolve().parent / JOURNAL
    if not beside.is_file():
        return
    try:
        found = by_file(beside)
    except CloudgateError:
        if is_needed:
            raise
        return
    yield found


def by_journals_aside(backup: Path) -> Iterator[Source]:
    """What the journals beside a backup say that managers have put aside, the newest first."""
    for each in sorted(backup.resolve().parent.glob(JOURNALS_ASIDE), reverse=True):
        try:
            found = by_file(each)
        except CloudgateError:  # damaged: that is why it was put aside
            continue
        yield found


def by_manager(folder: Path, end: BackupEnd, copy: Path) -> Iterator[Source]:
    """What the audit log of a manager's folder says, if it is of no earlier time than the backup.

    By a copy: what is there stays as it is, of whatever release it was.
    """
    try:
        snapshot(folder / installation.DATABASE, copy)
        database = Database(sqlite_url(copy))
    except CloudgateError:  # damaged: that is why a backup is brought back
        return
    else:
        try:
            # With the last that both have: it shows that they are of one past.
            after = min(_last_shared(database, end), end.number - 1)
            entries = entries_of_database(database, after)
        finally:
            database.close()
    finally:
        for each in copy.parent.glob(f"{copy.name}*"):
            each.unlink()
    if entries or not end.number:
        yield Source(f"the audit log of the manager in {folder}", entries)


def _last_shared(database: Database, end: BackupEnd) -> int:
    """The number of the last entry that a database and a backup both have; 0 for none."""
    numbered = select(AuditEvent.number, AuditEvent.hash)
    downward = numbered.where(AuditEvent.number <= end.number).order_by(AuditEvent.number.desc())
    with database.reading() as session:
        for number, digest in session.execute(downward.execution_options(yield_per=1000)):
            if end.has({"number": number, "hash": digest}):
                return int(number)
    return 0
