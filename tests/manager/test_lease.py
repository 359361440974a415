"""Does one manager lead in a database, and does one that stood still know that it does no more?"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from cloudgate.errors import UnavailableError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.lease import GOOD_FOR, LISTED_SECONDS, MARK, SILENT_SECONDS, Lease
from cloudgate.manager.notifications.conditions import see_all
from cloudgate.manager.notifications.rules import Kind
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.marks import read_mark
from cloudgate.manager.storage.postgresql import postgresql_url
from cloudgate.manager.storage.tables import Counter
from tests.support.programs.postgres import Server, needs_postgresql, shared_server
from tests.support.running.manager import first_start
from tests.support.waiting import until

pytestmark = needs_postgresql
GOOD_SECONDS = GOOD_FOR.total_seconds()


@dataclass
class Clock:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Two:
    """Two managers on one database."""

    server: Server
    first: Lease
    second: Lease
    clock: Clock
    databases: tuple[Database, Database]

    def silence(self) -> None:
        """Have whoever leads have been silent for longer than it may."""
        self.server.run(
            "UPDATE installation_marks SET value = jsonb_set(value::jsonb, '{until}',"
            f" '\"2020-01-01T00:00:00+00:00\"')::text WHERE name = '{MARK}'",
            postgresql_url(self.databases[0].url).database or "",
        )

    def is_good(self) -> bool:
        """Whether the first has spoken since `silence`."""
        with self.databases[0].reading() as session:
            return "2020-01-01" not in (read_mark(session, MARK) or "")

    def follow(self) -> bool:
        """Whether the second leads once it has seen for a while that the first is silent."""
        assert not self.second.try_to_take()
        self.clock.seconds += SILENT_SECONDS
        return self.second.try_to_take()


@pytest.fixture
def two() -> Iterator[Two]:
    server, clock = shared_server(), Clock()
    url = server.new_database()
    databases = Database(url), Database(url, as_it_is=True)
    first = Lease(databases[0], "one", "https://one.example:9398", clock)
    second = Lease(databases[1], "two", "https://two.example:9398", clock)
    yield Two(server, first, second, clock, databases)
    for each in databases:
        each.close()


def test_who_leads_hears_that_a_manager_of_a_newer_release_waits(two: Two) -> None:
    folder = first_start()
    two.first.take()
    waiting = Lease(two.databases[1], "new", "https://new.example:9398", two.clock, "9998")
    manager = Manager(
        two.databases[0], open_authority(folder), open_sealing(folder), lease=two.first
    )

    def told() -> list[str]:
        with manager.reading() as work:
            found = list(see_all(manager, work).conditions)
        return [each.text for each in found if each.kind == Kind.SCHEMA_WAITING]

    assert told() == []
    assert not waiting.try_to_take()
    two.clock.seconds += LISTED_SECONDS
    assert not two.first.try_to_take(), "it leads"
    (text,) = told()
    assert text.startswith("The manager at https://new.example:9398 is of a newer release: it")
    assert "revision 9998" in text


def write(database: Database, name: str) -> None:
    with database.writing() as session, session.begin():
        session.add(Counter(name=name, value=1))


def names(database: Database) -> set[str]:
    with database.reading() as session:
        return {each.name for each in session.query(Counter)}


def test_one_leads_and_the_other_knows_where_it_is(two: Two) -> None:
    assert two.first.try_to_take()
    assert not two.second.try_to_take()
    assert two.second.leader is not None
    assert two.second.leader.url == "https://one.example:9398"
    write(two.databases[0], "mine")
    with pytest.raises(UnavailableError, match="Nothing was changed by this one"):
        write(two.databases[1], "not mine")
    assert names(two.databases[1]) == {"mine"}


def test_who_ends_is_followed_at_once(two: Two) -> None:
    two.first.take()
    term = two.first.term
    two.first.give_back()
    assert not two.first.is_sure()
    assert two.second.try_to_take()
    assert two.second.term == (term or 0) + 1


def test_who_stood_still_is_followed_and_changes_nothing_when_it_wakes(two: Two) -> None:
    two.first.take()
    two.silence()
    assert two.follow()
    assert two.first.is_sure(), "as far as it can know by its own clock"
    with pytest.raises(UnavailableError, match="Another manager leads in this database: two"):
        write(two.databases[0], "late")
    assert not two.first.is_sure()
    assert names(two.databases[1]) == set()


def test_who_cannot_reach_the_database_stops_answering_before_another_one_leads(two: Two) -> None:
    two.first.take()
    two.clock.seconds += GOOD_SECONDS - 1
    two.first.check_sure()
    two.clock.seconds += 1
    with pytest.raises(UnavailableError, match="does not know whether it leads"):
        two.first.check_sure()


def test_who_speaks_again_while_it_is_looked_at_is_not_followed(two: Two) -> None:
    two.first.take()
    two.silence()
    assert not two.second.try_to_take()
    two.first.keep(threading.Event().set)
    try:
        until(lambda: two.second.try_to_take() or two.is_good())
        two.clock.seconds += SILENT_SECONDS
        assert not two.second.try_to_take()
    finally:
        two.first.give_back()


def test_who_was_silent_and_was_not_followed_goes_on(two: Two) -> None:
    two.first.take()
    two.silence()
    two.clock.seconds += 2 * GOOD_SECONDS
    lost = threading.Event()
    two.first.keep(lost.set)
    try:
        until(two.first.is_sure)
        assert not two.second.try_to_take()
        assert not lost.is_set()
    finally:
        two.first.give_back()


def test_who_is_followed_hears_so(two: Two) -> None:
    two.first.take()
    two.silence()
    assert two.follow()
    lost = threading.Event()
    two.first.keep(lost.set)
    assert lost.wait(30)
    assert two.first.leader is not None
    assert two.first.leader.holder == "two"
    two.first.give_back()
    assert not two.first.try_to_take(), "what it gives back is not the other's"


def test_who_answers_nobody_is_followed_though_its_database_is_there(two: Two) -> None:
    two.first.take()
    looked, lost, well = threading.Event(), threading.Event(), False

    def is_well() -> bool:
        looked.set()
        return well

    two.first.keep(lost.set, is_well)
    assert looked.wait(30)
    two.silence()
    assert two.follow()
    assert not lost.is_set()
    well = True
    assert lost.wait(30), "it hears so when it is well again"
    two.first.give_back()


def test_who_leads_goes_on_after_a_failure_that_nobody_foresaw(two: Two) -> None:
    two.first.take()
    lost = threading.Event()

    def say(value: str) -> None:
        two.server.run(
            f"UPDATE installation_marks SET value = {value} WHERE name = '{MARK}'",
            postgresql_url(two.databases[0].url).database or "",
        )

    with capture_logs() as logs:
        say("'no JSON' || value")
        two.first.keep(lost.set)
        until(lambda: logs)
        say("substr(value, 8)")
        two.clock.seconds += GOOD_SECONDS
        until(two.first.is_sure)
    two.first.give_back()
    assert [each["event"] for each in logs] == ["that this manager leads cannot be written down"]
    assert not lost.is_set()


def test_what_is_being_changed_is_there_before_another_one_leads(two: Two) -> None:
    two.first.take()
    leads = threading.Event()

    def follow() -> None:
        if two.follow():
            leads.set()

    following = threading.Thread(target=follow)
    with two.databases[0].writing() as session, session.begin():
        session.add(Counter(name="begun", value=1))
        session.flush()
        two.silence()
        following.start()
        assert not leads.wait(0.3)
    following.join()
    assert leads.is_set()
    assert names(two.databases[1]) == {"begun"}


def test_two_that_want_to_lead_at_once_do_not_both(two: Two) -> None:
    led: list[bool] = []
    wanting = [
        threading.Thread(target=lambda lease=lease: led.append(lease.try_to_take()))
        for lease in (two.first, two.second)
    ]
    for each in wanting:
        each.start()
    for each in wanting:
        each.join()
    assert sorted(led) == [False, True]


def test_managers_hear_of_each_other(two: Two) -> None:
    two.first.take()
    assert not two.second.try_to_take()
    assert two.second.managers == ("https://one.example:9398", "https://two.example:9398")
