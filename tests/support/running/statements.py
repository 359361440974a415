"""How do the managers of one test process share what SQLAlchemy makes of their statements?

SQLAlchemy compiles each statement once for each engine, which a product that runs for months does
not notice; here every test has an engine of its own, and a third of its processor time went there.
"""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from cloudgate.manager.storage import postgresql, sqlite

_compiled: dict[Any, Any] = {}


def share_statements(patch: pytest.MonkeyPatch) -> None:
    """From now on, a statement that was compiled for one database is used for all of them."""

    def alike(one: object, other: object) -> bool:
        return type(one) is type(other)

    def hashed(dialect: object) -> int:
        return hash(type(dialect))

    # What is compiled is kept by dialect, of which each engine has one; they are all alike.
    for each in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        patch.setattr(each, "__eq__", alike)
        patch.setattr(each, "__hash__", hashed)
    shared = partial(create_engine, execution_options={"compiled_cache": _compiled})
    for opened in (postgresql, sqlite):
        patch.setattr(opened, "create_engine", shared)
