"""Lease: which of the managers on one database leads, until when, and where are the others?

A manager keeps much in memory, so one of them has all of it: it leads, and the others hand on to it
what they are asked. Who leads has a row that says so, with a term that only grows and a time by the
database's clock. Whoever leads writes the time anew each second; one that was silent for longer is
followed. It finds at its next change, or by its own clock before its next answer, that it leads no
more. No session of the database's has to last, as it would for a lock.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cloudgate.errors import UnavailableError
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.failures import reason
from cloudgate.manager.storage.marks import put_mark
from cloudgate.manager.storage.migrations import newest_revision
from cloudgate.manager.storage.tables import InstallationMark

log = structlog.get_logger(__name__)

MARK = "manager"
MANAGERS = "managers"
"""Name of the mark that has the addresses of all managers that were there lately."""
REVISIONS = "managers' revisions"
"""Name of the mark that has which revision of the database each of them works with."""
GOOD_FOR = timedelta(seconds=5)
RENEWED_SECONDS = 1.0
SILENT_SECONDS = 1.5
"""So long who leads must have been seen to be silent: longer than until it is tried again."""
LISTED_SECONDS = 5.0
"""How often a manager says where it is."""
FORGOTTEN_AFTER = timedelta(minutes=15)
"""A manager that has not said so for so long."""
RETRY_SECONDS = 2
"""When whoever was refused because of it may ask again."""
_TAKES = "takes"
"""Option of the transaction that makes a manager the one that leads."""
_MARGIN_SECONDS = 0.5
"""By so much less a manager believes itself than others do, for clocks that run unevenly."""


@dataclass(frozen=True)
class Leader:
    """Who leads, as the database says."""

    url: str
    """By which others reach it."""
    term: int
    holder: str = ""
    """Names it to people."""
    until: str = ""
    """As it has said last."""


class Lease:
    """The right to lead in a database, from `take` to `give_back`. Any thread may ask."""

    def __init__(
        self,
        database: Database,
        holder: str,
        url: str = "",
        clock_seconds: Callable[[], float] | None = None,
        revision: str | None = None,
    ) -> None:
        """Whose it would be; who does not lead writes nothing any more.

        Args:
            database: of a server.
            holder: names the manager to people.
            url: by which other managers and hosts reach it.
            clock_seconds: goes on while the process, or the machine, stands still.
            revision: of the database, that the manager works with; its release's when left out.
        """
        self._clock_seconds = clock_seconds or _boot_seconds
        self._database = database
        self._holder = holder
        self.url = url
        self._name = secrets.token_hex(8)
        """Of this process: another one with the same folder has another."""
        self._sure_until_seconds = -1.0
        self._listed_at_seconds = -1.0
        self._silent: tuple[str, float] | None = None
        """Until when somebody led who was silent then, and since when that was seen."""
        self._ended = Event()
        self._keeping: Thread | None = None
        self.term: int | None = None
        """While this manager leads, as far as it knows."""
        self.leader: Leader | None = None
        """Who leads, as was last read."""
        self.managers: tuple[str, ...] = (url,) if url else ()
        """Where managers are, as was last read, this one among them."""
        self._revision = revision or newest_revision()
        self.revisions: Mapping[str, str] = {url: self._revision} if url else {}
        """Which revision of the database each works with, by where it is, as was last read."""
        database.first_look.statement = (
            f"SELECT value FROM installation_marks WHERE name = '{MARK}'"  # noqa: S608  no input
        )
        database.first_look.see = self._check

    def take(self) -> None:
        """Lead, after a while where who led before was killed.

        Raises:
            UnavailableError: another one does.
        """
        first: Leader | None = None
        while not self.try_to_take():
            found, first = self.leader, first or self.leader
            if found is not None and found != first:
                raise UnavailableError(
                    f"Another manager leads in this database: {found.holder}. Stop it before."
                )
            self._ended.wait(RENEWED_SECONDS / 2)

    def try_to_take(self) -> bool:
        """Lead if nobody else does. Whether this manager leads now.

        Who is silent is followed when it was so at two looks, a second apart: a database that is
        back after a while finds those that led before still there.

        Raises:
            DatabaseError: the database cannot be asked.
        """
        with self._database.beside() as session, session.begin():
            known, now = _read(session), _now(session)
            self._note(known)
            self._list(session, now)
        if _is_good(known, now) or not self._has_been_silent(known):
            return False
        before_seconds = self._clock_seconds()
        # Nobody writes meanwhile: what who led before has begun is there as a whole, or never.
        taking = self._database.writer.execution_options(**{_TAKES: True})
        with Session(taking) as session, session.begin():
            known, now = _read(session, locked=True), _now(session)
            if _is_good(known, now):
                self._note(known)
                return False
            term = known.get("term", 0) + 1
            mine = self._mine(term, now)
            put_mark(session, MARK, json.dumps(mine))
        self.term = term
        self._note(mine)
        self._believe_since(before_seconds)
        return True

    def _has_been_silent(self, known: dict[str, Any]) -> bool:
        if not known or known.get("given_back"):
            return True
        seconds = self._clock_seconds()
        if self._silent is None or self._silent[0] != known["until"]:
            self._silent = known["until"], seconds
        return seconds - self._silent[1] >= SILENT_SECONDS

    def keep(self, lost: Callable[[], object], is_well: Callable[[], bool] = lambda: True) -> None:
        """Have the time written anew until `give_back`, in a thread of its own.

        Both are called there: `lost` once, when another one leads; `is_well` each time, and while
        this manager is not, nothing is written, so that another one may follow.
        """
        self._ended.clear()
        self._keeping = Thread(target=self._keep, args=(lost, is_well), name="lease", daemon=True)
        self._keeping.start()

    def is_sure(self) -> bool:
        """Whether nobody else can lead right now, so that what is in memory is true."""
        return self.term is not None and self._clock_seconds() < self._sure_until_seconds

    def check_sure(self) -> None:
        """See whether what is in memory is true.

        Raises:
            UnavailableError: that cannot be known.
        """
        if not self.is_sure():
            raise UnavailableError(
                "This manager does not know whether it leads: the database has not answered for"
                f" {GOOD_FOR.total_seconds():.0f} seconds, or another manager leads. Try again.",
                retry_after_seconds=RETRY_SECONDS,
            )

    def give_back(self) -> None:
        """Let another one lead at once."""
        self._ended.set()
        if self._keeping is not None:
            self._keeping.join()
        term, self.term = self.term, None
        if term is None:
            return
        with self._database.beside() as session, session.begin():
            known, now = _read(session, locked=True), _now(session)
            if known.get("term") == term:
                given_back = {"until": now.isoformat(), "given_back": True}
                put_mark(session, MARK, json.dumps(known | given_back))

    def _keep(self, lost: Callable[[], object], is_well: Callable[[], bool]) -> None:
        failing = ""
        while not self._ended.wait(RENEWED_SECONDS):
            if not is_well():
                continue
            try:
                goes_on = self._renew()
            except Exception as problem:  # noqa: BLE001  who gave up here would lead for ever
                found = _problem_text(problem)
                if found != failing:
                    log.warning("that this manager leads cannot be written down", reason=found)
                failing = found
                continue
            failing = ""
            if not goes_on:
                log.error("another manager leads", leader=self.leader and self.leader.holder)
                lost()
                return

    def _renew(self) -> bool:
        """Whether this manager goes on leading: also after its time, where nobody has followed."""
        before_seconds = self._clock_seconds()
        with self._database.beside() as session, session.begin():
            known, now = _read(session, locked=True), _now(session)
            if self.term is None or known.get("term") != self.term:
                self.term = None
                self._note(known)
                return False
            put_mark(session, MARK, json.dumps(self._mine(self.term, now)))
            self._list(session, now)
        self._believe_since(before_seconds)
        return True

    def _mine(self, term: int, now: datetime) -> dict[str, Any]:
        return {
            "holder": self._holder,
            "name": self._name,
            "term": term,
            "url": self.url,
            "until": (now + GOOD_FOR).isoformat(),
        }

    def _note(self, known: dict[str, Any]) -> None:
        if not known:
            return
        self.leader = Leader(known["url"], known["term"], known["holder"], known["until"])

    def _believe_since(self, began_seconds: float) -> None:
        self._sure_until_seconds = began_seconds + GOOD_FOR.total_seconds() - _MARGIN_SECONDS

    def _list(self, session: Session, now: datetime) -> None:
        """Say where this manager is, now and then, and hear where the others are."""
        seconds = self._clock_seconds()
        if not self.url or seconds - self._listed_at_seconds < LISTED_SECONDS:
            return
        for name in (MANAGERS, REVISIONS):
            session.execute(
                text(
                    "INSERT INTO installation_marks (name, value) VALUES (:name, '{}')"
                    " ON CONFLICT DO NOTHING"
                ),
                {"name": name},
            )
        known = _read(session, MANAGERS, locked=True)
        left = {
            url: seen
            for url, seen in known.items()
            if now - datetime.fromisoformat(seen) < FORGOTTEN_AFTER
        }
        put_mark(session, MANAGERS, json.dumps(left | {self.url: now.isoformat()}))
        self.managers = tuple(sorted({*left, self.url}))
        # Under the lock of the other mark. Managers of a release before say nothing here.
        said = _read(session, REVISIONS)
        revisions = {url: said[url] for url in left if url in said} | {self.url: self._revision}
        if revisions != said:
            put_mark(session, REVISIONS, json.dumps(revisions))
        self.revisions = revisions
        self._listed_at_seconds = seconds

    def _check(self, connection: Connection, found: str | None) -> None:
        """Another may have begun while this one stood still. Of who never led, all is refused."""
        if connection.get_execution_options().get(_TAKES, False):
            return
        known = json.loads(found or "{}")
        if self.term is None or known.get("term") != self.term:
            self._sure_until_seconds = -1.0
            raise UnavailableError(
                f"Another manager leads in this database: {known.get('holder', 'unknown')}. Nothing"
                " was changed by this one. Try again: it is handed on to the other.",
                retry_after_seconds=RETRY_SECONDS,
            )


def _problem_text(problem: Exception) -> str:
    known = reason(problem) if isinstance(problem, SQLAlchemyError) else None
    return known or str(getattr(problem, "orig", None) or problem) or type(problem).__name__


def _read(session: Session, name: str = MARK, *, locked: bool = False) -> dict[str, Any]:
    found = session.get(InstallationMark, name, with_for_update=locked or None)
    known: dict[str, Any] = json.loads(found.value) if found else {}
    return known


def _is_good(known: dict[str, Any], now: datetime) -> bool:
    return bool(known) and not is_over(known, now)


def is_over(known: Mapping[str, Any], now: datetime) -> bool:
    """Whether who led as a mark says has been silent for too long, or has given it back."""
    return datetime.fromisoformat(known["until"]) <= now


def _now(session: Session) -> datetime:
    found: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def _boot_seconds() -> float:
    """Goes on while the machine sleeps, where the system has such a clock."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
