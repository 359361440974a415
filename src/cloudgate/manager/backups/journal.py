"""Journal of changes: what was changed after a backup that somebody brings back?

Beside the backups of a schedule stands a file with the entries of the audit log since the oldest
of them, a line of JSON each, as `--audit-log` writes them. So a restore can say what was taken away
since, with the manager's own disk gone.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import func, select

from cloudgate.atomic_files import write_private
from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.manager.audit.chain import hash_before, linked_document
from cloudgate.manager.audit.outlets import FileOutlet, OutletEntry, entries_after
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.tables import AuditEvent
from cloudgate.named_files import data_of
from cloudgate.processes.systemd_sandbox import writing_advice

JOURNAL = "changes.jsonl"
"""The file's name, in the folder of the backups."""
JOURNALS_ASIDE = "changes-until-*.jsonl"
"""Those of pasts that were ended by a restore."""


def entries_of_file(file: Path) -> list[dict[str, Any]]:
    """What a journal, or a file of `--audit-log`, has; a last line that was cut short is none.

    Raises:
        CloudgateError: it cannot be read, or is something else.
    """
    lines = data_of(file, "the journal").split(b"\n")
    found = []
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            entry = json.loads(line)
            _ = entry["number"] + 0, entry["operation"], entry["success"], entry["before"]
        except (ValueError, KeyError, TypeError):
            if number == len(lines) - 1:  # the manager was killed while it wrote
                continue
            raise CloudgateError(
                f"{file} is no journal of changes: line {number + 1} cannot be read. Name the file"
                f" {JOURNAL} beside the backups, or one that --audit-log has written."
            ) from None
        found.append(entry)
    return found


def entries_of_database(database: Database, after_number: int) -> list[dict[str, Any]]:
    """What a manager's own audit log has after an entry, as a journal has it."""
    with database.reading() as session:
        events = session.scalars(
            select(AuditEvent).where(AuditEvent.number > after_number).order_by(AuditEvent.number)
        )
        found, previous = [], hash_before(session, after_number + 1)
        for each in events:
            found.append(linked_document(each, previous))
            previous = each.hash
        return found


class Journal:
    """The journal beside the backups of a running manager. Any thread may call."""

    def __init__(self, file: Path, manager: Manager) -> None:
        self._file = file
        self._manager = manager
        self._last: int | None = None
        """Number of the last entry in the file; None before the file was looked at."""
        # What is appended while the file is replaced would be in the old one alone.
        self._lock = Lock()

    def write(self, since: datetime) -> None:
        """Append what the file has not got; an empty one begins at a moment, the oldest backup's.

        What comes after that is in the file whatever the clock said by then.

        Raises:
            UnavailableError: it cannot be written.
        """
        with self._lock:
            if self._last is None or not self._file.exists():
                self._last = self._find_last()
            while batch := self._next(since):
                FileOutlet(self._file, called="The journal of changes").write(batch)
                self._last = batch[-1].number

    def forget_before(self, moment: datetime) -> None:
        """No backup that is left needs what was changed before that.

        Only the oldest in a row are forgotten: what comes after an entry that is needed may have
        been written while the clock was behind.

        Raises:
            UnavailableError: it cannot be written.
        """
        try:
            with self._lock:
                self._forget_before(moment)
        except OSError as problem:
            raise UnavailableError(
                f"The journal of changes {self._file} cannot be written: {problem.strerror}."
                f"{writing_advice(problem, self._file.parent)}"
            ) from None

    def _forget_before(self, moment: datetime) -> None:
        if not self._file.exists():
            return
        entries, now = entries_of_file(self._file), self._manager.clock()
        times = [datetime.fromisoformat(each["at"]) for each in entries]
        # One that is yet to come was written by a clock that was ahead: it says nothing.
        first = next((place for place, at in enumerate(times) if moment <= at <= now), None)
        if not first:
            return
        kept = [
            json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in entries[first:]
        ]
        write_private(self._file, "".join(f"{line}\n" for line in kept))
        self._last = None

    def _find_last(self) -> int:
        """Up to where the file has what this database has; one of another past is put aside."""
        try:
            found = entries_of_file(self._file) if self._file.exists() else []
        except CloudgateError:  # it is damaged: what it has is kept, for whoever can read it
            found = [{"number": 0, "hash": "?"}]
        if not found:
            return 0
        with self._manager.reading() as work:
            known = work.session.get(AuditEvent, found[-1]["number"])
            if known is not None and known.hash == found[-1].get("hash"):
                return int(known.number)
        aside = f"{self._file.stem}-until-{self._manager.clock():%Y%m%dT%H%M%SZ}.jsonl"
        self._file.rename(self._file.with_name(aside))
        return 0

    def _next(self, since: datetime) -> Sequence[OutletEntry]:
        with self._manager.reading() as work:
            after = self._last or _last_before(work, since)
            return () if after is None else entries_after(work, after)


def _last_before(work: UnitOfWork, since: datetime) -> int | None:
    """The number before the first entry of that moment or later; None where there is none.

    One that is yet to come was written by a clock that was ahead: it says nothing.
    """
    first = select(func.min(AuditEvent.number)).where(AuditEvent.at.between(since, work.now))
    found = work.session.scalar(first)
    return None if found is None else found - 1
