"""The database moves forward from every released revision, and ends as the models say."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Connection, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from cloudgate.errors import UnavailableError
from cloudgate.manager.servers.facts import report_of
from cloudgate.manager.servers.tenant_scope import NO_POOL, scope_of
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage import migrations
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.migrations import REVISIONS, migrate, newest_revision, revision_of
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.sqlite_files import dump
from cloudgate.manager.storage.tables import (
    Account,
    AuditEvent,
    Base,
    CloudGateway,
    CloudTenant,
    Counter,
    FormerName,
    LogonSession,
    ManagedServer,
)
from cloudgate.protocol import EvictionProgress, GatewayState
from cloudgate.values import precis

RELEASED = [script.revision for script in ScriptDirectory(str(REVISIONS)).walk_revisions()]


@pytest.mark.parametrize("revision", RELEASED)
def test_every_released_revision_moves_forward_to_the_newest(tmp_path: Path, revision: str) -> None:
    """With rows that hang on others: SQLite makes tables anew, and must not take those along."""
    url = sqlite_url(tmp_path / "old.db")
    engine = create_engine(url)
    site, server, gateway, tenant, repository = (uuid4().hex for _ in range(5))
    with engine.connect() as connection:
        migrate(connection, revision)
        insert(connection, "counters", name="directory", value=100)
        insert(connection, "backup_servers", id=site)
        insert(connection, "managed_servers", id=server, backup_server_id=site)
        insert(
            connection,
            "cloud_gateways",
            id=gateway,
            managed_server_id=server,
            backup_server_id=site,
        )
        insert(connection, "repositories", id=repository, backup_server_id=site)
        insert(connection, "cloud_tenants", id=tenant, backup_server_id=site)
        insert(connection, "tenant_resources", tenant_id=tenant, repository_id=repository)
        connection.commit()
    engine.dispose()
    database = Database(url)
    with database.reading() as session:
        assert revision_of(session.connection()) == RELEASED[0]
        assert session.query(CloudGateway).one().managed_server.id.hex == server
        assert session.query(CloudTenant).one().resources[0].repository_id.hex == repository
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert session.execute(text("PRAGMA foreign_key_check")).all() == []
    database.close()


def insert(connection: Connection, table: str, **given: object) -> None:
    """A row of whichever revision, with something in each column that needs it."""
    row = dict(given)
    for column in inspect(connection).get_columns(table):
        if column["name"] in row or column["nullable"] or column["default"] is not None:
            continue
        kind = column["type"]
        empty = "{}" if isinstance(kind, JSON) else uuid4().hex
        row[column["name"]] = 0 if kind.python_type in (int, bool) else empty
    names, places = ", ".join(row), ", ".join("?" * len(row))
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(row.values())
    )


def test_the_newest_revision_is_known_without_alembic() -> None:
    assert newest_revision() == RELEASED[0]


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "new.db")
    Database(url).close()
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(UnavailableError, match="9999, made by a newer release"):
        Database(url)


def test_a_migrated_database_is_what_the_models_say(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "new.db"))
    with engine.connect() as connection:
        migrate(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert set(Base.metadata.tables) <= set(inspect(connection).get_table_names())
    engine.dispose()


def test_an_empty_file_becomes_what_all_revisions_make_of_it(tmp_path: Path) -> None:
    """Should this fail: ``.venv/bin/python tools/empty-database``."""
    new, moved = tmp_path / "new.db", tmp_path / "moved.db"
    Database(sqlite_url(new)).close()
    engine = create_engine(sqlite_url(moved))
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
    assert parts(new) == parts(moved)


def parts(file: Path) -> list[str]:
    """Columns, constraints and so on; in which order a table's constraints stand is chance."""
    return sorted(line.strip(" \t,") for line in dump(file).splitlines())


def test_a_first_start_that_was_cut_off_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "empty.sql"
    whole = migrations.EMPTY.read_text("utf-8")
    script.write_text(whole + "INSERT INTO nowhere VALUES (1);\n", "utf-8")
    url = sqlite_url(tmp_path / "new.db")
    with monkeypatch.context() as cut_off:
        cut_off.setattr(migrations, "EMPTY", script)
        with pytest.raises(UnavailableError, match="nowhere"):
            Database(url)
    assert dump(tmp_path / "new.db") == ""
    Database(url).close()
    assert dump(tmp_path / "new.db") == whole, "run .venv/bin/python tools/empty-database"


def test_accounts_of_the_first_release_keep_all_rights(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "old.db"))
    with engine.connect() as connection:
        migrate(connection, "0001")
        connection.exec_driver_sql(
            "INSERT INTO accounts VALUES ('6a2f41a3c54fff5e9b8f2f0b1c3d4e5f', 'admin', 'hash')"
        )
        connection.commit()
        migrate(connection)
    with Session(engine) as session:
        account = session.query(Account).one()
        assert [role.role_id for role in account.roles] == [Role.PORTAL_ADMINISTRATOR.id]
        assert account.kind == "User"
    engine.dispose()


def test_usage_of_those_who_went_before_gets_their_names_and_limits_of_0_are_told_anew(
    tmp_path: Path,
) -> None:
    """Up to 0008 a removed tenant's name was in the audit log only, and 0 let nobody in."""
    engine = create_engine(sqlite_url(tmp_path / "old.db"))
    site, here, gone = uuid4(), uuid4(), uuid4()
    went_with_it, went_before = uuid4(), uuid4()
    with engine.connect() as connection:
        migrate(connection, "0008")
        run = connection.exec_driver_sql
        run("INSERT INTO counters VALUES ('directory', 100)")
        for identifier, name, limit in ((here, "here", 0), (uuid4(), "free", 2)):
            run(
                "INSERT INTO cloud_tenants (id, backup_server_id, name, login, description,"
                " password_hash, enabled, throttling_enabled, throttling_speed_limit,"
                " throttling_speed_unit, max_concurrent_tasks, public_ip_count,"
                " backup_protection_enabled, backup_protection_period, failover_to_others,"
                f" directory_revision) VALUES ('{identifier.hex}', '{site.hex}', '{name}',"
                f" '{name}', '', '', 1, 0, 1, 'MBps', {limit}, 0, 0, 1, 0, 50)"
            )
        for operation, identifier, name in (
            ("CreateCloudTenant", here, "here"),
            ("CreateCloudTenant", gone, "gone"),
            ("AddCloudSubtenant", went_with_it, "with it"),
            ("AddCloudSubtenant", went_before, "before"),
            ("DeleteCloudSubtenant", went_before, "before"),
            ("DeleteCloudTenant", gone, "gone"),
            ("DeleteRepository", uuid4(), "vault"),
        ):
            run(
                "INSERT INTO audit_events (at, account, address, code, severity, operation, text,"
                " object_type, object_id, object_name, success, message) VALUES"
                f" ('2030-01-01', 'admin', '', 0, 'Info', '{operation}', '', '',"
                f" '{identifier.hex}', '{name}', 1, '')"
            )
        connection.commit()
        migrate(connection)
    with Session(engine) as session:
        names = {each.id: each.name for each in session.query(FormerName)}
        assert names == {gone: "gone", went_with_it: "with it", went_before: "before"}
        told = {each.name: each.directory_revision for each in session.query(CloudTenant)}
        assert told == {"here": 101, "free": 50}
        counter = session.get(Counter, "directory")
        assert counter is not None
        assert counter.value == 101
    engine.dispose()


def test_the_audit_log_only_grows(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "audit.db"))
    event = AuditEvent(
        at=datetime.now(UTC),
        account="admin",
        address="127.0.0.1",
        code=24130,
        severity="Info",
        operation="CreateCloudGateway",
        text="Cloud gateway g has been created",
        object_type="CloudGateway",
        object_name="g",
        success=True,
    )
    with database.writing() as session, session.begin():
        session.add(event)
    for statement in ("UPDATE audit_events SET text = 'x'", "DELETE FROM audit_events"):
        with database.writing() as session, pytest.raises(IntegrityError, match="only grows"):
            session.connection().exec_driver_sql(statement)
    database.close()


def test_a_time_keeps_its_moment_whatever_zone_it_came_in(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "times.db"))
    moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=5)))
    with database.writing() as session, session.begin():
        account = Account(name="a", password_hash="x")
        session.add(account)
        session.flush()
        session.add(
            LogonSession(account_id=account.id, version="latest", created_at=moment, used_at=moment)
        )
    with database.reading() as session:
        found = session.query(LogonSession).one().created_at
    database.close()
    assert (found, found.tzinfo) == (moment, UTC)


def test_a_file_that_was_moved_away_is_missed_and_found_again(tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "cloudgate.db", tmp_path / "elsewhere.db"
    database = Database(sqlite_url(file))

    def add(name: str) -> None:
        with database.writing() as session, session.begin():
            session.add(Account(name=name, password_hash="x"))

    def names() -> list[str]:
        with database.reading() as session:
            return [each.name for each in session.query(Account).order_by(Account.name)]

    add("before")
    with (
        closing(sqlite3.connect(file)) as source,
        closing(sqlite3.connect(tmp_path / "backup.db")) as copy,
    ):
        source.backup(copy)
    file.rename(elsewhere)
    with pytest.raises(OperationalError, match="unable to open database file"):
        add("while it is away")
    assert not file.exists()
    elsewhere.rename(file)
    add("when it is back")
    assert names() == ["before", "when it is back"]
    database.close()
    database = Database(sqlite_url(file))
    assert names() == ["before", "when it is back"]
    (tmp_path / "backup.db").replace(file)
    for left_over in tmp_path.glob("cloudgate.db-*"):
        left_over.unlink()
    assert names() == ["before"]
    database.close()


def test_names_of_before_get_the_one_form_and_those_that_meet_get_a_number(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "old.db"))
    composed, decomposed = "M\xfcller", "Mu\u0308ller"
    site, other_site = uuid4(), uuid4()
    tenants = {uuid4(): name for name in (decomposed, composed, "plain", "\uff21bc", "abc")}
    elsewhere = uuid4()
    with engine.connect() as connection:
        migrate(connection, "0012")
        run = connection.exec_driver_sql
        run("INSERT INTO counters VALUES ('directory', 100)")
        for each, name, where in (
            *((each, name, site) for each, name in tenants.items()),
            (elsewhere, decomposed, other_site),
        ):
            run(
                "INSERT INTO cloud_tenants (id, backup_server_id, name, login, description,"
                " password_hash, enabled, throttling_enabled, throttling_speed_limit,"
                " throttling_speed_unit, max_concurrent_tasks, public_ip_count,"
                " backup_protection_enabled, backup_protection_period, failover_to_others,"
                " directory_revision) VALUES (?, ?, ?, ?, '', '', 1, 0, 1, 'MBps', 0, 0, 0, 1,"
                " 0, 50)",
                (each.hex, where.hex, name, name.casefold()),
            )
        for number, name in enumerate((decomposed, composed)):
            run(
                "INSERT INTO accounts (id, name, password_hash, kind, restores_all_vms)"
                " VALUES (?, ?, '', 'User', 0)",
                (uuid4().hex, name.casefold() if number else name.lower()),
            )
        connection.commit()
        migrate(connection)
    with Session(engine) as session:
        found = {each.id: each for each in session.query(CloudTenant)}
        names = {each.name for each in found.values() if each.backup_server_id == site}
        assert names == {composed, f"{composed} (2)", "plain", "\uff21bc (2)", "abc"}
        by_name = {name: each for each, name in tenants.items()}
        assert found[by_name[composed]].name == composed, "it was in the form already"
        assert found[by_name[decomposed]].name == f"{composed} (2)"
        assert found[elsewhere].name == composed, "another site"
        for tenant in found.values():
            assert tenant.login == precis.key(tenant.name)
        assert found[by_name["plain"]].directory_revision == 50
        assert found[by_name[composed]].directory_revision == 50
        assert found[by_name[decomposed]].directory_revision == 101
        accounts = {account.name for account in session.query(Account)}
        assert accounts == {"m\xfcller", "m\xfcller (2)"}
        told = {event.object_name: event for event in session.query(AuditEvent)}
        assert {f"{composed} (2)", "m\xfcller (2)"} <= set(told)
        assert told[f"{composed} (2)"].before == {"Name": decomposed}
        assert "is called" in told[f"{composed} (2)"].text
    engine.dispose()


def test_quotas_without_a_number_are_not_limited_any_more_than_before(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "old.db"))
    with engine.connect() as connection:
        migrate(connection, "0012")
        for name, quota in (("limited", 2048), ("unlimited", None)):
            connection.exec_driver_sql(
                "INSERT INTO subtenants (id, tenant_id, name, login, description, password_hash,"
                " enabled, resource_id, quota_name, quota_mb)"
                " VALUES (?, ?, ?, ?, '', '', 1, ?, '', ?)",
                (uuid4().hex, uuid4().hex, name, name, uuid4().hex, quota),
            )
        connection.commit()
        migrate(connection)
        rows = connection.exec_driver_sql("SELECT name, unlimited FROM subtenants").all()
    assert sorted((name, bool(unlimited)) for name, unlimited in rows) == [
        ("limited", False),
        ("unlimited", True),
    ]
    engine.dispose()


def test_hosts_of_an_old_installation_are_told_all_that_they_may_know_anew(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "cloudgate.db"))
    site, pool, gateway, serving, idle = (uuid4() for _ in range(5))
    with engine.connect() as connection:
        migrate(connection, "0011")
        run = connection.exec_driver_sql
        run("INSERT INTO counters VALUES ('directory', 100)")
        run(
            "INSERT INTO backup_servers (id, name, description, port, user_name,"
            " certificate_thumbprint, site_revision, pool_drain)"
            f" VALUES ('{site.hex}', 's', '', 1, '', '', 0, '')"
        )
        run(
            "INSERT INTO gateway_pools (id, backup_server_id, name, description)"
            f" VALUES ('{pool.hex}', '{site.hex}', 'p', '')"
        )
        for server in (serving, idle):
            run(
                "INSERT INTO managed_servers (id, backup_server_id, name, description, kind, local,"
                " machine, usage_batch, warning, assignment_revision, reported_directory_revision,"
                " reported_state, reported_reason, live_tunnels)"
                f" VALUES ('{server.hex}', '{site.hex}', '{server}', '', 'Linux', 0, '', '', '', 0,"
                " 100, '', '', -7)"
            )
        run(
            "INSERT INTO cloud_gateways (id, managed_server_id, backup_server_id, name, wanted,"
            " removing, certificate_pem, drain, certificate_warning, reach_warning, pool_id)"
            f" VALUES ('{gateway.hex}', '{serving.hex}', '{site.hex}', 'g', '{{}}', 0, '', '', '',"
            f" '', '{pool.hex}')"
        )
        connection.commit()
        migrate(connection)
    with Session(engine) as session:
        servers = {each.id: each for each in session.query(ManagedServer)}
        now = datetime.now(UTC)
        mine, none = (scope_of(servers[each].scope, now) for each in (serving, idle))
        assert (mine.serves, mine.pool_id) == (True, pool)
        assert mine.pool_ids == {pool, NO_POOL}, "where it was before is not known"
        assert mine.revision > 100, "whatever it knows is told anew"
        assert (none.serves, none.pool_id, none.revision) == (False, None, mine.revision)
        assert {each.live_tunnels for each in servers.values()} == {0}
    engine.dispose()


def test_the_last_report_of_each_host_is_known_as_before(tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "cloudgate.db"))
    site, gateway = uuid4(), uuid4()
    failed, draining, silent, poisoned = (uuid4() for _ in range(4))
    misplaced = {"tunnels": 3, "finished": 2, "closed": 1, "directory_revision": 90}
    columns = (
        "reported_revision, reported_directory_revision, reported_state, reported_reason,"
        " live_tunnels, misplaced"
    )
    with engine.connect() as connection:
        migrate(connection, "0018")
        run = connection.exec_driver_sql
        run(
            "INSERT INTO backup_servers (id, name, description, port, user_name,"
            " certificate_thumbprint, site_revision, pool_drain)"
            f" VALUES ('{site.hex}', 's', '', 1, '', '', 0, '')"
        )
        for server, values in (
            (failed, (7, 100, "failed", "The port is taken.", 0, None)),
            (draining, (7, 90, "draining", "", 4, json.dumps(misplaced))),
            (silent, (None, 0, "", "", 0, None)),
            (poisoned, (7, 80, "listening", "\x00" * 5000, 1, '{"tunnels": -5}')),
        ):
            run(
                "INSERT INTO managed_servers (id, backup_server_id, name, description, kind, local,"
                f" machine, usage_batch, warning, seen_addresses, assignment_revision, {columns})"
                f" VALUES ('{server.hex}', '{site.hex}', '{server}', '', 'Linux', 0, '', '', '',"
                " '', 7, ?, ?, ?, ?, ?, ?)",
                values,
            )
        run(
            "INSERT INTO cloud_gateways (id, managed_server_id, backup_server_id, name, wanted,"
            " removing, certificate_pem, drain, certificate_warning, reach_warning)"
            f" VALUES ('{gateway.hex}', '{failed.hex}', '{site.hex}', 'g', '{{}}', 0, '', '', '',"
            " '')"
        )
        connection.commit()
        migrate(connection)
    with Session(engine) as session:
        servers = {each.id: each for each in session.query(ManagedServer)}
        reports = {each: report_of(server) for each, server in servers.items()}
        assert reports[failed].state is GatewayState.FAILED
        assert reports[failed].reason == "The port is taken."
        assert reports[failed].directory_revision == 100
        assert reports[draining].live_tunnels == servers[draining].live_tunnels == 4
        assert reports[draining].misplaced == EvictionProgress.model_validate(misplaced)
        assert servers[silent].report is None
        assert reports[silent].directory_revision == 0
        assert (reports[poisoned].reason, reports[poisoned].misplaced) == ("", None)
        assert reports[poisoned].directory_revision == 80
        assert {each.reported_revision for each in servers.values()} == {7, None}
        assert session.query(CloudGateway).one().managed_server_id == failed
    engine.dispose()
