"""Does a support bundle come about, and keep quiet, on a machine on which much is not well?"""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloudgate.cli.app import app
from cloudgate.diagnosis import bundle
from cloudgate.diagnosis.findings import Verdict
from cloudgate.diagnosis.machine import check
from cloudgate.errors import UnavailableError

NOWHERE = "http://127.0.0.1:9/metrics"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    folder = tmp_path / "host"
    (folder / "logs").mkdir(parents=True)
    return folder


def collected(data: Path, *logs: Path) -> dict[str, str]:
    return {part.name: part.text for part in bundle.collect(data, [], logs, NOWHERE)}


@pytest.mark.parametrize(
    "damaged",
    ["[1]", '{"tenants": [1]}', '{"tenants": [{"targets": 5}]}', '{"tenants": 5}', "[" * 100_000],
)
def test_without_the_names_that_are_to_be_replaced_there_is_none(host: Path, damaged: str) -> None:
    (host / "directory.json").write_text(damaged)
    with pytest.raises(UnavailableError, match="names of customers"):
        collected(host.parent)


def test_names_that_only_logs_know_are_replaced(host: Path, tmp_path: Path) -> None:
    log = tmp_path / "host.log"
    lines = [{"event": "tunnel of bygone ended", "tenant": "Bygone", "target": "old.example:443"}]
    log.write_text("\n".join(json.dumps(each) for each in lines) + "\nold.example has no address\n")
    text = collected(host.parent, log)["logs/host.log"]
    assert "bygone" not in text.lower()
    assert "old.example" not in text


def test_targets_of_users_and_hosts_without_a_port_are_replaced(host: Path, tmp_path: Path) -> None:
    target = {"endpoint": "vault.example:443", "address": "store.internal:8443"}
    tenants = [{"name": "acme", "users": [{"name": "laptop", "targets": [target]}]}]
    (host / "directory.json").write_text(json.dumps({"tenants": tenants}))
    log = tmp_path / "host.log"
    log.write_text("vault.example and store.internal have no address\n")
    assert collected(host.parent, log)["logs/host.log"].startswith("repository-2 and repository-4")


def test_a_log_begins_with_a_whole_line(host: Path, tmp_path: Path) -> None:
    log = tmp_path / "host.log"
    log.write_text(f"Authorization: Basic {'c2VjcmV0' * 300_000}\nwhole\n")
    assert collected(host.parent, log)["logs/host.log"] == "whole\n"


def test_a_log_with_half_of_a_surrogate_pair_can_be_sent(host: Path, tmp_path: Path) -> None:
    log = tmp_path / "host.log"
    log.write_text('{"event": "\\ud800"}\n')
    bundle.write(tmp_path / "made.tar.gz", host.parent, [], [log], NOWHERE)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["assignment.json", "directory.json"])
async def test_the_doctor_names_a_state_file_that_is_damaged(host: Path, name: str) -> None:
    (host / name).write_text("no JSON")
    found = [each async for each in check(host.parent)]
    (said,) = [each for each in found if each.check == "state"]
    assert said.verdict is Verdict.PROBLEM
    assert name in said.text


@pytest.mark.parametrize("command", ["doctor", "support-bundle"])
def test_who_may_not_read_the_folder_is_told_as_whom_to_run_it(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists = Path.exists

    def refused(path: Path) -> bool:
        if path.parent == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "exists", refused)  # root, who may run the tests, may read all
    said = CliRunner().invoke(app, [command, "--data", str(tmp_path)])
    assert said.exit_code == 1
    assert "the user who runs the service" in said.stderr
    assert isinstance(said.exception, SystemExit)
