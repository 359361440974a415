"""A manager with its folder, and entries of its audit log."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.database_keys import check_keys
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def opened(data: Path, clock: Callable[[], datetime] = lambda: NOW) -> Manager:
    data.mkdir(exist_ok=True)
    (data / "tls").mkdir(exist_ok=True)
    authority, sealing = open_authority(data / "tls"), open_sealing(data)
    database = Database(sqlite_url(data / "cloudgate.db"))
    check_keys(database, authority, sealing)
    return Manager(database, authority, sealing, clock=clock)


def entry(number: int, operation: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "at": f"2030-01-01T00:00:{number:02}Z",
        "account": "admin",
        "operation": operation,
        "text": f"{operation} {name}",
        "object_id": f"id of {name}",
        "object_name": name,
        "before": None,
        "after": None,
        "success": True,
        **more,
    }
