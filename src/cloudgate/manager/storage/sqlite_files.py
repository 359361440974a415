"""SQLite files: how is one opened, copied, checked and marked, whatever revision it is at?"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.exc import DatabaseError

from cloudgate.errors import UnavailableError
from cloudgate.manager.storage.failures import reason

BUSY_SECONDS = 30


def connect(file: Path) -> sqlite3.Connection:
    """A connection to one that is there: one that was moved away is missed, and not made anew.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    uri = f"file:{quote(str(file.resolve()))}?mode=rw"
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def dump(file: Path) -> str:
    """What a database of SQLite holds, as statements that make the same of an empty file."""
    with closing(sqlite3.connect(file)) as connection:
        _begin, *statements, _commit = connection.iterdump()
        return "".join(f"{statement}\n" for statement in statements)


def snapshot(source: Path, target: Path) -> None:
    """Copy a database of SQLite as one state of it, while others read and write.

    By its backup API (https://www.sqlite.org/backup.html), all pages in one step.

    Raises:
        UnavailableError: it cannot be read, or there is no room for the copy.
    """
    try:
        with (
            closing(connect(source)) as origin,
            closing(sqlite3.connect(target)) as copy,
        ):
            origin.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
            copy.execute("PRAGMA journal_mode = OFF")  # what was cut short is thrown away
            origin.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as problem:
        found = reason(DatabaseError(None, None, problem)) or f"{problem}."
        raise UnavailableError(
            f"The database {source} cannot be copied to {target.parent}: {found}"
        ) from None


def put_mark_into(file: Path, name: str, value: str) -> None:
    """Set an installation mark in a database of SQLite, as it is: it is not brought forward.

    Raises:
        sqlite3.Error: it cannot be written, or is of a release that has no marks.
    """
    with _as_it_is(file) as connection:
        connection.execute(
            "INSERT OR REPLACE INTO installation_marks (name, value) VALUES (?, ?)", (name, value)
        )


def take_marks_from(file: Path, names: Sequence[str]) -> int:
    """Remove installation marks likewise. Returns how many there were.

    Raises:
        sqlite3.Error: see `put_mark_into`.
    """
    places = ", ".join("?" for _ in names)
    with _as_it_is(file) as connection:
        return connection.execute(
            f"DELETE FROM installation_marks WHERE name IN ({places})",  # noqa: S608  only places
            tuple(names),
        ).rowcount


@contextmanager
def _as_it_is(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(file)) as connection, connection:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        yield connection


def quick_check(file: Path) -> str:
    """What is wrong with a database of SQLite that nobody uses; empty when nothing is."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.Error as problem:
        return str(problem)
    return "" if found == ["ok"] else "; ".join(found)
