"""Managers of two releases are on one database: does each revision only add to what is there?

The one of the older release may have led a moment ago, with changes under way, and stands by next.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

from cloudgate.manager.lease import Lease
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.migrations import KEPT_AS_IT_IS, REVISIONS, migrate
from cloudgate.manager.storage.postgresql import postgresql_url
from tests.support.programs.postgres import needs_postgresql, shared_server

SHARED = [
    script.revision
    for script in reversed([*ScriptDirectory(str(REVISIONS)).walk_revisions()])
    if script.revision >= KEPT_AS_IT_IS
]
"""The revisions at which managers of two releases may be on one database, the oldest first."""
EXCEPTIONS: dict[str, set[str]] = {}
"""By revision, what it takes away all the same; its own text says why an older manager bears it."""


@dataclass(frozen=True)
class Column:
    """As an older release writes it, or not."""

    kind: str
    may_be_left_out: bool
    may_be_null: bool


@dataclass(frozen=True)
class Table:
    """What those who write to it rely on."""

    columns: dict[str, Column]
    limits: frozenset[str]
    """What rows must not be: primary key, unique, foreign keys, checks."""


def tables_of(connection: Connection) -> dict[str, Table]:
    """All of a database."""
    found = inspect(connection)
    limits: dict[str, set[str]] = {name: set() for name in found.get_table_names()}
    for (_, name), keys in found.get_multi_foreign_keys().items():
        limits[name] |= {
            f"{each['constrained_columns']} are in {each['referred_table']}" for each in keys
        }
    for (_, name), unique in found.get_multi_unique_constraints().items():
        limits[name] |= {f"{each['column_names']} are unique" for each in unique}
    for (_, name), indexes in found.get_multi_indexes().items():
        limits[name] |= {f"{each['column_names']} are unique" for each in indexes if each["unique"]}
    for (_, name), checks in found.get_multi_check_constraints().items():
        limits[name] |= {str(each["sqltext"]) for each in checks}
    for (_, name), key in found.get_multi_pk_constraint().items():
        limits[name].add(f"{key['constrained_columns']} are the key")
    return {
        name: Table(
            {
                each["name"]: Column(
                    str(each["type"]),
                    each["nullable"] or each["default"] is not None,
                    each["nullable"],
                )
                for each in columns
            },
            frozenset(limits[name]),
        )
        for (_, name), columns in found.get_multi_columns().items()
    }


def taken_away(before: dict[str, Table], after: dict[str, Table]) -> Iterator[str]:
    """What a release that knows `before` cannot do any more."""
    for name, table in before.items():
        now = after.get(name)
        if now is None:
            yield f"table {name} is gone"
            continue
        for column, was in table.columns.items():
            found = now.columns.get(column)
            if found is None:
                yield f"{name}.{column} is gone"
            elif found.kind != was.kind:
                yield f"{name}.{column} is {found.kind} now"
            elif was.may_be_null and not found.may_be_null:
                yield f"{name}.{column} may not be null any more"
        for column in now.columns.keys() - table.columns.keys():
            if not now.columns[column].may_be_left_out:
                yield f"{name}.{column} may not be left out"
        for limit in now.limits - table.limits:
            yield f"{name}: {limit}"


WAS = {"a": Table({"n": Column("INT", may_be_left_out=True, may_be_null=True)}, frozenset({"key"}))}
NEW = Column("TEXT", may_be_left_out=True, may_be_null=False)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "table a is gone"),
        (Table({}, frozenset()), "a.n is gone"),
        (Table({"n": replace(WAS["a"].columns["n"], kind="TEXT")}, frozenset()), "a.n is TEXT now"),
        (
            Table({"n": replace(WAS["a"].columns["n"], may_be_null=False)}, frozenset()),
            "a.n may not be null any more",
        ),
        (
            Table(WAS["a"].columns | {"m": replace(NEW, may_be_left_out=False)}, frozenset()),
            "a.m may not be left out",
        ),
        (Table(WAS["a"].columns, frozenset({"key", "n is unique"})), "a: n is unique"),
        (Table(WAS["a"].columns | {"m": NEW}, frozenset({"key"})), None),
    ],
)
def test_what_is_taken_away_is_seen(table: Table | None, said: str | None) -> None:
    after = {} if table is None else {"a": table, "b": table}
    assert [*taken_away(WAS, after)] == ([] if said is None else [said])


@needs_postgresql
def test_each_revision_since_managers_share_a_database_only_adds_to_it() -> None:
    url = shared_server().empty_database()
    engine = create_engine(postgresql_url(url))
    with engine.connect() as connection:
        migrate(connection, SHARED[0])
        before = tables_of(connection)
        # Who leads, and where managers are, is all that one that stands by asks the database.
        older = Database(url, as_it_is=True)
        lease = Lease(older, "older", "https://older.example:9398")
        for revision in SHARED[1:]:
            migrate(connection, revision)
            after = tables_of(connection)
            assert {*taken_away(before, after)} <= EXCEPTIONS.get(revision, set()), revision
            before = after
            assert lease.try_to_take()
            lease.give_back()
        older.close()
    engine.dispose()
