"""SQLite: how is a file's database opened, so that what is written lasts and many may read?"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from cloudgate.manager.storage.sqlite_files import BUSY_SECONDS, connect


def sqlite_url(file: Path) -> str:
    """The address of a SQLite database in a file."""
    return f"sqlite:///{file}"


def open_engine(url: str) -> Engine:
    """Connections to a file, which is made where there is none."""
    file = _file_of(url)
    file.touch(mode=0o600)
    engine = create_engine(url, pool_size=10, max_overflow=50, creator=lambda: connect(file))
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    _watch_file(engine, file)
    return engine


def open_without_memory(url: str) -> Engine:
    """What makes a new connection each time: an old one remembers what it has read."""
    file = _file_of(url)
    return create_engine(url, poolclass=NullPool, creator=lambda: connect(file))


def _file_of(url: str) -> Path:
    return Path(make_url(url).database or "")


def _watch_file(engine: Engine, file: Path) -> None:
    """Use the file that is there now: an open one would be written to wherever it was moved."""

    def note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["file"] = _identity(file)

    def compare(_connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if record.info["file"] != _identity(file):
            raise DisconnectionError(f"{file} was moved away or replaced.")

    event.listen(engine, "connect", note)
    event.listen(engine, "checkout", compare)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:  # ENOENT, EACCES, EIO: it is not there to be written to; SQLite says why not
        return None
    return found.st_dev, found.st_ino


def _prepare(connection: Any, _record: Any) -> None:
    """Durable, concurrent readers, and transactions that begin where we say so."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = MEMORY",  # so that reading needs no disk
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """A writer takes its lock at once: one that reads first could not get it later."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
