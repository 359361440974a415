"""A real PostgreSQL for tests: Debian's, started by them, with a folder and a socket of its own."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from cloudgate.manager.storage.database import Database
from tests.support.scratch import scratch_root
from tests.support.waiting import until

_FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name))
needs_postgresql = pytest.mark.skipif(not _FOUND, reason="needs the Debian package postgresql")
TEMPLATE = "cloudgate_template"
_numbers = count(1)


@dataclass
class Server:
    """A server that runs; it ends with this process."""

    folder: Path
    options: tuple[str, ...] = ("-c", "fsync=off", "-c", "timezone=Asia/Kathmandu")
    """Its zone is one whose hours are none of UTC: what is kept and added up is by UTC."""
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def url(self, database: str, user: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Have the administrator say something."""
        engine = create_engine(
            self.url(database).replace("postgresql:", "postgresql+psycopg:"),
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def start(self) -> None:
        """Start it; it answers when this returns."""
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [
                    *as_its_user(),
                    str(_FOUND[-1] / "postgres"),
                    *("-D", str(self.folder / "data"), "-k", str(self.folder)),
                    *("-c", "listen_addresses=", "-c", "max_connections=60", *self.options),
                ],
                stdout=log,
                stderr=log,
            )
        until(self._answers, said=(self.folder / "log").read_text)

    def stop(self, how: str = "fast") -> None:
        """Stop it, as pg_ctl does: fast, or immediate as in a crash."""
        subprocess.run(
            [
                *(*as_its_user(), str(_FOUND[-1] / "pg_ctl"), "stop", "-w"),
                *("-m", how, "-D", str(self.folder / "data")),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        if self.process is not None:
            self.process.wait(30)

    def new_standby(self) -> "Server":
        """One that has all that this one has, and confirms each change before it is accepted."""
        folder = new_folder()
        subprocess.run(
            [
                *(*as_its_user(), str(_FOUND[-1] / "pg_basebackup"), "--no-sync", "-R", "-C"),
                *("-S", "standby", "-c", "fast", "-U", "postgres", "-h", str(self.folder)),
                *("-D", str(folder / "data")),
            ],
            check=True,
        )
        standby = Server(folder)
        standby.start()
        atexit.register(_end, standby)
        self.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.run("SELECT pg_reload_conf()")
        return standby

    def promote(self) -> None:
        """Have a standby take changes; it does when this returns."""
        command = [*as_its_user(), str(_FOUND[-1] / "pg_ctl"), "promote", "-w", "-D"]
        subprocess.run([*command, str(self.folder / "data")], check=True, stdout=subprocess.DEVNULL)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        command = [str(_FOUND[-1] / "pg_isready"), "-q", "-h", str(self.folder)]
        return subprocess.run(command, check=False).returncode == 0

    def new_database(self) -> str:
        """The address of a database with all tables, as an empty file has them for SQLite."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.url(name)

    def database_on(self, disk: Path) -> str:
        """The address of a database with all tables, whose files alone are on a disk."""
        name = f"on_a_disk_{os.getpid()}_{next(_numbers)}"
        folder = disk / "files"
        folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        self.run(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        self.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} TABLESPACE {name}")
        return self.url(name)

    def forget(self, url: str) -> None:
        """Remove what `database_on` has made."""
        name = make_url(url).database
        self.run(f"DROP DATABASE {name} WITH (FORCE)")
        self.run(f"DROP TABLESPACE {name}")

    def empty_database(self, more: str = "") -> str:
        """The address of a database without tables."""
        name = f"empty_{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0 {more}")
        return self.url(name)


def new_server() -> Server:
    """A server of one's own, to be stopped and started again."""
    folder = new_folder()
    subprocess.run(
        [
            *as_its_user(),
            str(_FOUND[-1] / "initdb"),
            *("-D", str(folder / "data"), "--auth", "trust", "--username", "postgres"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    server = Server(folder)
    server.start()
    atexit.register(_end, server)
    return server


def new_folder() -> Path:
    """A folder of the server's user, which goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="cloudgate-pg-", dir=scratch_root()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    return folder


@cache
def shared_server() -> Server:
    """One server for all tests of this process, with a template to make databases of."""
    server = new_server()
    server.run(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
    Database(server.url(TEMPLATE)).close()
    return server


def as_its_user() -> list[str]:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


def _end(server: Server) -> None:
    if server.process is not None and server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)  # waits for no connection that a test has left
        server.process.wait(30)
