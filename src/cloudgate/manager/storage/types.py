"""Column types: how are values kept that databases disagree about?"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A time with zone, kept as UTC; SQLite would lose the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: with its zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class UtcMonth(FunctionElement[str]):
    """The month of UTC that a time is in, such as 2026-11."""

    name = "utc_month"
    type = String()
    inherit_cache = True


class UtcHour(FunctionElement[str]):
    """The hour of UTC that a time is in, such as ``2026-11-30 14``."""

    name = "utc_hour"
    type = String()
    inherit_cache = True


_SHAPES = {"utc_month": "YYYY-MM", "utc_hour": "YYYY-MM-DD HH24"}
"""As the to_char of PostgreSQL has them."""


@compiles(UtcMonth, "sqlite")
@compiles(UtcHour, "sqlite")
def _of_text(element: UtcMonth | UtcHour, compiler: Any, **options: Any) -> str:
    length = len(_SHAPES[element.name].replace("HH24", "HH"))
    return f"substr({compiler.process(element.clauses, **options)}, 1, {length})"


@compiles(UtcMonth, "postgresql")
@compiles(UtcHour, "postgresql")
def _of_time(element: UtcMonth | UtcHour, compiler: Any, **options: Any) -> str:
    time = compiler.process(element.clauses, **options)
    return f"to_char({time} AT TIME ZONE 'UTC', '{_SHAPES[element.name]}')"
