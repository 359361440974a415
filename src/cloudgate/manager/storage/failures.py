"""Database failures: what is wrong with the disk or the file, and what does an operator do?

SQLite says so by a code, https://www.sqlite.org/rescode.html, PostgreSQL by another one,
https://www.postgresql.org/docs/current/errcodes-appendix.html; their texts are for programmers.
"""

import sqlite3

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

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
BUSY = (
    "Others have changed the database for 30 seconds without an end, so this was not done. Try"
    " again; if it happens often, see what else the manager's machine does, and that no other"
    " program has locked the database's file."
)

_REASONS = {
    sqlite3.SQLITE_FULL: OUT_OF_ROOM,
    sqlite3.SQLITE_IOERR_SHMSIZE: OUT_OF_ROOM,  # no room for what is shared beside the database
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR: DISK_FAILS,
    sqlite3.SQLITE_CANTOPEN: CANNOT_OPEN,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_BUSY: BUSY,
}
SERVER_AWAY = (
    "The database's server does not answer, or is being started or stopped. Nothing was lost; try"
    " again as soon as it answers."
)
SERVER_OUT_OF_ROOM = (
    "Nothing can be changed: the disk of the database's server is full. Make room there, and try"
    " again."
)
SERVER_READ_ONLY = (
    "Nothing can be changed: the database can only be read, as a standby's can. Name the primary,"
    " several hosts with target_session_attrs=read-write in the address find it, or see why it is"
    " read-only."
)
SERVER_DENIES = (
    "The database's server does not let Cloudgate's user do that: give it all rights on the"
    " database and on its schema, best by making it their owner."
)
SERVER_FULL = (
    "The database's server takes no more connections. A manager uses up to 21: raise its"
    " max_connections, or see who has the others."
)
SERVER_REFUSES = (
    "The database's server refuses user, password or database: see the address, and the server's"
    " pg_hba.conf and log."
)
SERVER_BUSY = (
    "Somebody else has changed the database for 30 seconds without an end. See what"
    " pg_stat_activity says of it, and try again."
)
STOOD_STILL = (
    "The manager stood still in the middle of a change, which was not made. Try again; if it"
    " happens often, see what else its machine does."
)
_SERVER_REASONS = {
    "08": SERVER_AWAY,
    "57P01": SERVER_AWAY,
    "57P02": SERVER_AWAY,
    "57P03": SERVER_AWAY,
    "53100": SERVER_OUT_OF_ROOM,
    "25006": SERVER_READ_ONLY,
    "42501": SERVER_DENIES,
    "53300": SERVER_FULL,
    "28": SERVER_REFUSES,
    "3D": SERVER_REFUSES,
    "55P03": SERVER_BUSY,
    "25P03": STOOD_STILL,
}
"""By SQLSTATE, or its class."""
OTHERS_WRITE = frozenset({BUSY, SERVER_BUSY})
"""Nothing is wrong with the database."""
PASSING = frozenset({SERVER_AWAY, SERVER_READ_ONLY, SERVER_FULL, STOOD_STILL}) | OTHERS_WRITE
"""What may be over a moment later, as when a standby takes the place of the primary."""
_PRIMARY = 0xFF
"""The part of a code that says of which kind a failure is."""


def reason(problem: SQLAlchemyError) -> str | None:
    """What there is to be mended, for the operator.

    None where it is nothing of the disk's or the file's, but a fault of this program.
    """
    if not isinstance(problem, DatabaseError):
        return None
    code = getattr(problem.orig, "sqlite_errorcode", None)
    if code is None:
        return _server_reason(problem)
    return _REASONS.get(code) or _REASONS.get(code & _PRIMARY)


def is_damaged(problem: DatabaseError) -> bool:
    """Whether a file is no database any more. A full disk, or another's lock, damages none."""
    return reason(problem) is DAMAGED


def why_not_opened(url: str, problem: DatabaseError) -> str:
    """What is wrong with a database that cannot be opened, for the operator."""
    known = make_url(url)
    if known.get_backend_name() != "sqlite":
        shown = known.set(drivername="postgresql").render_as_string(hide_password=True)
        said = str(problem.orig).strip().replace("\n", " ")
        return f"The database {shown} cannot be used: {said} {reason(problem) or ''}".strip()
    name = known.database
    if is_damaged(problem):
        return (
            f"The database {name} cannot be read: {problem.orig}. Bring the data folder back from a"
            " backup, and start again; nothing was changed."
        )
    found = reason(problem) or "See that its server runs, and that no other program has locked it."
    return f"The database {name} cannot be used: {problem.orig}. {found}"


def _server_reason(problem: DatabaseError) -> str | None:
    if not type(problem.orig).__module__.startswith("psycopg"):
        return None
    state = getattr(problem.orig, "sqlstate", None)
    if state is not None:
        return _SERVER_REASONS.get(state) or _SERVER_REASONS.get(state[:2])
    if not isinstance(problem, OperationalError):
        return None
    # Before there is a connection, libpq has a text alone.
    said = str(problem.orig)
    if "too many" in said or "remaining connection slots" in said:
        return SERVER_FULL
    refusals = ("authentication failed", "does not exist", "pg_hba.conf", "no password supplied")
    return SERVER_REFUSES if any(each in said for each in refusals) else SERVER_AWAY
