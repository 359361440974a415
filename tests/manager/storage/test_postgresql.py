"""The database is PostgreSQL's: is all as on SQLite, and is what cannot be said why in words?"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner, Result

from cloudgate.cli.app import app
from cloudgate.errors import CloudgateError, InvalidRequestError, UnavailableError
from cloudgate.manager.storage import failures, migrations, postgresql
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.migrations import newest_revision
from cloudgate.manager.storage.postgresql import postgresql_url
from cloudgate.manager.storage.tables import Account, Base, Counter, FormerName
from tests.support.observation.monitored_product import site
from tests.support.ports import free_port
from tests.support.programs.postgres import Server, needs_postgresql, new_server, shared_server
from tests.support.running.manager import finished, running_manager

pytestmark = needs_postgresql


@pytest.fixture(scope="module")
def server() -> Server:
    return shared_server()


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    found = Database(server.new_database())
    yield found
    found.close()


def test_revisions_make_the_tables_that_the_models_say(server: Server) -> None:
    engine = create_engine(postgresql_url(server.new_database()))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_several_that_open_an_empty_database_at_once_bring_it_forward_once(server: Server) -> None:
    url, found = server.empty_database(), []

    def open_it() -> None:
        database = Database(url)
        found.append(database.current_revision())
        database.close()

    opening = [threading.Thread(target=open_it) for _ in range(3)]
    for each in opening:
        each.start()
    for each in opening:
        each.join()
    assert found == [newest_revision()] * 3


def test_one_writes_at_a_time_and_who_reads_sees_one_state(database: Database) -> None:
    with database.writing() as session, session.begin():
        session.add(Counter(name="n", value=0))

    def count() -> None:
        for _ in range(25):
            with database.writing() as session, session.begin():
                counter = session.get(Counter, "n")
                assert counter is not None
                counter.value += 1

    writing = [threading.Thread(target=count) for _ in range(4)]
    for each in writing:
        each.start()
    with database.reading() as session:
        before = session.get_one(Counter, "n").value
        session.expire_all()
        for each in writing:
            each.join()
        assert session.get_one(Counter, "n").value == before
    with database.reading() as session:
        assert session.get_one(Counter, "n").value == 100


def test_who_reads_changes_nothing(database: Database) -> None:
    with database.reading() as session, pytest.raises(DatabaseError, match="read-only"):
        session.connection().exec_driver_sql("DELETE FROM accounts")


def test_a_text_of_any_length_and_with_any_letters_is_kept(database: Database) -> None:
    names = ["b", "a", "Z", "\u00e9", "z", "\U0001f600", "A b"]
    with database.writing() as session, session.begin():
        session.add_all(Account(name=each, password_hash="x" * 100_000) for each in names)
    with database.reading() as session:
        found = [each.name for each in session.query(Account).order_by(Account.name)]
    assert found == sorted(names), "by their bytes, as SQLite has it"


def test_the_end_of_time_is_read_whatever_zone_the_server_is_in(server: Server) -> None:
    url = server.new_database()
    server.run(f"ALTER DATABASE {make_url(url).database} SET timezone = 'Europe/Berlin'")
    end, opened = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), Database(url)
    asked = text("SELECT timestamptz '9999-12-31 23:59:59+00'")
    try:
        with opened.reading() as session:
            assert session.scalar(asked) == end
        with opened.writing() as session, session.begin():
            assert session.scalar(asked) == end
        with opened.beside() as session, session.begin():
            assert session.scalar(asked) == end
    finally:
        opened.close()


@pytest.mark.parametrize(
    "address",
    ["", "cloudgate.db", "mysql://root@localhost/x", "postgresql://localhost", "sqlite:///x.db"],
)
def test_an_address_that_is_none_is_told_how_one_looks(address: str) -> None:
    with pytest.raises(InvalidRequestError, match="postgresql://USER@HOST:PORT/DATABASE"):
        postgresql_url(address)


def test_a_database_of_another_program_is_left_alone(server: Server) -> None:
    for table in ("CREATE TABLE orders (n int)", "CREATE TABLE alembic_version (version_num text)"):
        url = server.empty_database()
        name = postgresql_url(url).database or ""
        server.run(table, name)
        server.run("CREATE TABLE users (n int)", name)
        if "alembic" in table:
            server.run("INSERT INTO alembic_version VALUES ('ae1027a6acf')", name)
        with pytest.raises(UnavailableError, match=r"another program's.*users.*Name an empty one"):
            Database(url)


def test_a_database_of_a_newer_release_is_refused(server: Server) -> None:
    url = server.new_database()
    server.run(
        "UPDATE alembic_version SET version_num = '9999'", postgresql_url(url).database or ""
    )
    with pytest.raises(UnavailableError, match=r"revision 9999, made by a newer release"):
        Database(url)


def test_a_manager_that_stands_by_leaves_the_revision_to_the_one_that_leads(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.new_database()
    database = Database(url, as_it_is=True)
    name = postgresql_url(url).database or ""
    server.run("UPDATE alembic_version SET version_num = '9999'", name)
    with pytest.raises(UnavailableError, match=r"revision 9999, made by a newer release"):
        database.bring_forward()
    server.run(f"UPDATE alembic_version SET version_num = '{newest_revision()}'", name)
    monkeypatch.setattr(migrations, "newest_revision", lambda: "9998")
    Database(url, as_it_is=True).close()
    assert database.current_revision() != "9998"
    database.close()


def test_a_manager_that_stands_still_while_it_reads_keeps_no_table_from_being_changed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the release 0.1.0 reads, which sets no limit to that.
    stands_still = create_engine(
        postgresql_url(server.new_database()), connect_args={"application_name": "cloudgate"}
    )
    database = Database(stands_still.url.render_as_string(hide_password=False), as_it_is=True)

    def change(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE accounts ADD COLUMN more INTEGER")

    monkeypatch.setattr(migrations, "newest_revision", lambda: "9998")
    monkeypatch.setattr(migrations, "migrate", change)
    monkeypatch.setattr(postgresql, "LEFT_SECONDS", 0.0)
    with stands_still.connect() as reading:
        reading.exec_driver_sql("SELECT count(*) FROM accounts")
        database.bring_forward()
        with pytest.raises(DatabaseError):
            reading.exec_driver_sql("SELECT count(*) FROM accounts")
    stands_still.dispose()
    database.close()


def test_who_reads_is_not_waited_for_when_it_stands_still(database: Database) -> None:
    with database.reading() as session:
        limit = session.scalar(text("SHOW idle_in_transaction_session_timeout"))
    assert limit == f"{postgresql.READER_IDLE_SECONDS}s"
    assert postgresql.READER_IDLE_SECONDS < postgresql.LOCK_SECONDS


def test_a_database_that_sorts_otherwise_is_refused_with_the_command_that_makes_one(
    server: Server,
) -> None:
    url = server.empty_database("ENCODING 'SQL_ASCII' LOCALE 'C'")
    with pytest.raises(UnavailableError, match=r"SQL_ASCII.*ENCODING 'UTF8' LOCALE 'C.UTF-8'"):
        Database(url)


def test_a_user_without_rights_and_one_that_is_not_there_are_told_what_to_do(
    server: Server,
) -> None:
    url = server.empty_database()
    name = postgresql_url(url).database or ""
    server.run("DO $$ BEGIN CREATE USER nobody_much; EXCEPTION WHEN duplicate_object THEN END $$")
    with pytest.raises(UnavailableError, match=r"permission denied.*all rights"):
        Database(server.url(name, "nobody_much"))
    with pytest.raises(UnavailableError, match=r"refuses user, password or database"):
        Database(server.url(name, "not_there"))
    with pytest.raises(UnavailableError, match=r"refuses user, password or database"):
        Database(server.url("not_there"))


def test_a_database_that_can_only_be_read_is_told_of(server: Server) -> None:
    url = server.empty_database()
    name = postgresql_url(url).database or ""
    server.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(UnavailableError, match="can only be read, as a standby"):
        Database(url)


def test_a_server_that_does_not_answer_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        Database(f"postgresql://postgres@/x?host={tmp_path}")


def test_no_password_is_in_a_message(tmp_path: Path) -> None:
    with pytest.raises(CloudgateError) as caught:
        Database(f"postgresql://postgres:s3cret@/x?host={tmp_path}")
    assert "s3cret" not in caught.value.message


def test_connections_that_the_server_has_ended_are_replaced_and_nobody_notices(
    server: Server, database: Database
) -> None:
    with database.reading() as first, database.reading() as second:
        for each in (first, second):
            each.get(Counter, "n")
    server.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        f" WHERE datname = '{postgresql_url(database.url).database}'"
    )
    with database.writing() as session, session.begin():
        session.add(Counter(name="n", value=1))
    with database.reading() as first, database.reading() as second:
        assert [each.get_one(Counter, "n").value for each in (first, second)] == [1, 1]


def test_a_transaction_begins_with_one_message(database: Database) -> None:
    said = list[str]()
    with database.reading() as session:
        event.listen(
            session.get_bind(), "before_cursor_execute", lambda *each: said.append(each[2])
        )
        session.get(Counter, "n")
    with database.writing() as session, session.begin():
        session.get(Counter, "n")
    reads, _, writes, _ = said
    assert reads.startswith("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    assert "pg_advisory_xact_lock" in writes


def test_after_the_server_was_started_again_all_goes_on_and_nothing_accepted_is_lost() -> None:
    server = new_server()
    server.run("CREATE DATABASE mine TEMPLATE template0")
    database = Database(server.url("mine"))
    accepted, stop, failed = [], threading.Event(), []

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                with database.writing() as session, session.begin():
                    session.add(Counter(name=f"c{number}", value=number))
            except DatabaseError as problem:
                failed.append(failures.reason(problem))
                stop.wait(0.05)
            else:
                accepted.append(f"c{number}")

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for how in ("immediate", "fast"):
            before = len(accepted)
            while len(accepted) < before + 10:
                stop.wait(0.01)
            server.stop(how)
            server.start()
            before = len(accepted)
            while len(accepted) < before + 10:
                stop.wait(0.01)
    finally:
        stop.set()
        writing.join()
    assert set(failed) <= {failures.SERVER_AWAY}, failed
    with database.reading() as session:
        kept = {each.name for each in session.query(Counter)}
    assert set(accepted) <= kept
    database.close()
    server.stop()


def test_a_manager_serves_from_postgresql_with_its_own_keys_alone(
    server: Server, tmp_path: Path
) -> None:
    url = server.new_database()  # without keys, and the tables are there
    (tmp_path / "one").mkdir()
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    with site(tmp_path / "one", "--database", url) as made:
        made.say("backup-server", "create", "site.example")
        assert not (made.data / "cloudgate.db").exists()
        refused = run("serve", "--data", tmp_path / "two", "--database", url)
        assert "keys are not in" in refused
        assert "import-secrets" in refused
        assert not (tmp_path / "two" / "sealing.key").exists()
        sealed = tmp_path / "secrets"
        made.say("manager", "export-secrets", sealed, *made.folder_option, "--key-file", key)
        words = ("--data", tmp_path / "two", "--key-file", key)
        made.say("manager", "import-secrets", sealed, *words)
        # What runs a machine's host service beside the manager cannot stand by.
        refused = run("up", "--data", tmp_path / "two", "--database", url)
        assert "Another manager leads in this database" in refused


def run(*words: object) -> str:
    """What a command that is refused says."""
    command = [sys.executable, "-m", "cloudgate", *map(str, words), "--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_a_database_is_brought_forward_by_hand(server: Server) -> None:
    url = server.empty_database()

    def upgrade(*more: str) -> Result:
        return CliRunner().invoke(app, ["database", "upgrade", "--database", url, *more])

    checked = upgrade("--check")
    assert checked.exit_code == 1
    assert "at revision none" in checked.stdout
    assert f"It is at revision {newest_revision()}" in upgrade().stdout
    assert upgrade("--check").exit_code == 0
    assert "already" in upgrade().stdout


def test_a_database_of_sqlite_is_copied_as_a_whole_into_an_empty_one_alone(
    server: Server, tmp_path: Path
) -> None:
    data, url = tmp_path / "data", server.empty_database()
    with running_manager(data) as running:
        client = running.logged_on()
        spec = {"Name": "M\u00fcller", "Password": "s3cret", "Description": "\U0001f600 " * 100}
        task = client.post("/cloud/tenants", json=spec).json()
        assert finished(client, task)["Result"]["Success"]
        with running.manager.changing() as work:
            work.session.add_all(FormerName(id=uuid4(), name=f"{number}") for number in range(2500))

    def copy() -> Result:
        return CliRunner().invoke(app, ["database", "copy", "--data", str(data), "--to", url])

    copied = copy()
    assert copied.exit_code == 0, copied.output
    assert "2500 former_names" in copied.stdout
    with running_manager(data, site=None, database_url=url) as running:
        client = running.logged_on()
        (tenant,) = client.get("/cloud/tenants?format=Entity").json()["CloudTenants"]
        assert tenant["Name"] == spec["Name"]
        assert tenant["Description"] == spec["Description"]
        task = client.post("/cloud/tenants", json={"Name": "next", "Password": "s3cret"}).json()
        assert finished(client, task)["Result"]["Success"], "numbers go on"
    again = copy()
    assert again.exit_code == 1
    assert "is not empty" in again.output
