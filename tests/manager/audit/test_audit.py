"""What the audit log says, and that it reaches its outlets whatever happens."""

import json
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.audit import outlets
from cloudgate.manager.audit.events import Change
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.outlets import (
    BATCH,
    FileOutlet,
    OutletEntry,
    SyslogOutlet,
    open_outlet,
)
from cloudgate.manager.audit.refusals import LOG_ON, LOG_ON_TENANT, OBJECT_TYPES, REFUSED_SERVER
from cloudgate.manager.audit.sums import write_sums
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.repositories import operations as repositories
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import AuditEvent


def deliver(manager: Manager, outlet: outlets.Outlet) -> int:
    """All that the outlet has not had yet, batch by batch, as the manager's job does."""
    return sum(iter(lambda: outlets.deliver(manager, outlet), 0))


def test_a_file_whose_last_line_is_not_the_logs_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("kept by hand")
    entry = OutletEntry(1, "Info", '{"number":1}')
    for _ in range(2):
        FileOutlet(file).write([entry])
    assert file.read_text() == 'kept by hand\n{"number":1}\n{"number":1}\n'


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    database = Database(sqlite_url(tmp_path / "cloudgate.db"))
    yield Manager(database, open_authority(tmp_path), open_sealing(tmp_path))
    database.close()


def change(name: str = "vault") -> Change:
    return Change(
        repositories.CREATED,
        repositories.TYPE,
        object_id=UUID(int=7),
        object_name=name,
        after={"Name": name},
    )


def log(manager: Manager, *names: str) -> None:
    with manager.changing("admin", "192.0.2.1") as work:
        for name in names:
            record(work, change(name=name))


def test_a_sum_of_refusals_is_of_what_was_refused(manager: Manager) -> None:
    for _ in range(3):
        for event in OBJECT_TYPES:
            manager.strangers.is_to_be_noted(
                event.operation, "" if event is REFUSED_SERVER else "x", "", manager.clock()
            )
    write_sums(manager, all_of_them=True)
    with manager.reading() as work:
        found = work.session.execute(select(AuditEvent.operation, AuditEvent.object_type)).all()
    # A logon is written down four times before it is summed up.
    logons = {LOG_ON.operation, LOG_ON_TENANT.operation}
    assert {(each, kind) for each, kind in found} == {
        (event.operation, kind)
        for event, kind in OBJECT_TYPES.items()
        if event.operation not in logons
    }


def test_a_file_gets_each_event_as_a_line_once(manager: Manager, tmp_path: Path) -> None:
    file = tmp_path / "audit" / "audit.jsonl"
    outlet = open_outlet(str(file))
    names = [f"vault {number}" for number in range(BATCH + 3)]
    log(manager, *names)
    assert deliver(manager, outlet) == len(names)
    assert deliver(manager, outlet) == 0
    log(manager, "räksmörgås")
    assert deliver(manager, outlet) == 1
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["object_name"] for line in lines] == [*names, "räksmörgås"]
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    last = lines[-1]
    assert (last["account"], last["address"], last["success"]) == ("admin", "192.0.2.1", True)
    assert last["after"] == {"Name": "räksmörgås"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_was_moved_away_is_made_anew(manager: Manager, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    outlet = open_outlet(str(file))
    log(manager, "one")
    deliver(manager, outlet)
    file.rename(tmp_path / "audit.1")
    log(manager, "two")
    deliver(manager, outlet)
    assert json.loads(file.read_text())["object_name"] == "two"


def test_what_an_outlet_did_not_take_comes_again(manager: Manager, tmp_path: Path) -> None:
    path = tmp_path / "log"
    outlet = SyslogOutlet(path)
    log(manager, "one", "two")
    with pytest.raises(UnavailableError, match="does not take the audit log"):
        deliver(manager, outlet)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(path))
        assert deliver(manager, outlet) == 2
        received = [syslog.recv(65536).decode() for _ in range(2)]
    assert all(text.startswith("<86>cloudgate: {") for text in received)
    assert [json.loads(text.partition(": ")[2])["object_name"] for text in received] == [
        "one",
        "two",
    ]


def test_an_entry_too_long_for_syslog_comes_shortened_and_keeps_none_after_it(
    manager: Manager, tmp_path: Path
) -> None:
    tenants = [f"tenant {number}" for number in range(30_000)]
    with manager.changing() as work:
        record(work, replace(change("all"), after={"Tenants": tenants}))
    log(manager, "next")
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(path))
        assert deliver(manager, SyslogOutlet(path)) == 2
        received = [syslog.recv(65536).decode().partition(": ")[2] for _ in range(2)]
    long, after = (json.loads(text) for text in received)
    assert (long["object_name"], long["left_out"]) == ("all", ["before", "after"])
    assert long["hash"] == after["previous"]
    assert after["object_name"] == "next"
    assert "left_out" not in after


def test_a_syslog_that_does_not_read_is_given_up_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "ANSWER_SECONDS", 0.1)
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(path))
        many = [OutletEntry(number, "Info", "{}") for number in range(20_000)]
        with pytest.raises(UnavailableError, match="has not read what it was sent"):
            SyslogOutlet(path).write(many)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for each in (pipe, Path("/dev/null")):
        with pytest.raises(InvalidRequestError, match="it is a pipe, a socket or a device"):
            open_outlet(str(each))
    outlet = open_outlet(str(tmp_path / "file"))
    (tmp_path / "file").unlink()
    pipe.rename(tmp_path / "file")
    reader = os.open(tmp_path / "file", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(UnavailableError, match="it is a pipe, a socket or a device"):
            outlet.write([OutletEntry(1, "Info", "{}")])
    finally:
        os.close(reader)


def test_a_file_that_cannot_be_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequestError, match="cannot be written"):
        open_outlet(str(tmp_path / "file" / "audit.jsonl"))
