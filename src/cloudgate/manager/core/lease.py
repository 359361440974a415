"""Lease: which one manager is at work in a server's database, and who may follow it?

A manager keeps much in memory, so a second one on its database would give wrong answers. Whoever
works there has a row that says so, by the database's clock; one that was silent for long is
followed, and finds at its next change that it was. It needs no session of its own, as a lock would.
"""

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection, event, text
from sqlalchemy.orm import Session

from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.manager.core.marks import put_mark, read_mark
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.tables import InstallationMark

MARK = "manager"
KEEPING = "Keeping the database to this manager"
GOOD_FOR = timedelta(seconds=20)
RENEWED_SECONDS = 5.0


class Lease:
    """The right of one manager to work in a database, from `take` to `give_back`."""

    def __init__(self, database: Database, holder: str) -> None:
        """`holder`: names the manager; the same after a restart, and of no other."""
        self._database = database
        self._holder = holder

    def take(self) -> None:
        """Be the one; who writes afterwards is looked at each time.

        Raises:
            UnavailableError: another one is.
        """
        self._renew()
        event.listen(self._database.writer, "begin", self._check)

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name=KEEPING,
            attempt=self._renew_in_thread,
            interval_seconds=RENEWED_SECONDS,
            longest_pause_seconds=RENEWED_SECONDS,
        )

    def give_back(self) -> None:
        """Let another begin at once."""
        with self._database.writing() as session, session.begin():
            found = session.get(InstallationMark, MARK)
            if found is not None:
                session.delete(found)

    async def _renew_in_thread(self) -> None:
        from starlette.concurrency import run_in_threadpool  # noqa: PLC0415

        await run_in_threadpool(self._renew)

    def _renew(self) -> None:
        with self._database.writing() as session, session.begin():
            now = _now(session)
            known = json.loads(read_mark(session, MARK) or "{}")
            until = datetime.fromisoformat(known["until"]) if known else now
            if known and known["holder"] != self._holder and until > now:
                raise UnavailableError(_taken(known["holder"], until - now))
            value = {"holder": self._holder, "until": (now + GOOD_FOR).isoformat()}
            put_mark(session, MARK, json.dumps(value))

    def _check(self, connection: Connection) -> None:
        """Another may have begun while this one stood still."""
        found = connection.exec_driver_sql(
            f"SELECT value FROM installation_marks WHERE name = '{MARK}'"  # noqa: S608  no input
        ).scalar()
        if found is not None and json.loads(found)["holder"] != self._holder:
            raise UnavailableError(_taken(json.loads(found)["holder"], timedelta()))


def _now(session: Session) -> datetime:
    found: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def _taken(holder: str, left: timedelta) -> str:
    return (
        f"Another manager works in this database: {holder}. One does at a time, so nothing is"
        " changed by this one. Stop one of them; one that was killed is followed"
        f" {max(left.total_seconds(), 0):.0f} seconds from now."
    )
