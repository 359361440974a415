"""Is a manager on PostgreSQL looked at by doctor and support bundle, as one on SQLite is?"""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from cloudgate.diagnosis import bundle
from cloudgate.diagnosis.database import DatabaseServer, look_at_server
from cloudgate.diagnosis.findings import Verdict
from cloudgate.errors import UnavailableError
from cloudgate.manager.lease import Lease
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.migrations import newest_revision
from cloudgate.manager.storage.postgresql import postgresql_url
from cloudgate.manager.storage.tables import BackupServer, FormerName
from tests.support.programs.postgres import needs_postgresql, shared_server

pytestmark = needs_postgresql
NOWHERE = "http://127.0.0.1:9/metrics"


@pytest.fixture
def database() -> Iterator[Database]:
    found = Database(shared_server().new_database())
    yield found
    found.close()


def collected(data: Path, url: str, *logs: Path) -> dict[str, str]:
    parts = bundle.collect(data, [], logs, NOWHERE, database=url)
    return {part.name: part.text for part in parts}


def test_customers_have_other_names_in_a_bundle(database: Database, tmp_path: Path) -> None:
    with database.writing() as session, session.begin():
        session.add(FormerName(id=uuid4(), name="umbrella"))
        session.add(BackupServer(id=uuid4(), name="site.example", port=9392, wcf_port=9405))
    log = tmp_path / "x.log"
    log.write_text("umbrella is refused\n")
    found = collected(tmp_path, database.url, log)
    assert found["logs/x.log"] == "name-1 is refused\n"
    tables = json.loads(found["manager/tables.json"])
    assert tables["revision"] == [{"version_num": newest_revision()}]
    assert tables["rows"]["former_names"] == 1
    assert json.loads(found["manager/backup_servers.json"])[0]["name"] == "site.example"
    assert "database" not in found.get("missing.txt", "")


def test_a_server_that_is_away_takes_what_could_name_customers_out_of_a_bundle(
    tmp_path: Path,
) -> None:
    log = tmp_path / "x.log"
    log.write_text("umbrella is refused\n")
    url = f"postgresql://postgres:s3cret@/mine?host={tmp_path}"
    found = collected(tmp_path, url, log)
    assert "umbrella" not in "".join(found.values())
    assert "s3cret" not in "".join(found.values())
    assert "does not answer" in found["missing.txt"]
    seen = look_at_server(url)
    assert seen.verdict is Verdict.PROBLEM
    assert "does not answer" in seen.text


def test_who_has_keys_and_no_file_is_told_to_name_the_database(tmp_path: Path) -> None:
    (tmp_path / "sealing.key").write_bytes(b"k" * 32)
    found = {part.name: part.text for part in bundle.collect(tmp_path, [], [], NOWHERE)}
    assert "one of PostgreSQL is to be named by --database" in found["missing.txt"]


def test_the_doctor_says_whether_a_manager_leads_and_of_which_release_the_database_is(
    database: Database,
) -> None:
    assert look_at_server(database.url).verdict is Verdict.OK
    lease = Lease(database, "m1:/data", "https://m1.example:9398")
    lease.take()
    seen = look_at_server(database.url)
    assert seen.verdict is Verdict.OK
    assert "m1:/data leads, at https://m1.example:9398" in seen.text
    lease.give_back()
    seen = look_at_server(database.url)
    assert seen.verdict is Verdict.PROBLEM
    assert "No manager leads; the last was m1:/data" in seen.text
    name = postgresql_url(database.url).database or ""
    shared_server().run("DELETE FROM installation_marks", name)
    shared_server().run("UPDATE alembic_version SET version_num = '0001'", name)
    seen = look_at_server(database.url)
    assert seen.verdict is Verdict.WARNING
    assert "It is at revision 0001" in seen.text


def test_looking_changes_nothing(database: Database) -> None:
    assert list(DatabaseServer(database.url).rows("SELECT 1 AS n")) == [{"n": 1}]
    with pytest.raises(UnavailableError, match="only be read"):
        list(DatabaseServer(database.url).rows("DELETE FROM accounts RETURNING name"))
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM accounts")).scalar() == 0
