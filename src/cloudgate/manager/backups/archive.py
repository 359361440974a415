"""Backup archive: what is in a backup, how is it written, and is one that was written whole?

A sealed file (`cloudgate.manager.security.sealed_files`) that holds a tar archive: what is in it
comes first, then the database as one state of it, and the other files of the data folder, keys and
certificates among them. What a host service keeps in the same folder is its own, and is not in it.
"""

import hashlib
import io
import json
import re
import secrets
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import func, select

from cloudgate import __version__
from cloudgate.atomic_files import new_private
from cloudgate.errors import CloudgateError
from cloudgate.manager.backups.files import told_what_to_do
from cloudgate.manager.security import installation
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.database_keys import check_keys
from cloudgate.manager.security.sealed_files import SealedReader, SealedWriter, SealingSecret
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.marks import LAST_BACKUP_AT
from cloudgate.manager.storage.migrations import newest_revision
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.sqlite_files import put_mark_into, quick_check, snapshot
from cloudgate.manager.storage.tables import (
    AuditEvent,
    CloudGateway,
    CloudTenant,
    ManagedServer,
)
from cloudgate.named_files import opened

KIND = "backup"
CALLED = "a backup of Cloudgate"
LARGEST_FILE_BYTES = 1024 * 1024
"""Of files besides the database: what is larger is no key, certificate or setting."""
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST_BYTES = 4 * 1024 * 1024
_OTHERS = {"host", "lock", "first-start", *installation.PASSING}
"""What of a data folder is nobody's, or somebody else's."""
_DATABASE_FILE = re.compile(re.escape(installation.DATABASE) + r"(-wal|-shm|-journal)?")
_PASSING = re.compile(r"\..+\.[0-9a-f]{16}\.new|replaced-.*")
_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Contents:
    """What a backup holds."""

    made_at: datetime
    release: str
    revision: str
    """Of the tables."""
    last_audit_number: int
    counts: Mapping[str, int]
    """How many there are of some things that a person knows."""
    files: Mapping[str, tuple[int, str]]
    """By name: bytes and SHA-256."""
    left_out: tuple[str, ...] = ()
    """Files of the folder that are too large to be settings."""

    def document(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "made_at": self.made_at.isoformat(),
            "release": self.release,
            "revision": self.revision,
            "last_audit_number": self.last_audit_number,
            "counts": dict(self.counts),
            "files": {name: list(about) for name, about in self.files.items()},
            "left_out": list(self.left_out),
        }


def contents_of(document: Mapping[str, Any]) -> Contents:
    """What `Contents.document` has said.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it has not.
    """
    return Contents(
        datetime.fromisoformat(document["made_at"]),
        str(document["release"]),
        str(document["revision"]),
        int(document["last_audit_number"]),
        {str(key): int(value) for key, value in document["counts"].items()},
        {str(key): (int(size), str(digest)) for key, (size, digest) in document["files"].items()},
        tuple(document["left_out"]),
    )


def create(data: Path, file: Path, secret: SealingSecret, now: datetime) -> Contents:
    """Write a backup of the manager whose data folder that is; it may run meanwhile.

    Raises:
        CloudgateError: there is no manager, its state is damaged or not whole, or the file is there
            already or cannot be written. Nothing is left of it then.
    """
    see_that_it_is_whole(data)
    with (
        told_what_to_do(file.parent, f"The backup {file}"),
        _beside(data) as copy,
    ):
        snapshot(data / installation.DATABASE, copy)
        found, left_out = _files_of(data)
        contents = _contents(copy, found, left_out, now)
        with new_private(file) as target:
            about = {"made_at": now.isoformat(timespec="seconds"), "release": __version__}
            writer = SealedWriter(target, secret, KIND, about)
            with tarfile.open(fileobj=cast(BinaryIO, writer), mode="w|") as archive:
                _add(archive, _MANIFEST, json.dumps(contents.document()).encode())
                with copy.open("rb") as opened:
                    archive.addfile(_entry(installation.DATABASE, copy.stat().st_size), opened)
                for name, content in found.items():
                    _add(archive, name, content)
            writer.finish()
    _note_made(data, now)
    return contents


def _note_made(data: Path, now: datetime) -> None:
    """Have the manager know that there is a backup, for its figures and warnings."""
    try:
        put_mark_into(data / installation.DATABASE, LAST_BACKUP_AT, now.isoformat())
    except sqlite3.Error:  # SQLITE_FULL, SQLITE_READONLY, a release before: it is made
        return


def verify(file: Path, secret: SealingSecret) -> Contents:
    """Read a backup as a restore would, and see that all of it is there and belongs together.

    Raises:
        CloudgateError: it cannot be restored.
    """
    with unpacked(file, secret) as (contents, _):
        return contents


@contextmanager
def unpacked(file: Path, secret: SealingSecret) -> Iterator[tuple[Contents, Path]]:
    """What is in a backup, and its database, for as long as somebody looks into it.

    Raises:
        CloudgateError: it cannot be restored.
    """
    with tempfile.TemporaryDirectory(prefix="cloudgate-verify-") as folder:
        contents = extract(file, secret, Path(folder))
        yield contents, Path(folder) / installation.DATABASE


def extract(file: Path, secret: SealingSecret, folder: Path) -> Contents:
    """Bring what is in a backup into an empty folder, and see that it is whole and fits together.

    Raises:
        CloudgateError: it cannot be restored: it is something else, damaged, sealed with another
            secret, of a newer release, or there is no room.
    """
    with told_what_to_do(folder, f"What is in {file}"), _opened(file, secret) as reader:
        contents = _unpack(reader, folder, file)
    _examine(folder, file, contents)
    return contents


def said_contents(file: Path, secret: SealingSecret) -> Contents:
    """What a backup says that it holds; whether it does is not looked at.

    Raises:
        CloudgateError: it is something else, damaged, sealed with another secret, or of a newer
            release.
    """
    with _opened(file, secret) as reader:
        try:
            with tarfile.open(fileobj=cast(BinaryIO, reader), mode="r|") as archive:
                return _first(archive, iter(archive), file)
        except tarfile.TarError:
            raise _strange(file) from None


@contextmanager
def _opened(file: Path, secret: SealingSecret) -> Iterator[io.BufferedReader]:
    with opened(file, "the backup") as sealed:
        reader = SealedReader(sealed, secret, KIND, str(file), CALLED)
        yield io.BufferedReader(reader, _PIECE_BYTES)


def see_that_it_is_whole(data: Path) -> None:
    """See that a folder is a manager's, with all its pieces.

    Raises:
        CloudgateError: it is not.
    """
    try:
        missing = installation.missing_pieces(data)
    except OSError as problem:
        raise CloudgateError(
            f"Cannot look into the data folder {data}: {problem.strerror}. Do this as the user that"
            " runs the manager, or as root."
        ) from None
    if missing:
        raise CloudgateError(
            f"There is no manager with all its pieces in {data}; missing there:"
            f" {', '.join(missing)}. Name the manager's data folder with --data. A database of"
            " PostgreSQL is backed up by its own tools, and its keys by cloudgate manager"
            " export-secrets."
        )


@contextmanager
def _beside(data: Path) -> Iterator[Path]:
    """Where the copy of the database is meanwhile; as private as the database."""
    copy = data / f".{installation.DATABASE}.{secrets.token_hex(8)}.new"
    try:
        with new_private(copy):
            pass  # nobody else may read what is written there
        yield copy
    finally:
        for name in ("", "-journal", "-wal", "-shm"):
            copy.with_name(copy.name + name).unlink(missing_ok=True)


def _files_of(data: Path) -> tuple[dict[str, bytes], list[str]]:
    """Keys, certificates and settings; and what is too large to be one."""
    found, left_out = {}, []
    for path in sorted(_walk(data)):
        name = path.relative_to(data).as_posix()
        if path.stat().st_size > LARGEST_FILE_BYTES:
            left_out.append(name)
        else:
            found[name] = path.read_bytes()
    return found, left_out


def _walk(data: Path) -> Iterator[Path]:
    for top in data.iterdir():
        is_other = top.name in _OTHERS or _DATABASE_FILE.fullmatch(top.name)
        if is_other or _PASSING.fullmatch(top.name):
            continue
        for path in (top, *top.rglob("*")) if top.is_dir() and not top.is_symlink() else (top,):
            if path.is_file() and not path.is_symlink() and not _PASSING.fullmatch(path.name):
                yield path


def _contents(
    copy: Path, files: Mapping[str, bytes], left_out: Iterable[str], now: datetime
) -> Contents:
    if found := quick_check(copy):
        raise CloudgateError(
            f"The manager's database is damaged, so a backup of it would be worth nothing: {found}."
            " Keep the backups that there are, and bring the newest of them back."
        )
    with closing(sqlite3.connect(copy)) as connection:

        def count(table: str) -> int:
            (number,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608
            return int(number)

        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        (last,) = connection.execute("SELECT MAX(number) FROM audit_events").fetchone()
        counts = {
            "servers": count(ManagedServer.__tablename__),
            "gateways": count(CloudGateway.__tablename__),
            "tenants": count(CloudTenant.__tablename__),
        }
    about = {name: (len(each), hashlib.sha256(each).hexdigest()) for name, each in files.items()}
    with copy.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    about[installation.DATABASE] = (copy.stat().st_size, digest)
    return Contents(now, __version__, revision, last or 0, counts, about, tuple(left_out))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_entry(name, len(content)), io.BytesIO(content))


def _unpack(stream: io.BufferedReader, folder: Path, file: Path) -> Contents:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            entries = iter(archive)
            contents, written = _first(archive, entries, file), {}
            for entry in entries:
                content = archive.extractfile(entry)
                if content is None or entry.name not in contents.files:
                    raise _strange(file)
                written[entry.name] = _write(content, folder / entry.name)
        while stream.read(_PIECE_BYTES):  # to the last frame: what follows has to be whole, too
            pass
    except tarfile.TarError:
        raise _strange(file) from None
    if written != contents.files:
        raise _strange(file)
    return contents


def _first(archive: tarfile.TarFile, entries: Iterator[tarfile.TarInfo], file: Path) -> Contents:
    entry = next(entries, None)
    content = archive.extractfile(entry) if entry and entry.name == _MANIFEST else None
    if content is None:
        raise _strange(file)
    return _read_manifest(content.read(_LARGEST_MANIFEST_BYTES), file)


def _read_manifest(text: bytes, file: Path) -> Contents:
    try:
        contents = contents_of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _strange(file) from None
    parts = [Path(name).parts for name in contents.files]
    if any(not each or ".." in each or each[0].startswith("/") for each in parts):
        raise _strange(file)
    if contents.revision > newest_revision():
        raise CloudgateError(
            f"{file} was made by a newer release, {contents.release}: its database is at revision"
            f" {contents.revision}, and this release knows {newest_revision()} at most. Restore it"
            " with that release, or a newer one."
        )
    return contents


def _write(content: Any, path: Path) -> tuple[int, str]:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    size, digest = 0, hashlib.sha256()
    with new_private(path) as opened:
        while piece := content.read(_PIECE_BYTES):
            opened.write(piece)
            size += len(piece)
            digest.update(piece)
    return size, digest.hexdigest()


def _examine(folder: Path, file: Path, contents: Contents) -> None:
    """See that a manager could start with this; its database is brought to this release."""
    if missing := installation.missing_pieces(folder):
        raise CloudgateError(
            f"{file} cannot be restored: {', '.join(missing)} is not in it. Take another backup."
        )
    path = folder / installation.DATABASE
    if found := quick_check(path):
        raise CloudgateError(
            f"{file} cannot be restored: its database is damaged: {found}. Take another backup."
        )
    database = Database(sqlite_url(path))
    try:
        check_keys(database, open_authority(folder / "tls"), open_sealing(folder))
        last = last_audit_number(database)
    finally:
        database.close()
    if last < contents.last_audit_number:
        raise _strange(file)


def last_audit_number(database: Database) -> int:
    """Of the newest entry of an audit log; 0 where it has none."""
    with database.reading() as session:
        return session.scalar(select(func.max(AuditEvent.number))) or 0


def _strange(file: Path) -> CloudgateError:
    return CloudgateError(
        f"{file} does not hold what a backup has to hold: it was not made by Cloudgate, or by a"
        " release that this one does not know. Take another backup."
    )
