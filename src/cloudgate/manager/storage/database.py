"""Database: how is it opened, and how does a transaction begin?"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, DisconnectionError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.manager.storage.failures import is_damaged, reason
from cloudgate.manager.storage.postgresql import (
    FirstStatement,
    check_sorting,
    end_what_stands_still,
    open_engine,
    postgresql_url,
)
from cloudgate.manager.storage.sqlite_files import BUSY_SECONDS, connect
from cloudgate.manager.storage.touched_tables import note_touched
from cloudgate.manager.storage.write_turns import WriteTurns
from cloudgate.values.enumeration import few

REVISIONS = Path(__file__).parent / "revisions"
EMPTY = REVISIONS / "empty.sql"
"""What SQLite makes of all revisions up to the one that it names, where there is nothing yet."""
_REVISION = re.compile(r"[0-9]{4}")
KEPT_AS_IT_IS = "0028"
"""Of a database that is older, no manager that stands by knows what it needs to know."""


class Database:
    """An open database, migrated to the newest revision."""

    def __init__(self, url: str, *, as_it_is: bool = False) -> None:
        """Open it.

        `as_it_is`: a server's is brought forward by `bring_forward` alone, once it has any tables:
        another manager may be at work in it.

        Raises:
            UnavailableError: a newer release has been at work in it, it is damaged, or it cannot
                be used now: its disk is full or fails, or another program has locked it.
        """
        self.url = url
        self.is_file = make_url(url).get_backend_name() == "sqlite"
        """Whether it is one of SQLite, and not a server's."""
        self._engine = _open(url)
        self._probed = _without_memory(url) or self._engine
        self.first_look = FirstStatement()
        """Of all that write to a server's."""
        self.writer = writing = self._engine.execution_options(
            writes=True, first_look=self.first_look
        )
        self._turns = WriteTurns(BUSY_SECONDS) if self.is_file else None
        self._beside = _beside(url)
        try:
            self.bring_forward(as_it_is=as_it_is and not self.is_file)
        except CloudgateError:
            self.close()
            raise
        self._read = sessionmaker(self._engine, class_=_Reading, expire_on_commit=False)
        self._write = sessionmaker(writing, expire_on_commit=False)
        note_touched(self._engine, self._write)

    def bring_forward(self, *, as_it_is: bool = False) -> None:
        """Have it at this release's revision.

        `as_it_is`: only see that it could be, if it has any tables.

        Raises:
            UnavailableError: as when it is opened.
        """
        # On a server, others may bring it forward at the same moment: one does.
        first = self._engine if self.is_file else self.writer
        try:
            with first.connect() as connection:
                _bring_forward(connection, as_it_is=as_it_is)
        except DatabaseError as problem:
            raise UnavailableError(_why_not_opened(self.url, problem)) from problem

    def beside(self) -> Session:
        """A session that writes single rows of a server beside whoever writes.

        They are locked one by one, and it gives up soon.

        Raises:
            AssertionError: the database is a file.
        """
        if self._beside is None:
            raise AssertionError("Of a file, one writes at a time.")
        return Session(self._beside, expire_on_commit=False)

    def reading(self) -> Session:
        """A session that sees one state and changes nothing."""
        return self._read()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that may change things; one at a time on SQLite, in the order of asking.

        Raises:
            OperationalError: others were at it for too long.
        """
        with self._turns.turn() if self._turns else nullcontext(), self._write() as session:
            yield session

    def current_revision(self) -> str | None:
        """The revision that the tables are at, as the file or the server says right now.

        A connection to SQLite remembers what it has read for as long as nobody writes, so a new one
        is asked.

        Raises:
            DatabaseError: it cannot be read.
        """
        with self._probed.connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found)

    def close(self) -> None:
        """End all connections; those that are in use, once they are not."""
        if not self.is_file:
            event.listen(self._engine.pool, "checkin", _end_connection)
            if self._beside is not None:
                self._beside.dispose()
        self._engine.dispose()
        self._probed.dispose()


def _end_connection(connection: Any, _record: Any) -> None:
    """What comes back to a pool that nobody uses any more would be left to the collector."""
    if connection is not None:
        connection.close()


class _Reading(Session):
    """A session that may read only: it raises as soon as something is changed in it.

    On SQLite the change would work now and then, and fail when somebody else has just written.
    """

    def flush(self, objects: Any = None) -> None:
        """Nothing is ever written.

        Raises:
            AssertionError: there is something to write.
        """
        changed = [*self.new, *self.dirty, *self.deleted]
        if changed:
            raise AssertionError(f"Changed while reading: {changed}")
        super().flush(objects)


def sqlite_url(file: Path) -> str:
    """The address of a SQLite database in a file."""
    return f"sqlite:///{file}"


def _why_not_opened(url: str, problem: DatabaseError) -> str:
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


def _bring_forward(connection: Connection, *, as_it_is: bool = False) -> None:
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


def revision_at(url: str) -> str | None:
    """The revision that a database is at, which stays as it is; None where it holds no tables.

    Raises:
        UnavailableError: it cannot be read.
    """
    engine = _open(url)
    try:
        with engine.connect() as connection:
            return revision_of(connection)
    except DatabaseError as problem:
        raise UnavailableError(_why_not_opened(url, problem)) from problem
    finally:
        engine.dispose()


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


def _open(url: str) -> Engine:
    known = make_url(url)
    if known.get_backend_name() != "sqlite":
        return open_engine(postgresql_url(url))
    file = Path(known.database or "")
    file.touch(mode=0o600)
    engine = create_engine(url, pool_size=10, max_overflow=50, creator=lambda: connect(file))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    _watch_file(engine, file)
    return engine


def _beside(url: str) -> Engine | None:
    if make_url(url).get_backend_name() == "sqlite":
        return None
    return open_engine(postgresql_url(url), stay=1, more=0).execution_options(beside=True)


def _without_memory(url: str) -> Engine | None:
    """Of SQLite: what makes a new connection each time; None for others, which ask the server."""
    known = make_url(url)
    if known.get_backend_name() != "sqlite":
        return None
    file = Path(known.database or "")
    return create_engine(url, poolclass=NullPool, creator=lambda: connect(file))


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


def _prepare_sqlite(connection: Any, _record: Any) -> None:
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


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once: one that reads first could not get it later."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
