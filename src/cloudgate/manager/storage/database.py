"""Database: how does a transaction begin, of a file or of a server, and who may write next?"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session, sessionmaker

from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.manager.storage import migrations, postgresql, sqlite
from cloudgate.manager.storage.failures import why_not_opened
from cloudgate.manager.storage.postgresql import FirstStatement, postgresql_url
from cloudgate.manager.storage.sqlite_files import BUSY_SECONDS
from cloudgate.manager.storage.touched_tables import note_touched
from cloudgate.manager.storage.write_turns import WriteTurns


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
        self._probed = sqlite.open_without_memory(url) if self.is_file else self._engine
        self.first_look = FirstStatement()
        """Of all that write to a server's."""
        self.writer = writing = self._engine.execution_options(
            writes=True, first_look=self.first_look
        )
        self._turns = WriteTurns(BUSY_SECONDS) if self.is_file else None
        self._beside = None if self.is_file else _beside(url)
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
                migrations.bring_forward(connection, as_it_is=as_it_is)
        except DatabaseError as problem:
            raise UnavailableError(why_not_opened(self.url, problem)) from problem

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


def revision_at(url: str) -> str | None:
    """The revision that a database is at, which stays as it is; None where it holds no tables.

    Raises:
        UnavailableError: it cannot be read.
    """
    engine = _open(url)
    try:
        with engine.connect() as connection:
            return migrations.revision_of(connection)
    except DatabaseError as problem:
        raise UnavailableError(why_not_opened(url, problem)) from problem
    finally:
        engine.dispose()


def _open(url: str) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        return sqlite.open_engine(url)
    return postgresql.open_engine(postgresql_url(url))


def _beside(url: str) -> Engine:
    found = postgresql.open_engine(postgresql_url(url), stay=1, more=0)
    return found.execution_options(beside=True)
