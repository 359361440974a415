"""How is the database opened, and how does a transaction begin?"""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

REVISIONS = Path(__file__).parent / "revisions"
_BUSY_SECONDS = 30


class Database:
    """An open database, migrated to the newest revision."""

    def __init__(self, url: str) -> None:
        self._engine = _open(url)
        with self._engine.connect() as connection:
            migrate(connection)
        writing = self._engine.execution_options(writes=True)
        self._read = sessionmaker(self._engine, class_=_Reading, expire_on_commit=False)
        self._write = sessionmaker(writing, expire_on_commit=False)

    def reading(self) -> Session:
        """A session that sees one state and changes nothing."""
        return self._read()

    def writing(self) -> Session:
        """A session that may change things; one at a time on SQLite."""
        return self._write()

    def close(self) -> None:
        """End all connections."""
        self._engine.dispose()


class _Reading(Session):
    """Finds out at once whoever changes something where nothing may be changed.

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


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the tables forward to `revision`."""
    config = Config()
    config.set_main_option("script_location", str(REVISIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    connection.commit()


def _open(url: str) -> Engine:
    engine = create_engine(url, pool_size=10, max_overflow=50)
    if make_url(url).get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Durable, concurrent readers, and transactions that begin where we say so."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once: one that reads first could not get it later."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
