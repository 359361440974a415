"""PostgreSQL: how is a server's database opened, so that transactions mean what they do on SQLite?

One writer at a time, by an advisory lock that ends with its transaction, and readers that see one
state: what is looked at before it is changed stays true. Neither needs a session of its own, and
nothing is prepared in one, so that a pooler in transaction mode may stand in between.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from cloudgate.errors import InvalidRequestError, UnavailableError

NAMES = ("postgresql", "postgres", "postgresql+psycopg")
"""What an address may begin with."""
LOCK = 7_140_938_522
"""Of whoever writes; the number means nothing."""
LOCK_SECONDS = 30
CONNECT_SECONDS = 2
"""To one of its hosts; the least that libpq knows."""
IDLE_SECONDS = 8
"""Who writes and says nothing for so long has stood still, and is no longer waited for."""
READER_IDLE_SECONDS = 20
"""The same of who reads; less than `LOCK_SECONDS`: tables are changed once nobody reads them."""
LEFT_SECONDS = 2
"""The same of whoever is at work while another manager has come to lead, and changes tables."""
BESIDE_SECONDS = 3
"""For one row that is written beside whoever writes."""
UNASKED_SECONDS = 1.0
"""For so long after its last use a connection is taken to be there unless it says otherwise."""
_READS = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
    f" SET LOCAL idle_in_transaction_session_timeout = '{READER_IDLE_SECONDS}s';"
    " SET LOCAL timezone = 'UTC'"
)
# In the zone of a server east of Greenwich the last moments of all are of a year that no time has.
_IN_UTC = "set_config('timezone', 'UTC', true)"
_STANDS_STILL = (
    f"set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS}s', true), {_IN_UTC}"
)
_WRITES = (
    f"BEGIN; SELECT set_config('lock_timeout', '{LOCK_SECONDS}s', true), {_STANDS_STILL},"
    f" pg_advisory_xact_lock({LOCK})"
)
_BESIDE = (
    f"BEGIN; SELECT set_config('statement_timeout', '{BESIDE_SECONDS}s', true), {_STANDS_STILL}"
)
"""How transactions begin, each in one message to the server."""
_NOT_SAID = (None,) * 5
_NAME = "cloudgate"
"""What its connections are called at the server."""
_STOOD_STILL = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND application_name = :name"
    " AND state LIKE 'idle in transaction%'"
    " AND state_change < clock_timestamp() - make_interval(secs => :seconds)"
)
_POOL, _OVERFLOW = 10, 10
"""Connections that stay, and that come when many ask at once: a server takes 100 by default."""
_ALIVE: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    "application_name": _NAME,
    "prepare_threshold": None,
    "client_encoding": "utf8",
}


def postgresql_url(address: str) -> URL:
    """The address of a database, as libpq writes it (its section 34.1.1.2).

    Raises:
        InvalidRequestError: it is none of PostgreSQL.
    """
    try:
        found = make_url(address)
    except (ArgumentError, ValueError):
        found = None
    if found is None or found.drivername not in NAMES or not found.database:
        raise InvalidRequestError(
            "The database's address is to be postgresql://USER@HOST:PORT/DATABASE, as libpq has it;"
            " a password is better kept in its password file, or in CLOUDGATE_DATABASE."
        )
    return found.set(drivername="postgresql+psycopg")


@dataclass
class FirstStatement:
    """What each transaction that writes is to see as soon as nobody else does."""

    statement: str = ""
    """Finds one value; empty to look at nothing."""
    see: Callable[[Connection, Any], None] = lambda _connection, _value: None
    """Gets that value; what it raises ends the transaction."""


def open_engine(url: URL, stay: int = _POOL, more: int = _OVERFLOW) -> Engine:
    """Connections to it; none is made before one is wanted.

    Args:
        url: its address.
        stay: how many stay open.
        more: how many there may be besides, while many ask at once.

    Raises:
        UnavailableError: the driver is not there.
    """
    try:
        engine = create_engine(
            url,
            pool_size=stay,
            max_overflow=more,
            connect_args={**_ALIVE, "cursor_factory": _cursor()},
        )
    except ImportError as problem:
        raise UnavailableError(
            f"PostgreSQL cannot be used: {problem}. Add postgres to the release's wheel,"
            " as docs/install.md says."
        ) from None
    event.listen(engine, "connect", _leave_beginning_to_us)
    event.listen(engine, "begin", _begin)
    _replace_what_is_gone(engine)
    return engine


def _cursor() -> type[Any]:
    from psycopg import Cursor  # noqa: PLC0415  an extra; on SQLite nobody needs it

    class LastResult(Cursor[Any]):
        """Of several statements in one message, it shows what the last one has found."""

        def execute(self, *words: Any, **options: Any) -> Any:
            super().execute(*words, **options)
            while self.nextset():
                pass
            return self

        @property
        def description(self) -> Any:
            """As DB-API has it, of which SQLAlchemy reads the name and the type of each column.

            The driver's own makes an object for each, which takes as long as reading a row.
            """
            found = self.pgresult
            if found is None or not (columns := found.nfields):
                return None
            return [
                ((found.fname(each) or b"").decode(), found.ftype(each), *_NOT_SAID)
                for each in range(columns)
            ]

    return LastResult


def _leave_beginning_to_us(connection: Any, _record: ConnectionPoolEntry) -> None:
    """The driver would begin each transaction by a message of its own; ending it is as ever."""
    connection.autocommit = True


def _replace_what_is_gone(engine: Engine) -> None:
    """See of a connection that is to be used whether it is still there.

    Of a server that ended, its end is to be read from it, which costs nothing; one that is not in
    use all the time is asked besides, as its server's machine may have ended without a word.
    """

    def note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    def look(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        failures = engine.dialect.loaded_dbapi.Error
        try:
            connection.pgconn.consume_input()
            connection.pgconn.consume_input()  # its last words are read before its end
            if time.monotonic() - record.info.get("used", 0.0) > UNASKED_SECONDS:
                engine.dialect.do_ping(connection)
        except failures as problem:
            raise DisconnectionError(str(problem)) from problem

    event.listen(engine, "connect", note)
    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", look)


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("writes", False):
        look: FirstStatement = options.get("first_look") or FirstStatement()
        found = connection.exec_driver_sql(
            f"{_WRITES}; {look.statement}" if look.statement else _WRITES
        )
        if look.statement:
            look.see(connection, found.scalar())
    else:
        connection.exec_driver_sql(_BESIDE if options.get("beside", False) else _READS)


def end_what_stands_still(connection: Connection) -> None:
    """End the transactions of managers that have said nothing for `LEFT_SECONDS`.

    For whoever leads now: one that led before, and stands still while it reads, would keep tables
    from being changed; of the release 0.1.0 for ever.
    """
    connection.execute(_STOOD_STILL, {"name": _NAME, "seconds": LEFT_SECONDS})


def check_sorting(connection: Connection) -> None:
    """See that texts are kept and sorted as everywhere else: by their bytes, in UTF-8.

    Raises:
        UnavailableError: they are not.
    """
    encoding, collation = connection.execute(
        text(
            "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database"
            " WHERE datname = current_database()"
        )
    ).one()
    if encoding == "UTF8" and collation.upper().replace("-", "") in ("C", "POSIX", "C.UTF8"):
        return
    name = connection.engine.url.database
    raise UnavailableError(
        f"The database {name} keeps texts as {encoding} and sorts them by {collation}: lists and"
        " their pages would be in another order than Cloudgate's. Make it anew, empty, with:"
        f" CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
    )
