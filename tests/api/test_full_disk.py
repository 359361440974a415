"""While nothing can be written, the manager can be read, and who has a password logs on."""

import re
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError
from starlette.concurrency import run_in_threadpool

from cloudgate.errors import CloudgateError
from cloudgate.manager.core.unit_of_work import DISK, Manager, UnitOfWork
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck
from cloudgate.manager.registries.pending_sessions import PendingSession
from cloudgate.manager.security.installation import DATABASE
from cloudgate.manager.sessions import operations as sessions
from cloudgate.manager.sessions.operations import IDLE_LIMIT, NOTE_AFTER, write_pending_sessions
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.failures import BUSY, reason
from cloudgate.manager.storage.sqlite import sqlite_url
from tests.support.machine.disks import (
    fail,
    file_disk,
    make_room,
    needs_loop_devices,
    needs_mounts,
    small_disk,
    take_bytes,
)
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import PASSWORD, RunningManager, finished, running_manager
from tests.support.waiting import until

_BYTES = 16 * 1024
"""What a file can still have: less than the database has already, and more than a test says."""


@pytest.fixture(autouse=True)
def logs_in_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """What this process logs goes to no file, which would be full, too."""


@contextmanager
def full_disk(running: RunningManager) -> Iterator[None]:
    """As far as this process goes: files end early, and writing beyond that fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with running.manager.changing(shown=False) as work:  # the log of the database is in use
        assert work.session is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_reading_and_logging_on_work_while_the_disk_is_full(running: RunningManager) -> None:
    early = running.logged_on()
    (site,) = early.get("/backupServers").json()["Refs"]
    with full_disk(running):
        for client in (early, running.client(Accept="application/json")):
            if client is not early:
                made = client.post("/sessionMngr/", auth=("admin", PASSWORD))
                assert made.status_code == 201, made.text
                assert client.get(f"/logonSessions/{made.json()['SessionId']}").is_success
            for _ in range(2):
                running.clock.ahead += NOTE_AFTER + timedelta(seconds=1)
                assert client.get("/tasks").status_code == 200
                assert client.get("/backupServers?format=Entity").status_code == 200
            refused = client.post(f"{site['Href']}?action=collect")
            assert refused.status_code == 503
            assert len(refused.json()["Message"]) > 20
            late = client
        running.clock.ahead += IDLE_LIMIT - timedelta(minutes=1)
        for client in (early, late):
            assert client.get("/tasks").status_code == 200, "it was in use all the time"
        assert running.client().post("/sessionMngr/", auth=("admin", "wrong")).status_code == 401
        assert running.client().post("/sessionMngr/", auth=("admin", PASSWORD)).is_success
    write_pending_sessions(running.manager)
    assert running.manager.pending_sessions.all() == []
    for client in (early, late):
        assert client.get("/tasks").status_code == 200
        assert client.post(f"{site['Href']}?action=collect").status_code == 202
    logons = [each for each in running.audited() if each.operation == "LogOn" and each.success]
    assert len(logons) == 3
    assert len(early.get("/logonSessions").json()["LogonSessions"]) == 3


def test_what_was_found_at_a_gateways_address_is_written_down_once_that_can_be(
    tmp_path: Path,
) -> None:
    with ExitStack() as filled:

        async def dial(_reach: ReachabilityCheck) -> str:
            await run_in_threadpool(filled.enter_context, full_disk(running))
            return "Nothing answers."

        with running_manager(tmp_path, prober=dial) as running:
            client, host = running.logged_on(), ScriptedHost(running)
            spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
            task = client.post("/cloud/gateways", json=spec).raise_for_status().json()
            host.obey()
            until(lambda: DISK in {each.kind for each in running.manager.warnings.all()})
            filled.close()
            ended = finished(client, task)["Result"]
            host.close()
    assert ended["Success"] is True
    assert ended["Message"].endswith("tenants may not reach it. Nothing answers.")


def test_who_logs_off_or_gets_another_password_meanwhile_is_out(running: RunningManager) -> None:
    with full_disk(running):
        gone, stays = (running.client(Accept="application/json") for _ in range(2))
        for client in (gone, stays):
            made = client.post("/sessionMngr/", auth=("admin", PASSWORD)).json()
            own = made["Href"]
            if client is gone:
                assert client.get("/tasks").status_code == 200
                assert client.delete(own).status_code == 204
                assert client.get("/tasks").status_code == 401
        assert gone.get("/tasks").status_code == 401
        assert stays.get("/tasks").status_code == 200
    admin = running.logged_on()
    spec = {"CurrentPassword": PASSWORD, "Password": "another long password"}
    assert admin.put("/security/password", json=spec).status_code == 204
    assert stays.get("/tasks").status_code == 401
    write_pending_sessions(running.manager)
    assert stays.get("/tasks").status_code == 401


def test_who_logs_off_while_sessions_are_being_written_is_out(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = running.client(Accept="application/json")
    write = sessions._write_begun

    def log_off_meanwhile(manager: Manager, work: UnitOfWork, begun: PendingSession) -> None:
        write(manager, work, begun)
        running.manager.pending_sessions.end(begun.session.id)

    # The manager may be the first to write it, as soon as there is room.
    monkeypatch.setattr(sessions, "_write_begun", log_off_meanwhile)
    with full_disk(running):
        client.post("/sessionMngr/", auth=("admin", PASSWORD))
    write_pending_sessions(running.manager)
    assert client.get("/tasks").status_code == 401


def test_who_logs_off_from_a_session_that_a_failing_disk_has_written_is_out(
    running: RunningManager,
) -> None:
    client = running.client(Accept="application/json")
    with full_disk(running):
        made = client.post("/sessionMngr/", auth=("admin", PASSWORD)).json()
    (begun,) = running.manager.pending_sessions.all()
    write_pending_sessions(running.manager)
    running.manager.pending_sessions.begin(begun)
    assert client.delete(made["Href"]).status_code == 204
    assert client.get("/tasks").status_code == 401


def test_a_session_that_a_failing_disk_has_written_all_the_same_is_written_once(
    running: RunningManager,
) -> None:
    client = running.client(Accept="application/json")
    with full_disk(running):
        assert client.post("/sessionMngr/", auth=("admin", PASSWORD)).is_success
        (begun,) = running.manager.pending_sessions.all()
    for _ in range(2):
        running.manager.pending_sessions.begin(begun)
        write_pending_sessions(running.manager)
    assert running.manager.pending_sessions.all() == []
    assert client.get("/tasks").status_code == 200


@needs_mounts
def test_a_disk_that_is_full_is_a_warning_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size="12m") as disk, running_manager(disk) as running:
        admin = running.logged_on()
        (site,) = admin.get("/backupServers").json()["Refs"]

        def warned() -> list[str]:
            found = admin.get("/warnings").json()["OperatorWarnings"]
            return [each["Message"] for each in found if "full" in each["Message"]]

        assert warned() == []
        take_bytes(disk)
        while (answer := admin.post(f"{site['Href']}?action=collect")).is_success:
            pass  # there was still room in the files that are there
        assert answer.status_code == 503
        assert warned() == [answer.json()["Message"]]
        make_room(disk)
        assert admin.post(f"{site['Href']}?action=collect").is_success
        assert warned() == []


@needs_loop_devices
def test_a_disk_that_has_made_itself_read_only_is_a_warning(tmp_path: Path) -> None:
    with file_disk(tmp_path / "disk") as disk, running_manager(disk) as running:
        admin = running.logged_on()
        (site,) = admin.get("/backupServers").json()["Refs"]
        fail(disk)
        refused = admin.post(f"{site['Href']}?action=collect")
        assert refused.status_code == 503
        assert "disk" in refused.json()["Message"]
        warned = admin.get("/warnings").json()["OperatorWarnings"]
        assert refused.json()["Message"] in {each["Message"] for each in warned}
        again = running.client(Accept="application/json")
        assert again.post("/sessionMngr/", auth=("admin", PASSWORD)).is_success
        assert admin.get("/tasks").is_success


@needs_loop_devices
def test_a_database_that_cannot_be_opened_on_a_full_disk_says_so(tmp_path: Path) -> None:
    with file_disk(tmp_path / "disk") as disk:
        Database(sqlite_url(disk / DATABASE)).close()
        take_bytes(disk)
        with pytest.raises(CloudgateError, match=r"cannot be used.*disk .* is full"):
            Database(sqlite_url(disk / DATABASE))


def codes(primary: int) -> list[int]:
    """All codes of SQLite that are of one kind."""
    known = {getattr(sqlite3, name) for name in dir(sqlite3) if name.startswith("SQLITE_")}
    return [each for each in known if isinstance(each, int) and each & 0xFF == primary]


@pytest.mark.parametrize(
    ("primary", "said"),
    [
        (sqlite3.SQLITE_READONLY, "can only be read"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened"),
        (sqlite3.SQLITE_CORRUPT, "damaged"),
        (sqlite3.SQLITE_NOTADB, "damaged"),
        (sqlite3.SQLITE_IOERR, "I/O error|is full"),
    ],
)
def test_each_failure_of_a_disk_is_said_with_what_to_do(primary: int, said: str) -> None:
    found = codes(primary)
    assert found
    for code in found:
        error = sqlite3.DatabaseError("for programmers")
        error.sqlite_errorcode = code
        text = reason(DatabaseError("SELECT", {}, error))
        assert text is not None
        assert re.search(said, text)


def test_a_lock_of_another_is_no_failure_of_a_disk() -> None:
    for code in codes(sqlite3.SQLITE_BUSY) + codes(sqlite3.SQLITE_CONSTRAINT):
        error = sqlite3.DatabaseError("for programmers")
        error.sqlite_errorcode = code
        said = reason(DatabaseError("SELECT", {}, error))
        assert said == (BUSY if code in codes(sqlite3.SQLITE_BUSY) else None)
    assert reason(DatabaseError("SELECT", {}, Exception("of another database"))) is None
