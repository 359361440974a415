"""Is it seen when an entry of the audit log is missing, or is not as it was?"""

import json
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import IntegrityError

from cloudgate.manager.audit.chain import has_seal, verify
from cloudgate.manager.audit.events import Change
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.outlets import deliver, open_outlet
from cloudgate.manager.audit.refusals import LOG_ON
from cloudgate.manager.audit.retention import remove_old_entries, seal_chain
from cloudgate.manager.core.unit_of_work import SETTLED, Manager
from cloudgate.manager.jobs.scheduler import AUDITING, COMPACTING, SEALING, Scheduler
from cloudgate.manager.registries.hosts.host_registry import HostRegistry
from cloudgate.manager.registries.hosts.listening_time import ListeningTime
from cloudgate.manager.repositories import operations as repositories
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.migrations import migrate
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import AuditEvent
from cloudgate.trust import audit_chain
from cloudgate.trust.audit_chain import BEGINNING, Verdict, hash_of, verify_lines
from tests.support.running.manager import Clock

ENTRIES = 8


def opened(folder: Path) -> Manager:
    database = Database(sqlite_url(folder / "cloudgate.db"))
    clock = Clock()
    hosts = HostRegistry(clock(), ListeningTime(clock.steps))
    return Manager(database, open_authority(folder), open_sealing(folder), hosts=hosts, clock=clock)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    found = opened(tmp_path)
    yield found
    found.database.close()


def log(manager: Manager, count: int = ENTRIES) -> None:
    for number in range(count):
        with manager.changing("admin", "192.0.2.1") as work:
            change = Change(
                repositories.CREATED,
                repositories.TYPE,
                object_name=f"räksmörgås {number}",
                after={"Name": f"räksmörgås {number}", "Pools": ("a", "b"), "Quota": None},
            )
            record(work, change)


def seen(manager: Manager) -> Verdict:
    with manager.reading() as work:
        return verify(work)


def tamper(folder: Path, *statements: str) -> None:
    """What somebody does who can write to the file, and to nothing else."""
    with sqlite3.connect(folder / "cloudgate.db") as connection:
        for name in ("audit_events_no_update", "audit_events_no_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


def recompute(folder: Path) -> None:
    """Make the chain follow again from what is there, as far as that goes without the key."""
    with sqlite3.connect(folder / "cloudgate.db") as connection:
        connection.row_factory = sqlite3.Row
        number, previous = 0, BEGINNING
        for row in connection.execute("SELECT * FROM audit_events ORDER BY number").fetchall():
            said = {key: row[key] for key in row.keys() if key != "hash"}  # noqa: SIM118  rows
            said["at"] = datetime.fromisoformat(row["at"]).replace(tzinfo=UTC).isoformat()
            said["at"] = said["at"].replace("+00:00", "Z")
            said["success"] = bool(row["success"])
            for member in ("before", "after"):
                said[member] = json.loads(row[member]) if row[member] else None
            number, previous = row["number"], hash_of(said, previous)
            connection.execute(
                "UPDATE audit_events SET hash = ? WHERE number = ?", (previous, number)
            )
        connection.execute("UPDATE audit_chain SET number = ?, hash = ?", (number, previous))
    connection.close()


def test_what_was_only_added_to_follows_also_after_a_restart(tmp_path: Path) -> None:
    for times in (1, 2):
        manager = opened(tmp_path)
        log(manager)
        found = seen(manager)
        assert (found.message, found.wrong) == ("", None)
        assert (found.entries, found.first, found.last) == (times * ENTRIES, 1, times * ENTRIES)
        manager.database.close()


@pytest.mark.parametrize(
    ("statement", "wrong", "words"),
    [
        ("UPDATE audit_events SET account = 'eve' WHERE number = 3", 3, "Entry 3 is not"),
        ("UPDATE audit_events SET after = '{}' WHERE number = 3", 3, "Entry 3 is not"),
        ("UPDATE audit_events SET at = '2020-01-01 00:00:00' WHERE number = 1", 1, "Entry 1 is"),
        ("UPDATE audit_events SET hash = '' WHERE number = 4", 4, "Entry 4 is not"),
        ("DELETE FROM audit_events WHERE number = 3", 3, "Entry 3 is missing"),
        ("DELETE FROM audit_events WHERE number BETWEEN 3 AND 5", 3, "Entries 3 to 5 are missing"),
        ("DELETE FROM audit_events WHERE number < 3", 1, "Entries 1 to 2 are missing"),
        ("DELETE FROM audit_events WHERE number > 6", 7, "Entries 7 to 8 are missing at the end"),
        ("DELETE FROM audit_events", 1, "Entries 1 to 8 are missing at the end"),
        ("UPDATE audit_events SET number = 99 WHERE number = 8", 8, "Entries 8 to 98 are missing"),
    ],
)
def test_the_first_entry_that_is_altered_or_missing_is_named(
    manager: Manager, tmp_path: Path, statement: str, wrong: int, words: str
) -> None:
    log(manager)
    tamper(tmp_path, statement)
    found = seen(manager)
    assert found.wrong == wrong, found
    assert words in found.message, found


def moved_anchor(folder: Path) -> None:
    tamper(
        folder,
        "UPDATE audit_chain SET anchor_number = 3,"
        " anchor_hash = (SELECT hash FROM audit_events WHERE number = 3)",
        "DELETE FROM audit_events WHERE number <= 3",
    )


def altered_anew(folder: Path) -> None:
    tamper(folder, "UPDATE audit_events SET account = 'eve' WHERE number = 3")
    recompute(folder)


def cut_off(folder: Path) -> None:
    tamper(folder, "DELETE FROM audit_events WHERE number > 5")
    recompute(folder)


def unsealed(folder: Path) -> None:
    cut_off(folder)
    tamper(folder, "UPDATE audit_chain SET seal = ''")


@pytest.mark.parametrize("forge", [moved_anchor, altered_anew, cut_off, unsealed])
def test_a_chain_that_was_computed_anew_lacks_the_seal(
    manager: Manager, tmp_path: Path, forge: Callable[[Path], None]
) -> None:
    log(manager)
    forge(tmp_path)
    found = seen(manager)
    assert "seal" in found.message
    assert found.wrong is not None


@pytest.mark.parametrize("others", ["", "DELETE FROM audit_events"])
def test_a_chain_whose_end_was_taken_away_says_so_and_goes_on(
    manager: Manager, tmp_path: Path, others: str
) -> None:
    log(manager)
    tamper(tmp_path, "DELETE FROM audit_chain", others)
    assert "taken away" in seen(manager).message
    log(manager, 1)
    found = seen(manager)
    assert "taken away" in found.message
    assert found.wrong is not None


def test_the_database_itself_refuses_what_alters_or_removes(manager: Manager) -> None:
    log(manager)
    for statement in (
        "UPDATE audit_events SET account = 'eve' WHERE number = 3",
        "DELETE FROM audit_events WHERE number = 3",
    ):
        with pytest.raises(IntegrityError, match="only grows"), manager.changing() as work:
            work.session.execute(text(statement))
    assert not seen(manager).message


def test_many_at_once_make_one_chain(manager: Manager) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: log(manager, 5), range(8)))
    found = seen(manager)
    assert (found.message, found.entries) == ("", 40)


def test_entries_of_one_change_stand_in_their_order_and_follow_those_before(
    manager: Manager,
) -> None:
    log(manager, 2)
    with manager.changing("admin") as work:
        for name in ("x", "y", "z"):
            record(work, Change(LOG_ON, "LogonSession", object_name=name))
    log(manager, 1)
    found = seen(manager)
    assert (found.message, found.entries, found.last) == ("", 6, 6)
    with manager.reading() as work:
        names = select(AuditEvent.object_name).where(AuditEvent.operation == "LogOn")
        assert work.session.scalars(names.order_by(AuditEvent.number)).all() == ["x", "y", "z"]


def test_a_change_that_fails_leaves_no_gap(manager: Manager) -> None:
    log(manager, 2)

    def fail() -> None:
        with manager.changing("admin") as work:
            record(work, Change(LOG_ON, "LogonSession", object_name="x"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    log(manager, 2)
    found = seen(manager)
    assert (found.message, found.last) == ("", 4)


def test_what_is_old_is_removed_and_the_chain_goes_on(manager: Manager) -> None:
    log(manager)
    clock = manager.clock
    assert isinstance(clock, Clock)
    clock.ahead = timedelta(days=31)
    log(manager, 2)
    with manager.changing() as work:
        assert remove_old_entries(work, timedelta(days=30), has_outlet=False) == ENTRIES
    found = seen(manager)
    assert (found.message, found.first, found.entries) == ("", ENTRIES + 1, 3)
    with manager.changing() as work:
        assert remove_old_entries(work, timedelta(days=30), has_outlet=False) == 0
    log(manager, 1)
    assert not seen(manager).message
    clock.ahead = timedelta(days=90)
    with manager.changing() as work:
        remove_old_entries(work, timedelta(days=30), has_outlet=False)
    found = seen(manager)
    assert (found.message, found.entries) == ("", 1)


def test_a_clock_that_is_ahead_for_a_moment_removes_no_entries_and_keeps_none_for_ever(
    manager: Manager,
) -> None:
    clock, kept, ahead = manager.clock, timedelta(days=30), timedelta(days=3650)
    assert isinstance(clock, Clock)

    def step(span: timedelta) -> None:
        clock.stepped += span
        manager.hosts.listening.beat(clock())

    def removed() -> int:
        with manager.changing() as work:
            return remove_old_entries(work, kept, has_outlet=False)

    step(timedelta())
    log(manager)
    step(ahead)
    log(manager, 1)
    clock.ahead += timedelta(minutes=5)
    assert removed() == 0
    step(-ahead)
    assert removed() == 0
    step(-ahead)
    assert removed() == 0, "nothing is of now, and nothing is old"
    step(ahead)
    clock.ahead += timedelta(days=31)
    log(manager, 1)
    assert removed() == ENTRIES + 1
    step(ahead)
    clock.ahead += timedelta(hours=1)
    assert removed() == 2, "it was no moment"
    assert not seen(manager).message


def test_what_goes_because_of_its_age_stays_until_a_clock_that_was_ahead_at_the_start_is_right(
    manager: Manager,
) -> None:
    jobs = {each.name: each for each in Scheduler(manager, None, lambda: None).jobs()}
    for name in (AUDITING, COMPACTING):
        assert jobs[name].first_after_seconds == SETTLED.total_seconds()
    assert not jobs[SEALING].first_after_seconds


def test_what_no_outlet_has_had_yet_is_kept(manager: Manager, tmp_path: Path) -> None:
    outlet = open_outlet(str(tmp_path / "audit.jsonl"))
    log(manager, 3)
    deliver(manager, outlet)
    log(manager, 3)
    clock = manager.clock
    assert isinstance(clock, Clock)
    clock.ahead = timedelta(days=31)
    with manager.changing() as work:
        assert remove_old_entries(work, timedelta(days=30), has_outlet=True) == 3
    assert seen(manager).first == 4
    deliver(manager, outlet)
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    found = verify_lines(lines)
    assert (found.message, found.entries, found.last) == ("", 7, 7)


def test_lines_of_an_outlet_show_by_themselves_what_is_missing_or_altered(
    manager: Manager, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    log(manager)
    deliver(manager, open_outlet(str(file)))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert verify_lines(lines).hash == seen(manager).hash
    assert not verify_lines([*lines[:5], *lines[2:5], *lines[5:]]).message, "delivered twice"
    assert verify_lines(lines[3:]).entries == ENTRIES - 3, "rotated away"
    assert verify_lines([*lines[:2], *lines[4:]]).message == "Entries 3 to 4 are missing."
    altered = [*lines[:2], {**lines[2], "account": "eve"}, *lines[3:]]
    assert verify_lines(altered).wrong == 3


def test_an_old_installations_entries_are_chained_and_then_sealed(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "cloudgate.db"))
    with engine.connect() as connection:
        migrate(connection, "0011")
        for number in range(1200):
            connection.execute(
                text(
                    "INSERT INTO audit_events (at, account, address, code, severity, operation,"
                    " text, object_type, object_id, object_name, before, after, success, message)"
                    " VALUES ('2026-01-02 03:04:05.000006', 'admin', '192.0.2.1', 24130, 'Info',"
                    f" 'CreateRepository', 'räksmörgås {number}', 'Repository',"
                    " '917be2256744477780966cbabaec5500', 'x', NULL,"
                    """ '{"b": [1, null], "a": "ä"}', 1, '')"""
                )
            )
        connection.commit()
    engine.dispose()
    manager = opened(tmp_path)
    with manager.reading() as work:
        assert not has_seal(work)
    assert "seal" in seen(manager).message
    with manager.changing() as work:
        seal_chain(work)
    found = seen(manager)
    assert (found.message, found.entries) == ("", 1201)
    manager.database.close()


def test_a_long_file_is_verified_with_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def lines(count: int) -> Iterator[dict[str, object]]:
        previous = BEGINNING
        for number in range(1, count + 1):
            said = {"number": number, "text": "räksmörgås"}
            digest = hash_of(said, previous)
            yield {**said, "previous": previous, "hash": digest}
            previous = digest

    monkeypatch.setattr(audit_chain, "REMEMBERED", 1000)
    tracemalloc.start()
    found = verify_lines(lines(20_000))
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.entries, found.first, found.last, found.message) == (20_000, 1, 20_000, "")
    assert most_bytes < 20_000 * 64  # less than its hashes alone
