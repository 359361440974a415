"""Does a support bundle come about, and keep quiet, on a machine on which much is not well?"""

import errno
import json
import socket
import sqlite3
import tarfile
from collections.abc import AsyncIterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from cloudgate.cli.app import app
from cloudgate.diagnosis import bundle, machine
from cloudgate.diagnosis.findings import Finding, Verdict
from cloudgate.diagnosis.machine import check
from cloudgate.host.envoy.data_path.choice import DataPath
from cloudgate.host.state.enrolment import Enrolment, save_enrolment
from cloudgate.host.state.paths import state_paths
from cloudgate.manager import storage
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.installation import DATABASE
from tests.support.machine.disks import make_unreadable
from tests.support.ports import free_port

NOWHERE = "http://127.0.0.1:9/metrics"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    folder = tmp_path / "host"
    (folder / "logs").mkdir(parents=True)
    return folder


def collected(data: Path, *logs: Path) -> dict[str, str]:
    return {part.name: part.text for part in bundle.collect(data, [], logs, NOWHERE)}


SAFE = {"versions.json", "settings.json", "checks.json", "files.txt", "missing.txt"}


@pytest.mark.parametrize(
    "damaged",
    ["[1]", '{"tenants": [1]}', '{"tenants": [{"targets": 5}]}', '{"tenants": 5}', "[" * 100_000],
)
def test_without_the_names_of_the_host_nothing_comes_that_could_have_them(
    host: Path, tmp_path: Path, damaged: str
) -> None:
    (host / "directory.json").write_text(damaged)
    (host / "site.json").write_text("{}")
    log = tmp_path / "host.log"
    log.write_text("umbrella is refused\n")
    found = collected(host.parent, log)
    assert found.keys() == {*SAFE, "host/site.json"}
    assert "directory.json of the host cannot be read" in found["missing.txt"]
    assert "logs/host.log is left out" in found["missing.txt"]
    assert "umbrella" not in "".join(found.values())


@pytest.fixture(scope="module")
def empty_database() -> str:
    return (resources.files(storage) / "revisions" / "empty.sql").read_text("utf-8")


@pytest.fixture
def manager(tmp_path: Path, empty_database: str) -> Path:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as made:
        made.executescript(empty_database)
        made.execute("INSERT INTO former_names (id, name) VALUES ('1', 'umbrella')")
        made.commit()
    return tmp_path


def test_the_managers_names_are_replaced(manager: Path) -> None:
    log = manager / "x.log"
    log.write_text("umbrella is refused\n")
    found = collected(manager, log)
    assert found["logs/x.log"] == "name-1 is refused\n"
    assert "missing" not in found.get("missing.txt", "").replace("metrics", "")


@pytest.mark.parametrize(
    "broken",
    [
        "DROP TABLE former_names",
        "ALTER TABLE former_names RENAME TO elsewhere",
        "ALTER TABLE cloud_tenants RENAME COLUMN login TO signs_on_as",
        "ALTER TABLE audit_events RENAME COLUMN account TO who",
        "",
        "not there",
        "cut",
    ],
)
def test_without_the_names_of_the_manager_nothing_comes_that_could_have_them(
    manager: Path, broken: str
) -> None:
    file, log = manager / DATABASE, manager / "x.log"
    log.write_text("umbrella is refused\n")
    if broken == "not there":
        file.unlink()
        (manager / "sealing.key").write_text("a key")
    elif broken == "cut":
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    elif broken:
        with closing(sqlite3.connect(file)) as opened:
            opened.execute(broken)
            opened.commit()
    else:
        file.write_bytes(b"this is no database, and umbrella is named in it" * 1000)
    found = collected(manager, log)
    assert found.keys() >= SAFE
    assert found.keys() <= {*SAFE, "manager/tables.json"}
    assert "the manager's database cannot be read" in found["missing.txt"]
    assert "umbrella" not in "".join(found.values())


def test_two_logs_of_one_name_are_both_in_it(host: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.log").write_text(f"of {folder}\n")
    found = collected(host.parent, tmp_path / "a" / "x.log", tmp_path / "b" / "x.log")
    assert (found["logs/x.log"], found["logs/2-x.log"]) == ("of a\n", "of b\n")


def test_a_bundle_comes_where_checks_and_files_are_broken(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("membership", "assignment", "site", "directory", "drain", "usage"):
        (host / f"{name}.json").write_bytes(b"\xff\x00{[")
    (host / "logs" / "tunnels.log").mkdir()

    async def check(_: Path, *, database: str | None) -> AsyncIterator[Finding]:
        yield Finding("room", Verdict.OK, "as far as it went")
        raise RuntimeError

    monkeypatch.setattr("cloudgate.diagnosis.machine.check", check)
    made = tmp_path / "made.tar.gz"
    command = ["support-bundle", str(made), "--data", str(tmp_path), "--metrics", NOWHERE]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.output
    assert "missing.txt" in said.stdout
    with tarfile.open(made) as opened:
        names = {each.removeprefix("cloudgate-support/") for each in opened.getnames()}
        checks = opened.extractfile("cloudgate-support/checks.json")
        assert checks is not None
        assert [each["Check"] for each in json.load(checks)] == ["room", "checks"]
    assert names >= SAFE


def test_names_that_only_logs_know_are_replaced(host: Path, tmp_path: Path) -> None:
    log = tmp_path / "host.log"
    lines = [{"event": "tunnel of bygone ended", "tenant": "Bygone", "target": "old.example:443"}]
    log.write_text("\n".join(json.dumps(each) for each in lines) + "\nold.example has no address\n")
    text = collected(host.parent, log)["logs/host.log"]
    assert "bygone" not in text.lower()
    assert "old.example" not in text


def test_targets_of_users_and_hosts_without_a_port_are_replaced(host: Path, tmp_path: Path) -> None:
    target = {"endpoint": "vault.example:443", "address": "store.internal:8443"}
    tenants = [{"name": "umbrella", "users": [{"name": "laptop", "targets": [target]}]}]
    (host / "directory.json").write_text(json.dumps({"tenants": tenants}))
    log = tmp_path / "host.log"
    log.write_text("vault.example and store.internal have no address\n")
    assert collected(host.parent, log)["logs/host.log"].startswith("repository-2 and repository-4")


def test_a_target_that_is_an_address_of_ipv6_is_replaced_with_its_brackets_and_without(
    host: Path, tmp_path: Path
) -> None:
    target = {"endpoint": "[fd00::7]:443", "address": "[::1]:8443"}
    (host / "directory.json").write_text(
        json.dumps({"tenants": [{"name": "umbrella", "targets": [target]}]})
    )
    log = tmp_path / "host.log"
    log.write_text("fd00::7 does not answer, nor does https://[fd00::7]/, but ::1 does\n")
    assert collected(host.parent, log)["logs/host.log"] == (
        "repository-2 does not answer, nor does https://[repository-2]/, but ::1 does\n"
    )


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


@pytest.mark.anyio
async def test_the_doctor_tells_of_a_second_authority_that_the_manager_may_come_from(
    host: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / each for each in "ab"]
    for each in folders:
        each.mkdir()
    one, other = (open_authority(each).certificate_pem for each in folders)
    for pem, is_told in ((one, False), (one + other, True)):
        url = f"https://localhost:{free_port()}"
        known = Enrolment(url=url, server_id=UUID(int=1), credential="x", ca_pem=pem)
        save_enrolment(state_paths(host), known)
        found = {each.check async for each in check(host.parent)}
        assert ("authority" in found) is is_told


@pytest.mark.anyio
async def test_of_what_the_doctor_cannot_read_it_says_so_and_not_what_is_not_there(
    host: Path,
) -> None:
    files = [host / name for name in ("membership.json", "assignment.json", "directory.json")]
    for each in files:
        each.touch()
        make_unreadable(each)
    found = {each.text: each for each in [each async for each in check(host.parent)]}
    for each in files:
        said = [known for text, known in found.items() if f"{each} cannot be read" in text]
        assert said
        assert {(known.verdict, known.advice) for known in said} == {
            (Verdict.UNKNOWN, "Run this as the user of the service.")
        }
    assert not [text for text in found if "is no gateway" in text or "has not joined" in text]


@pytest.mark.anyio
async def test_the_doctor_says_that_a_folder_that_was_mistyped_is_not_there(tmp_path: Path) -> None:
    found = {each.check: each for each in [each async for each in check(tmp_path / "mistyped")]}
    said = found["data folder"]
    assert said.verdict is Verdict.WARNING
    assert f"There is no {tmp_path / 'mistyped'}:" in said.text
    assert "--data DIR" in said.advice


@pytest.mark.anyio
async def test_the_doctor_says_why_tunnels_go_without_the_module(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "chosen_data_path", lambda: DataPath(reason="It was not built."))
    found = {each.check: each for each in [each async for each in check(host.parent)]}
    said = found["module"]
    assert (said.verdict, said.advice) == (Verdict.WARNING, "It was not built.")


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


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "as asyncio words it"), "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not kn"),
        (TimeoutError(), "it does not answer"),
    ],
)
def test_the_doctor_says_in_words_why_nobody_answers(problem: OSError, why: str) -> None:
    assert machine._why(problem).startswith(why)
