"""Restore: how does a backup become the manager's data folder again? As a whole or not at all.

All of it is brought into a folder within the data folder, looked at, and made ready there; then its
pieces are moved to their places. A manager does not start while that folder is there.
"""

import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select, update

from cloudgate.atomic_files import sync_folder, write_private
from cloudgate.errors import CloudgateError
from cloudgate.manager.backups.archive import (
    Contents,
    contents_of,
    extract,
    see_that_it_is_whole,
)
from cloudgate.manager.backups.journal import JOURNAL, entries_of_database, entries_of_file
from cloudgate.manager.backups.revocations import ChangesSince, revocations_among
from cloudgate.manager.core.marks import BACKED_UP_AT, OF_A_RESTORE, RESTORED_AT, put_mark
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.security import installation
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealed_files import SealingSecret
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.servers.managed_servers import touch_assignment, touch_site
from cloudgate.manager.storage.database import (
    Database,
    sqlite_url,
)
from cloudgate.manager.storage.sqlite_files import snapshot, take_marks_from
from cloudgate.manager.storage.tables import (
    BackupServer,
    LogonSession,
    ManagedServer,
    TenantSession,
)

_PLAN = "ready"
_MOVING = f"{installation.RESTORING}/{_PLAN}"
"""There once all is ready, and only has to be moved: who was cut short goes on."""
_DATABASE_FILES = tuple(f"{installation.DATABASE}{end}" for end in ("", "-wal", "-shm", "-journal"))


@dataclass(frozen=True)
class Restored:
    """What was brought back, and what there is to decide."""

    contents: Contents
    since: ChangesSince | None
    """None where nothing says what was changed after the backup."""
    by: str = ""
    """What says so."""
    replaced: Path | None = None
    """Where the state is that was there before."""
    open_tokens: tuple[str, ...] = field(default=())
    """Servers whose join token was good in the backup, and is not any more."""


def restore(
    file: Path,
    data: Path,
    secret: SealingSecret,
    now: datetime,
    *,
    journal: Path | None = None,
    replace: bool = False,
) -> Restored:
    """Bring a backup back into a data folder that no manager uses.

    Args:
        file: the backup.
        data: the data folder.
        secret: what it is sealed with.
        now: the time.
        journal: of the changes since; when None, the one beside the backup, if there is one.
        replace: put a manager's state that is in the folder aside.

    Raises:
        CloudgateError: the backup cannot be restored, or there is a manager in the folder. The
            folder is as it was before.
    """
    was_there = data.exists()
    had_tls = (data / "tls").exists()
    with installation.locked(data):
        try:
            if (data / _MOVING).exists():  # all was ready when a restore was cut short
                contents, aside = _finish(data)
                by, since = since_backup(file, contents, journal, aside)
                return Restored(contents, since, by, aside)
            present = installation.present_pieces(data)
            if not replace:
                _see_that_there_is_none(data, present)
            staging = data / installation.RESTORING
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(mode=0o700)
            contents = extract(file, secret, staging)
            by, since = since_backup(file, contents, journal, data if present else None)
            tokens = _make_ready(staging, contents, now)
            aside = data / f"replaced-{now:%Y%m%d-%H%M%S}" if present else None
            plan = {**contents.document(), "aside": aside and aside.name}
            write_private(data / _MOVING, json.dumps(plan))
            _finish(data)
        except OSError as problem:
            _clean(data, was_there=was_there, had_tls=had_tls)
            raise CloudgateError(
                f"The backup cannot be brought into {data}: {problem.filename}: {problem.strerror}."
            ) from None
        except BaseException:
            _clean(data, was_there=was_there, had_tls=had_tls)
            raise
    return Restored(contents, since, by, aside, tokens)


def since_backup(
    file: Path, contents: Contents, journal: Path | None, data: Path | None = None
) -> tuple[str, ChangesSince | None]:
    """What was changed after a backup, and who says so; None where nobody does.

    A journal that is named, else a manager's own state that is there, else the journal beside it.
    """
    by, entries = _entries_since(file, journal, data, contents)
    if entries is None:
        return "", None
    return by, revocations_among(entries, contents.last_audit_number)


def _see_that_there_is_none(data: Path, present: Sequence[str]) -> None:
    if present:
        raise CloudgateError(
            f"There is a manager in {data} already ({', '.join(present)}). Choose an empty folder"
            " with --data, or have its state put aside with --replace."
        )


def end_deciding(data: Path) -> bool:
    """All is decided after a restore; the manager may run. Whether there was something to decide.

    Raises:
        CloudgateError: there is no manager, or its database cannot be written.
    """
    see_that_it_is_whole(data)
    try:
        return take_marks_from(data / installation.DATABASE, OF_A_RESTORE) > 0
    except sqlite3.Error as problem:
        raise CloudgateError(f"That cannot be written down: {problem}. Try again.") from None


def _entries_since(
    file: Path, journal: Path | None, data: Path | None, contents: Contents
) -> tuple[str, list[dict[str, Any]] | None]:
    """Who says what was changed since, and what they say; the newest word of several."""
    if journal is not None:
        return str(journal), entries_of_file(journal)
    if data is not None and (found := _entries_of_folder(data, contents)) is not None:
        return f"the audit log of the manager in {data}", found
    beside = file.resolve().parent / JOURNAL
    if beside.is_file():
        return str(beside), entries_of_file(beside)
    return "", None


def _entries_of_folder(data: Path, contents: Contents) -> list[dict[str, Any]] | None:
    """By a copy: what is there stays as it is, of whatever release it was."""
    copy = data / installation.RESTORING / ".present.db"
    try:
        snapshot(data / installation.DATABASE, copy)
        database = Database(sqlite_url(copy))
    except CloudgateError:  # damaged: that is why a backup is brought back
        return None
    else:
        try:
            return entries_of_database(database, contents.last_audit_number)
        finally:
            database.close()
    finally:
        for each in copy.parent.glob(".present.db*"):
            each.unlink()


def _make_ready(staging: Path, contents: Contents, now: datetime) -> tuple[str, ...]:
    """Have revisions go forward, and let nobody in by what was good for one time.

    Returns the servers whose join token ends by it.
    """
    authority, sealing = open_authority(staging / "tls"), open_sealing(staging)
    database = Database(sqlite_url(staging / installation.DATABASE))
    manager = Manager(database, authority, sealing, clock=lambda: now)
    try:
        with manager.changing() as work:
            put_mark(work.session, BACKED_UP_AT, contents.made_at.isoformat())
            put_mark(work.session, RESTORED_AT, now.isoformat())
            work.next_directory_revision()
            for site in work.session.scalars(select(BackupServer)):
                touch_site(work, site)
            servers = work.session.scalars(select(ManagedServer)).all()
            for server in servers:
                touch_assignment(work, server)
            work.session.execute(delete(LogonSession))
            work.session.execute(delete(TenantSession))
            waiting = [each.name for each in servers if each.join_token_hash and not each.local]
            work.session.execute(
                update(ManagedServer).values(join_token_hash=None, join_token_expires_at=None)
            )
    finally:
        database.close()
    return tuple(sorted(waiting))


def _finish(data: Path) -> tuple[Contents, Path | None]:
    """Have all in its place, the database last; what is there is put aside. May be done again."""
    staging = data / installation.RESTORING
    plan = json.loads((data / _MOVING).read_text())
    aside = data / plan.pop("aside") if plan["aside"] else None
    names = sorted(
        (each.relative_to(staging) for each in staging.rglob("*") if each.is_file()),
        key=lambda name: (name.name == installation.DATABASE, name),
    )
    for name in names:
        if name.name == _PLAN:
            continue
        is_database = name.name == installation.DATABASE
        for old in _DATABASE_FILES if is_database else (name,):
            _put_aside(data, old, aside)
        (data / name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if name.name == "ca.pem":
            (staging / name).chmod(0o644)  # for all who have to trust it
        (staging / name).replace(data / name)
        sync_folder((data / name).parent)
    shutil.rmtree(staging)
    sync_folder(data)
    return contents_of(plan), aside


def _put_aside(data: Path, name: Path | str, aside: Path | None) -> None:
    if aside is None or not (data / name).exists():
        return
    (aside / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data / name).rename(aside / name)


def _clean(data: Path, *, was_there: bool, had_tls: bool) -> None:
    """Take away what was begun; but not where all is ready, and only has to be moved."""
    if (data / _MOVING).exists():
        return
    shutil.rmtree(data / installation.RESTORING, ignore_errors=True)
    with suppress(OSError):  # ENOTEMPTY, EROFS: an empty folder is left
        if not had_tls:
            (data / "tls").rmdir()
    if not was_there:
        shutil.rmtree(data, ignore_errors=True)
