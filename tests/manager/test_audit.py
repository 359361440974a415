"""What the audit log says, and that it reaches its outlets whatever happens."""

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.audit.events import EVENTS, Change, differences, event_of
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.outlets import BATCH, SyslogOutlet, deliver, open_outlet
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage.database import Database, sqlite_url

IDENTIFIER = UUID("917be225-6744-4777-8096-cbabaec55006")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    database = Database(sqlite_url(tmp_path / "cloudgate.db"))
    yield Manager(database, open_authority(tmp_path), open_sealing(tmp_path))
    database.close()


def change(operation: str = "CreateRepository", name: str = "vault") -> Change:
    return Change(
        operation=operation,
        object_type="Repository",
        object_id=IDENTIFIER,
        object_name=name,
        after={"Name": name},
    )


def log(manager: Manager, *names: str) -> None:
    with manager.changing("admin", "192.0.2.1") as work:
        for name in names:
            record(work, change(name=name))


@pytest.mark.parametrize(
    ("operation", "code", "severity", "text"),
    [
        ("CreateCloudGateway", 24130, "Info", f"Cloud gateway x [{IDENTIFIER}] has been created"),
        ("EditCloudGateway", 24131, "Info", f"Cloud gateway x [{IDENTIFIER}] has been modified"),
        ("DeleteCloudGateway", 24140, "Warning", "Cloud gateway x has been deleted"),
        (
            "CreateCloudGatewayPool",
            24141,
            "Info",
            f"Cloud gateway pool 'x' [{IDENTIFIER}] has been created.",
        ),
        ("DeleteCloudGatewayPool", 24143, "Warning", "Cloud gateway pool 'x' has been deleted."),
        (
            "CreateCloudTenant",
            24110,
            "Info",
            f"Cloud Connect tenant x [{IDENTIFIER}] has been created",
        ),
        ("DeleteCloudTenant", 24120, "Warning", "Cloud Connect tenant x has been deleted"),
        (
            "AddCloudSubtenant",
            25200,
            "Info",
            f"Cloud Connect subtenant x [{IDENTIFIER}] [tenant ID: {IDENTIFIER}] has been created",
        ),
        (
            "DeleteCloudSubtenant",
            25210,
            "Warning",
            f"Cloud Connect subtenant x [tenant ID: {IDENTIFIER}] has been deleted",
        ),
    ],
)
def test_events_are_told_in_the_published_words(
    operation: str, code: int, severity: str, text: str
) -> None:
    event = EVENTS[operation]
    told = event.told(
        Change(
            operation=operation,
            object_type="X",
            object_id=IDENTIFIER,
            object_name="x",
            owner_id=IDENTIFIER,
        )
    )
    assert (event.code, event.severity, told) == (code, severity, text)


def test_disabling_a_tenant_has_an_event_of_its_own() -> None:
    def edit(*, was: bool, is_now: bool) -> int:
        return event_of(
            Change(
                operation="EditCloudTenant",
                object_type="CloudTenant",
                before={"Enabled": was},
                after={"Enabled": is_now},
            )
        ).code

    assert edit(was=True, is_now=False) == 25000
    assert edit(was=False, is_now=True) == 25100
    assert edit(was=True, is_now=True) == 25100


def test_of_an_edit_only_what_differs_is_kept() -> None:
    before, after = {"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}
    edit = Change(operation="EditRepository", object_type="X", before=before, after=after)
    assert differences(edit) == ({"b": 2, "c": None}, {"b": 3, "c": 4})
    assert differences(change()) == (None, {"Name": "vault"})


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


def test_a_file_that_cannot_be_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequestError, match="cannot be written"):
        open_outlet(str(tmp_path / "file" / "audit.jsonl"))
