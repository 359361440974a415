"""Database failures: what is wrong with the disk or the file, and what does an operator do?

SQLite says so by a code, https://www.sqlite.org/rescode.html; its texts are for programmers.
"""

import sqlite3

from sqlalchemy.exc import DatabaseError

OUT_OF_ROOM = (
    "Nothing can be changed: the disk that the manager's data folder is on is full. Make"
    " room there, and try again."
)
READ_ONLY = (
    "Nothing can be changed: the disk that the manager's data folder is on, or the database's"
    " file, can only be read. A system makes a disk so that has failed: see what the system's log"
    " says of it, and make it writable."
)
DISK_FAILS = (
    "The disk that the manager's data folder is on fails (I/O error): see what the system's log"
    " says of it. Save the folder elsewhere while it can be read, and bring it back on a disk that"
    " works."
)
CANNOT_OPEN = (
    "The database's files in the manager's data folder cannot be opened: see that the folder is"
    " there, belongs to the user that runs the manager, and that the manager may open more files."
)
DAMAGED = (
    "The database in the manager's data folder is damaged. Stop the manager, and bring the folder"
    " back from a backup."
)

_REASONS = {
    sqlite3.SQLITE_FULL: OUT_OF_ROOM,
    sqlite3.SQLITE_IOERR_SHMSIZE: OUT_OF_ROOM,  # no room for what is shared beside the database
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR: DISK_FAILS,
    sqlite3.SQLITE_CANTOPEN: CANNOT_OPEN,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}
_PRIMARY = 0xFF
"""The part of a code that says of which kind a failure is."""


def reason(problem: DatabaseError) -> str | None:
    """What there is to be mended, for the operator.

    None where it is nothing of the disk's or the file's: a lock of another, for which one waits, or
    a fault of this program. Other databases than SQLite have no such codes.
    """
    code = getattr(problem.orig, "sqlite_errorcode", None)
    if code is None:
        return None
    return _REASONS.get(code) or _REASONS.get(code & _PRIMARY)


def is_damaged(problem: DatabaseError) -> bool:
    """Whether a file is no database any more. A full disk, or another's lock, damages none."""
    return reason(problem) is DAMAGED
