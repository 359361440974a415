"""Database to look at: how is a manager's read while the manager may be at work in it?

Nothing can be changed in it by that, whichever it is: a file of SQLite, or a server's.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from cloudgate.diagnosis.findings import Finding, Verdict
from cloudgate.errors import UnavailableError
from cloudgate.manager import lease
from cloudgate.manager.security.installation import DATABASE
from cloudgate.manager.storage.failures import reason
from cloudgate.manager.storage.migrations import newest_revision
from cloudgate.manager.storage.postgresql import check_sorting, open_engine, postgresql_url

BUSY_SECONDS = 5.0
NAME = "database"
FAILURES = (sqlite3.Error, UnavailableError)
"""What a database that cannot be read raises here."""


@contextmanager
def read_only(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection by which nothing can be changed, and no file be made.

    Raises:
        sqlite3.Error: there is no database, or it cannot be read.
    """
    address = f"file:{quote(str(file))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as opened:
        yield opened


class DatabaseFile:
    """One of SQLite."""

    tables = "SELECT name FROM sqlite_master WHERE type='table'"

    def __init__(self, file: Path) -> None:
        self._file = file

    def rows(self, query: str) -> Iterator[dict[str, Any]]:
        """What a query finds.

        Raises:
            sqlite3.Error: it cannot be read, or not any further.
        """
        with read_only(self._file) as opened:
            opened.row_factory = sqlite3.Row
            opened.text_factory = _decoded
            for row in opened.execute(query):
                yield dict(row)


class DatabaseServer:
    """One of PostgreSQL."""

    tables = (
        "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = current_schema()"
    )

    def __init__(self, url: str) -> None:
        """`url`: as the manager has it."""
        self._url = url

    def rows(self, query: str) -> Iterator[dict[str, Any]]:
        """What a query finds.

        Raises:
            UnavailableError: it cannot be read.
        """
        with _reading(self._url) as engine, engine.connect() as connection:
            yield from (dict(row) for row in connection.execute(text(query)).mappings())


def look_at_server(url: str) -> Finding:
    """Whether a server's database can be read, is this release's, and who leads in it."""
    try:
        with _reading(url) as engine, engine.connect() as connection:
            check_sorting(connection)
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            said = text("SELECT value FROM installation_marks WHERE name = :name")
            mark = connection.execute(said, {"name": lease.MARK}).scalar()
            now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    except UnavailableError as problem:
        return Finding(NAME, Verdict.PROBLEM, problem.message, "cloudgate serve says more.")
    leads = "no manager has led yet"
    if mark is not None:
        known = json.loads(mark)
        leads = f"{known['holder']} leads, at {known['url']}"
        if lease.is_over(known, now):
            text_ = f"No manager leads; the last was {known['holder']}, until {known['until']}."
            return Finding(NAME, Verdict.PROBLEM, text_, "Start a manager: cloudgate serve.")
    if found != newest_revision():
        text_ = f"It is at revision {found}, and this release works with {newest_revision()}."
        advice = "The next manager that leads brings it there: docs/managers.md, Upgrades."
        return Finding(NAME, Verdict.WARNING, text_, advice)
    return Finding(NAME, Verdict.OK, f"It answers, at revision {found}; {leads}.")


@contextmanager
def _reading(url: str) -> Iterator[Engine]:
    engine = open_engine(postgresql_url(url), stay=1, more=0)
    try:
        yield engine
    except DatabaseError as problem:
        said = str(problem.orig).strip().partition("\n")[0]
        raise UnavailableError(f"The database cannot be read: {reason(problem) or said}") from None
    finally:
        engine.dispose()


def _decoded(code: bytes) -> str:
    """A text, which a disk may have damaged."""
    return code.decode(errors="replace")


def database_of(data: Path, database: str | None) -> DatabaseFile | DatabaseServer | None:
    """The manager's database, a file in its data folder or a server's; None where there is none."""
    if database is not None:
        return DatabaseServer(database)
    file = data / DATABASE
    return DatabaseFile(file) if file.exists() else None


def select(columns: str, table: str, condition: str = "") -> str:
    """A query, for `rows`, of names that are all written down in code."""
    chosen = f" WHERE {condition}" if condition else ""
    return f"SELECT {columns} FROM {table}{chosen}"  # noqa: S608  as promised
