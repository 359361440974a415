"""A real pooler in transaction mode before a PostgreSQL: Debian's PgBouncer, started by a test."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.ports import free_port
from tests.support.programs.postgres import as_its_user, new_folder
from tests.support.waiting import until

_PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
needs_pooler = pytest.mark.skipif(_PROGRAM is None, reason="needs the Debian package pgbouncer")
CONNECTIONS = 3
"""To the server: fewer than a manager has to the pooler, so that each serves many of them."""


@contextmanager
def pooler(database_url: str) -> Iterator[str]:
    """One before a database of `shared_server`; the database's address behind it."""
    url, folder, port = make_url(database_url), new_folder(), free_port()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"""[databases]
* = host={url.query["host"]}
[pgbouncer]
pool_mode = transaction
default_pool_size = {CONNECTIONS}
max_client_conn = 200
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder / "users"}
"""
    )
    (folder / "users").write_text('"postgres" ""\n')
    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*as_its_user(), str(_PROGRAM), str(settings)], stdout=said, stderr=said
        )
    try:
        until(
            lambda: _is_there(folder, port) or process.poll() is not None,
            said=log.read_text,
        )
        assert process.poll() is None, log.read_text()
        yield f"postgresql://postgres@/{url.database}?host={folder}&port={port}"
    finally:
        process.terminate()
        process.wait(30)


def _is_there(folder: Path, port: int) -> bool:
    return (folder / f".s.PGSQL.{port}").exists()
