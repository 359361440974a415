"""Database to look at: how is a manager's read while the manager may be at work in it?"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

BUSY_SECONDS = 5.0


@contextmanager
def read_only(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection by which nothing can be changed, and no file be made.

    Raises:
        sqlite3.Error: there is no database, or it cannot be read.
    """
    address = f"file:{quote(str(file))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as opened:
        yield opened
