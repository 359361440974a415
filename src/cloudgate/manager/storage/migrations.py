"""Migrations: at which revision are the tables, and how do they come to this release's?"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from cloudgate.errors import UnavailableError
from cloudgate.manager.storage.postgresql import check_sorting, end_what_stands_still
from cloudgate.values.enumeration import few

REVISIONS = Path(__file__).parent / "revisions"
EMPTY = REVISIONS / "empty.sql"
"""What SQLite makes of all revisions up to the one that it names, where there is nothing yet."""
_REVISION = re.compile(r"[0-9]{4}")
KEPT_AS_IT_IS = "0028"
"""Of a database that is older, no manager that stands by knows what it needs to know."""


def bring_forward(connection: Connection, *, as_it_is: bool = False) -> None:
    """Have a database at this release's revision.

    `as_it_is`: only see that it could be, if it has any tables.

    Raises:
        UnavailableError: a newer release has been at work in it, or another program.
    """
    tables = set(inspect(connection).get_table_names())
    found, newest = revision_of(connection), newest_revision()
    _see_that_it_is_ours(connection, tables, found)
    if connection.dialect.name == "postgresql":
        check_sorting(connection)
    elif found is None:
        found = _make_tables(connection)
    if found is not None and found > newest:
        raise UnavailableError(
            f"The database is at revision {found}, made by a newer release; this one knows revision"
            f" {newest} at most. Start the newer release, or restore a backup from before it."
        )
    if found != newest and not (as_it_is and found is not None and found >= KEPT_AS_IT_IS):
        if connection.dialect.name == "postgresql":
            end_what_stands_still(connection)
        migrate(connection)


def _see_that_it_is_ours(connection: Connection, tables: set[str], revision: str | None) -> None:
    """Others use Alembic, too.

    Raises:
        UnavailableError: it is another program's.
    """
    if not tables - {"alembic_version"} and revision is None:
        return
    if revision is not None and _REVISION.fullmatch(revision) and "managed_servers" in tables:
        return
    shown = few(sorted(tables))
    raise UnavailableError(
        f"The database {connection.engine.url.database} is another program's: it holds {shown}."
        " Nothing was changed. Name an empty one."
    )


def _make_tables(connection: Connection) -> str | None:
    """Have an empty file hold the tables, as all revisions up to one would have left them.

    Those take a second of CPU. A file that holds anything is left to them; so is, if there are any,
    what came after that one. Which revision it is at then; None where nothing was made.
    """
    if inspect(connection).get_table_names():
        return None
    for statement in _statements(EMPTY.read_text("utf-8")):
        connection.exec_driver_sql(statement)
    found = revision_of(connection)
    connection.commit()
    return found


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def newest_revision() -> str:
    """The revision of the tables that this release works with; files are named after theirs."""
    return max(file.stem[1:5] for file in (REVISIONS / "versions").glob("r*.py"))


def revision_of(connection: Connection) -> str | None:
    """The revision that the tables are at; None where there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the tables forward to `revision`."""
    # Nearly every start finds the newest revision, and Alembic takes half a second to load.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(REVISIONS))
    config.attributes["connection"] = connection
    with _tables_may_be_made_anew(connection):
        command.upgrade(config, revision)
        connection.commit()


@contextmanager
def _tables_may_be_made_anew(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by dropping it once it was copied: nothing may hang on it meanwhile.

    As https://www.sqlite.org/lang_altertable.html#otheralter has it. The setting holds from the
    next transaction on.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.rollback()
    held = connection.connection.driver_connection
    if held is None:
        raise AssertionError("The connection is closed.")
    (enforced,) = held.execute("PRAGMA foreign_keys").fetchone()
    held.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.rollback()
        held.execute(f"PRAGMA foreign_keys = {enforced}")
