"""Restore: how does a backup become the manager's data folder again? As a whole or not at all.

All of it is brought into a folder within the data folder, looked at, and made ready there; then its
pieces are moved to their places. A manager does not start while that folder is there.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from sqlalchemy import delete, select, update

from cloudgate.atomic_files import sync_folder, write_private
from cloudgate.errors import CloudgateError
from cloudgate.manager.audit.chain import hash_before
from cloudgate.manager.audit.events import WARNING, Change, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.backups.archive import (
    Contents,
    contents_of,
    extract,
    said_contents,
    see_that_it_is_whole,
)
from cloudgate.manager.backups.changes_since import (
    Source,
    backup_end,
    by_file,
    by_journal_beside,
    by_journals_aside,
    by_manager,
    changes_since,
)
from cloudgate.manager.backups.revocations import ChangesSince
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.security import installation
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealed_files import SealingSecret
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.servers.managed_servers import touch_assignment, touch_site
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.marks import BACKED_UP_AT, OF_A_RESTORE, RESTORED_AT, put_mark
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.sqlite_files import take_marks_from
from cloudgate.manager.storage.tables import (
    BackupServer,
    LogonSession,
    ManagedServer,
    TenantSession,
)
from cloudgate.trust import audit_chain
from cloudgate.values import timestamps

RESTORED = Event(audit_chain.RESTORED, "The manager was restored from a backup", WARNING)
_PLAN = "ready"
_MOVING = f"{installation.RESTORING}/{_PLAN}"
"""There once all is ready, and only has to be moved: who was cut short goes on."""
_COPY = ".present.db"
"""Of the database that was there before, while it is read."""
_DATABASE_FILES = tuple(f"{installation.DATABASE}{end}" for end in ("", "-wal", "-shm", "-journal"))


@dataclass(frozen=True)
class RestoreResult:
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
    finished: datetime | None = None
    """When another backup was made of which a restore had been cut short, and was finished first.
    What it brought back has been replaced."""


@dataclass(frozen=True)
class _Plan:
    """What is written down once all of a backup is ready."""

    contents: Contents
    aside: str | None
    """The folder for what is there; None where nothing is."""
    open_tokens: tuple[str, ...]

    def folder(self, data: Path) -> Path | None:
        """The same, as a path."""
        return None if self.aside is None else data / self.aside

    def write(self, data: Path) -> None:
        """Have it known to whoever goes on."""
        more = {"aside": self.aside, "open_tokens": self.open_tokens}
        write_private(data / _MOVING, json.dumps({**self.contents.document(), **more}))


def _plan_of(data: Path) -> _Plan | None:
    """None where nothing is ready."""
    try:
        said = json.loads((data / _MOVING).read_text())
    except FileNotFoundError:
        return None
    # A release before wrote no tokens down.
    return _Plan(contents_of(said), said["aside"], tuple(said.get("open_tokens", ())))


def restore(
    file: Path,
    data: Path,
    secret: SealingSecret,
    now: datetime,
    *,
    journal: Path | None = None,
    replace: bool = False,
) -> RestoreResult:
    """Bring a backup back into a data folder that no manager uses.

    Args:
        file: the backup.
        data: the data folder.
        secret: what it is sealed with.
        now: the time.
        journal: of the changes since; when None, the one beside the backup, if there is one.
        replace: put a manager's state that is in the folder aside.

    A restore that was cut short when all of it was ready is finished: when it was of this backup,
    that is all; when it was of another one, and `replace`, this one then takes its place.

    Raises:
        CloudgateError: the backup cannot be restored, there is a manager in the folder, or another
            backup is ready there. The folder is as it was before, or as the earlier restore has
            left it when that was finished.
    """
    with _cleaned(data):
        plan = ready = _plan_of(data)
        if ready is not None:
            wanted = said_contents(file, secret)
            if not replace:
                _see_that_it_is_the_same(data, ready.contents, wanted)
            _move(data, ready)
            if wanted != ready.contents:
                _end(data)
                plan = None
        if plan is None:
            plan = _prepare(file, data, secret, now, replace=replace)
        by, since = _since(file, data, journal, plan.contents, (ready, plan))
        if plan is not ready:
            plan.write(data)
            _move(data, plan)
        _end(data)
    finished = ready.contents.made_at if ready and ready is not plan else None
    return RestoreResult(plan.contents, since, by, plan.folder(data), plan.open_tokens, finished)


@contextmanager
def _cleaned(data: Path) -> Iterator[None]:
    """Be the only one at a data folder, where what was begun is taken away if it fails."""
    was_there = data.exists()
    had_tls = (data / "tls").exists()
    with installation.locked(data):
        try:
            yield
        except OSError as problem:
            _clean(data, was_there=was_there, had_tls=had_tls)
            raise CloudgateError(
                f"The backup cannot be brought into {data}: {problem.filename}: {problem.strerror}."
            ) from None
        except BaseException:
            _clean(data, was_there=was_there, had_tls=had_tls)
            raise


def since_backup(
    file: Path, contents: Contents, database: Path, journal: Path | None
) -> tuple[str, ChangesSince | None]:
    """What was changed after a backup, and who says so; None where nobody does.

    A journal that is named, else the journal beside it. `database` is the backup's.
    """
    with backup_end(database, contents) as end:
        named = [by_file(journal)] if journal else by_journal_beside(file, is_needed=True)
        return changes_since(end, named, by_journals_aside(file))


def _since(
    file: Path, data: Path, journal: Path | None, contents: Contents, plans: Iterable[_Plan | None]
) -> tuple[str, ChangesSince | None]:
    """The same, also by the manager that was there before any of these plans."""
    staging = data / installation.RESTORING
    staged = staging / installation.DATABASE
    before, earlier = _managers_before(data, plans)
    with backup_end(staged if staged.exists() else data / staged.name, contents) as end:

        def by_managers(folders: Iterable[Path]) -> Iterator[Source]:
            for each in folders:
                yield from by_manager(each, end, staging / _COPY)

        def first() -> Iterator[Source]:
            if journal is not None:
                yield by_file(journal)
                return
            known = [*by_managers(before)]
            yield from known
            yield from by_journal_beside(file, is_needed=not known)

        def put_aside() -> Iterator[Source]:
            yield from by_managers([*before, *earlier] if journal is not None else earlier)
            yield from by_journals_aside(file)

        return changes_since(end, first(), put_aside())


def _managers_before(
    data: Path, plans: Iterable[_Plan | None]
) -> tuple[Sequence[Path], Sequence[Path]]:
    """Where the manager is that was there before any of these plans, if there was one.

    And those that earlier restores have put aside, the newest first.
    """
    folders = [data / each.aside for each in plans if each is not None and each.aside is not None]
    if (data / installation.RESTORING / installation.DATABASE).exists():
        folders.append(data)  # what is there was not put aside yet
    before = [each for each in folders if (each / installation.DATABASE).exists()][:1]
    aside = sorted(data.glob("replaced-*"), reverse=True)
    earlier = [each for each in aside if (each / installation.DATABASE).exists()]
    return before, [each for each in earlier if each not in before]


def _see_that_it_is_the_same(data: Path, ready: Contents, wanted: Contents) -> None:
    if wanted == ready:
        return
    earlier, this = (timestamps.readable(each.made_at) for each in (ready, wanted))
    raise CloudgateError(
        f"A restore into {data} was cut short, of the backup of {earlier}: all of it is ready,"
        f" and only has to be moved. This is another backup, of {this}; nothing was"
        f" changed. Name that of {earlier} again to have it finished; or add --replace, and it"
        " is finished, put aside, and this one takes its place."
    )


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


def _prepare(
    file: Path, data: Path, secret: SealingSecret, now: datetime, *, replace: bool
) -> _Plan:
    """Have all of a backup ready to be moved."""
    present = installation.present_pieces(data)
    if not replace:
        _see_that_there_is_none(data, present)
    staging = data / installation.RESTORING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    contents = extract(file, secret, staging)
    tokens = _make_ready(staging, contents, now)
    return _Plan(contents, _new_name(data, now) if present else None, tokens)


def _new_name(data: Path, now: datetime) -> str:
    """Of a folder for what is there. Two restores may be of the same second."""
    name = f"replaced-{now:%Y%m%d-%H%M%S}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(each for each in names if not (data / each).exists())


def _make_ready(staging: Path, contents: Contents, now: datetime) -> tuple[str, ...]:
    """Have revisions go forward, and let nobody in by what was good for one time.

    Returns the servers whose join token ends by it.
    """
    authority, sealing = open_authority(staging / "tls"), open_sealing(staging)
    database = Database(sqlite_url(staging / installation.DATABASE))
    manager = Manager(database, authority, sealing, clock=lambda: now)
    try:
        with manager.changing() as work:
            _record_restore(work, contents)
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


def _record_restore(work: UnitOfWork, contents: Contents) -> None:
    """The first entry of a new past says which backup it goes on from."""
    number = contents.last_audit_number
    document = {
        "BackupTime": contents.made_at.isoformat(),
        "LastNumber": number,
        "LastHash": hash_before(work.session, number + 1),
    }
    record(work, Change(RESTORED, "Backup", after=document))


def _move(data: Path, plan: _Plan) -> None:
    """Have all in its place, the database last; what is there is put aside. May be done again."""
    staging, aside = data / installation.RESTORING, plan.folder(data)
    names = sorted(
        (each.relative_to(staging) for each in staging.rglob("*") if each.is_file()),
        key=lambda name: (name.name == installation.DATABASE, name),
    )
    for name in names:
        if name.name == _PLAN or name.name.startswith(_COPY):
            continue
        is_database = name.name == installation.DATABASE
        for old in _DATABASE_FILES if is_database else (name,):
            _put_aside(data, old, aside)
        (data / name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if name.name == "ca.pem":
            (staging / name).chmod(0o644)  # for all who have to trust it
        (staging / name).replace(data / name)
        sync_folder((data / name).parent)


def _end(data: Path) -> None:
    """All is in its place. At once, so that nothing is left that looks like half a restore."""
    over = data / installation.RESTORED
    shutil.rmtree(over, ignore_errors=True)
    (data / installation.RESTORING).rename(over)
    sync_folder(data)
    shutil.rmtree(over, ignore_errors=True)  # whoever is next takes it away


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
