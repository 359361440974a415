"""Copying: how does all that a database holds come into another one, and is it the same there?"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, text

from cloudgate.errors import CloudgateError
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.tables import AuditEvent, Base

_AT_ONCE = 1000


def copy_all(source: Database, target: Database) -> Mapping[str, int]:
    """Copy all rows into a database without any, in one transaction. How many, by table.

    Raises:
        CloudgateError: the target holds something, or does not give back what it was given; it is
            as it was before then.
        DatabaseError: one of them fails.
    """
    copied = {}
    with source.reading() as reading, target.writing() as writing, writing.begin():
        origin, goal = reading.connection(), writing.connection()
        _see_that_it_is_empty(goal)
        for table in Base.metadata.sorted_tables:
            if table.name != AuditEvent.__tablename__:  # which only grows, and is empty
                goal.execute(delete(table))
            for rows in _batches(origin, table):
                goal.execute(insert(table), rows)
            _go_on_counting(goal, table)
        for table in Base.metadata.sorted_tables:
            before, after = _digest(origin, table), _digest(goal, table)
            if before != after:
                raise CloudgateError(
                    f"The table {table.name} is not the same in the other database: {before[0]}"
                    f" rows were read, and {after[0]} are there. Nothing was kept of it."
                )
            copied[table.name] = before[0]
    return copied


def _see_that_it_is_empty(goal: Connection) -> None:
    """What a new database begins with counts for nothing; whatever people made does."""
    for name in ("accounts", "backup_servers", "audit_events", "tasks", "usage"):
        table = Base.metadata.tables[name]
        if goal.scalar(select(func.count()).select_from(table)):
            raise CloudgateError(
                f"The database {goal.engine.url.database} is not empty: there are rows in {name}."
                " Nothing was changed. Name a new one."
            )


def _batches(origin: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    found = origin.execution_options(yield_per=_AT_ONCE).execute(_in_order(table)).mappings()
    for rows in found.partitions():
        yield [dict(row) for row in rows]


def _in_order(table: Table) -> Any:
    return select(table).order_by(*table.primary_key.columns)


def _go_on_counting(goal: Connection, table: Table) -> None:
    """The next number is larger than those that were copied."""
    column = table.autoincrement_column
    if column is None or goal.dialect.name != "postgresql":
        return
    sequence = goal.scalar(
        text("SELECT pg_get_serial_sequence(:name, :column)"),
        {"name": table.name, "column": column.name},
    )
    largest = goal.scalar(select(func.max(column)))
    if sequence is not None and largest is not None:
        goal.execute(text("SELECT setval(:name, :value)"), {"name": sequence, "value": largest})


def _digest(connection: Connection, table: Table) -> tuple[int, str]:
    """How many rows there are, and the SHA-256 of all that they say."""
    count, digest = 0, hashlib.sha256()
    for rows in _batches(connection, table):
        for row in rows:
            count += 1
            digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
    return count, digest.hexdigest()
