"""Raw values: what does the driver of a database give, where many rows are read for a page? Pure.

What SQLAlchemy would make of ten thousand rows costs more than the page.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any


def hex_of(identifier: Any) -> str:
    """An id's digits: SQLite has them as text, PostgreSQL has UUIDs."""
    return identifier if isinstance(identifier, str) else str(identifier.hex)


def seconds_of(moment: Any) -> int:
    """A time in seconds since 1970: SQLite has it as text in UTC."""
    return _of_text(moment) if isinstance(moment, str) else int(moment.timestamp())


@lru_cache(4096)
def _of_text(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
