"""What is kept in memory ends with what it was read from: is it known which tables that is?"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, event, insert, select, text

from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import (
    Account,
    AccountRole,
    ApiToken,
    CloudTenant,
    Counter,
    LogonSession,
)
from cloudgate.manager.storage.touched_tables import EVERY, read_with, touched
from tests.support.programs.postgres import needs_postgresql, shared_server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    is_file = request.param == "sqlite"
    found = Database(
        sqlite_url(tmp_path / "cloudgate.db") if is_file else shared_server().new_database()
    )
    yield found
    found.close()


def test_a_transaction_has_touched_what_its_statements_change_and_nothing_else(
    database: Database,
) -> None:
    with database.writing() as session, session.begin():
        assert session.get(Account, uuid4()) is None
        assert touched(session) == set()
        session.add(Counter(name="one", value=1))
        session.flush()
        assert touched(session) == {"counters"}
        session.execute(insert(Account).values(name="a"))
    assert touched(session) == {"counters", "accounts"}
    with database.writing() as session, session.begin():
        with session.begin_nested():
            session.get_one(Counter, "one").value = 2
        session.execute(text("UPDATE accounts SET kind = 'Group'"))
    assert touched(session) == {"counters", "accounts"}


def test_what_is_removed_along_is_touched_too(database: Database) -> None:
    with database.writing() as session, session.begin():
        session.execute(delete(CloudTenant))
        assert {"cloud_tenants", "logon_sessions", "subtenants"} <= touched(session)
        assert "accounts" not in touched(session)


def test_a_statement_of_another_kind_has_touched_all(database: Database) -> None:
    with database.writing() as session, session.begin():
        session.execute(text("CREATE TABLE another (id INTEGER)"))
        assert EVERY in touched(session)


@pytest.mark.parametrize("kind", [LogonSession, ApiToken])
def test_a_row_is_read_from_the_tables_that_are_said_and_no_others(
    database: Database, kind: type[LogonSession | ApiToken]
) -> None:
    read = set[str]()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        read.update(re.findall(r"(?:FROM|JOIN) (\w+)", statement))

    event.listen(database.writer, "before_cursor_execute", note)
    with database.writing() as session, session.begin():
        account = Account(name="ann", roles=[AccountRole(role_id=uuid4())])
        session.add(_of(account, kind))
        session.flush()
        session.expunge_all()
        (found,) = session.scalars(select(kind)).all()
        assert isinstance(found, LogonSession | ApiToken)
        assert len(found.account.roles) == 1
    assert read == read_with(kind)
    assert {"accounts", "account_roles", "required_factors", "second_factors"} <= read


def _of(account: Account, kind: type[LogonSession | ApiToken]) -> LogonSession | ApiToken:
    now = datetime.now(UTC)
    if kind is LogonSession:
        return LogonSession(account=account, version="v1", created_at=now, used_at=now)
    kept = {"name": "t", "role_id": uuid4(), "secret_hash": "h"}
    return ApiToken(account=account, created_at=now, ends_at=now, **kept)
