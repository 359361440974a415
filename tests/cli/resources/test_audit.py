"""`cloudgate audit verify`: what it says, and its exit status."""

import json
import sqlite3
from pathlib import Path

from cloudgate.manager.audit.events import Change
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.outlets import deliver, open_outlet
from cloudgate.manager.backups.restore import RESTORED
from cloudgate.trust.audit_chain import hash_of
from tests.cli.conftest import Run
from tests.support.running.manager import RunningManager


def alter(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "cloudgate.db") as connection:
        connection.execute("DROP TRIGGER audit_events_no_update")
        connection.execute(statement)
    connection.close()


def test_the_audit_log_is_verified_with_what_was_noted_elsewhere(
    cloudgate: Run, running: RunningManager, tmp_path: Path
) -> None:
    for name in ("acme", "globex"):
        cloudgate("tenant", "create", name, "--generate-password")
    fine = cloudgate("audit", "verify", "-o", "json")
    assert fine.exit_code == 0, fine.output
    said = json.loads(fine.stdout)
    assert (said["Intact"], said["FirstNumber"]) == (True, 1)
    assert said["Entries"] == said["LastNumber"] == len(running.audited())
    file = tmp_path / "audit.jsonl"
    deliver(running.manager, open_outlet(str(file)))
    noted = f"{said['LastNumber']}:{said['LastHash']}"
    both = cloudgate("audit", "verify", "--file", str(file), "--expect", noted)
    assert both.exit_code == 0, both.output
    other = cloudgate("audit", "verify", "--expect", f"1:{said['LastHash']}")
    assert other.exit_code == 1
    assert "Entry 1 is missing in the manager's audit log, or not the one" in other.output
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:1] + lines[2:]))
    gap = cloudgate("audit", "verify", "--file", str(file))
    assert (gap.exit_code, "Entry 2 is missing." in gap.output) == (1, True)
    file.write_bytes(b"\xd0 is no UTF-8")
    other_text = cloudgate("audit", "verify", "--file", str(file))
    assert (other_text.exit_code, "line 1, is not JSON" in other_text.output) == (1, True)
    alter(tmp_path, "UPDATE audit_events SET account = 'eve' WHERE number = 2")
    wrong = cloudgate("audit", "verify")
    assert wrong.exit_code == 1
    assert "Entry 2 is not as it was written" in wrong.output
    answer = running.logged_on("application/xml").get("/audit/verification")
    assert "<Intact>false</Intact>" in answer.text
    assert "<WrongNumber>2</WrongNumber>" in answer.text


def test_entries_of_a_past_that_a_restore_has_replaced_are_named(
    cloudgate: Run, running: RunningManager, tmp_path: Path
) -> None:
    outlet, file = open_outlet(str(tmp_path / "audit.jsonl")), tmp_path / "audit.jsonl"
    deliver(running.manager, outlet)
    last = json.loads(file.read_text().splitlines()[-1])
    said = {"number": last["number"] + 1, "operation": "DeleteCloudTenant"}
    lost = {**said, "previous": last["hash"], "hash": hash_of(said, last["hash"])}
    with file.open("a") as opened:
        opened.write(f"{json.dumps(lost)}\n")
    with running.manager.changing() as work:
        record(work, Change(RESTORED, "Backup"))
    deliver(running.manager, outlet)
    found = cloudgate("audit", "verify", "--file", str(file), "-o", "json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["Intact"]
    assert f"Entry {lost['number']} is of a past that a restore has replaced" in found.stderr
