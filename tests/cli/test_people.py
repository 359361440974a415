"""What people read: words for what is none, sizes with units, times of their own zone."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloudgate.cli import readable
from cloudgate.cli.app import app
from cloudgate.cli.output import at
from cloudgate.cli.resources.common import bytes_of
from cloudgate.wire.schema import schema_bytes
from tests.cli.conftest import Run

GB = 1024**3
CA = "ca.pem"
TASKS, SPEED = "MaxConcurrentTasks", "ThrottlingSpeedLimit"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 bytes"),
        (1, "1 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KB"),
        (1536, "1.5 KB"),
        (1024**2 - 1, "1024 KB"),
        (100 * GB, "100 GB"),
        (1024 * GB, "1 TB"),
        (1536 * GB, "1.5 TB"),
        (2000 * 1024**2, "2 GB"),
        (5 * GB + 1, "5 GB"),
        (2**63 - 1, "8 EB"),
    ],
)
def test_sizes_have_the_largest_unit(number: int, said: str) -> None:
    assert readable.size(number) == said


@pytest.mark.parametrize("words", [("up",), ("serve",), ("connect",), ("repository", "probe"), ()])
def test_help_cuts_nothing_at_80_columns(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}, terminal_width=80)
    assert said.exit_code == 0
    assert "…" not in said.output
    assert re.search(r"\.\.\.(?!\S)(?<!]\.\.\.)", said.output) is None
    assert max(len(line) for line in said.output.splitlines()) <= 80
    if words == ("up",):
        for name in ("--gateway-certificate-days", "CLOUDGATE_ADMIN_PASSWORD_FILE"):
            assert name in said.output


@pytest.mark.parametrize(
    "words",
    [
        ("up", "--data"),
        ("serve", "--data"),
        ("host", "run", "--data"),
        ("host", "join", "https://localhost:1", "--token", "t", "--ca", CA, "--data"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_with_the_reason(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "a file"
    file.touch()
    ca = tmp_path / CA
    ca.write_text("no certificate")
    command = [str(ca) if word == CA else word for word in words]
    ended = subprocess.run(
        [sys.executable, "-m", "cloudgate", *command, str(file / "data")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert re.fullmatch(r"Error: .{20,}\.\n", ended.stderr)


def test_what_moved_through_a_tunnel_has_a_unit() -> None:
    assert at("BytesUp")({"BytesUp": 5 * GB}) == "5 GB"


def test_a_quota_is_never_rounded() -> None:
    for megabytes, said in ((2000, "2000 MB"), (1536, "1.5 GB"), (102400, "100 GB")):
        assert at("Quota")({"Quota": megabytes}) == said


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("7", 7), ("7B", 7), ("20TB", 20 * 1024**4), ("500 GiB", 500 * GB),
        ("1k", 1024), ("2pb", 2 * 1024**5),
    ],
)  # fmt: skip
def test_sizes_are_read_as_people_write_them(text: str, number: int) -> None:
    assert bytes_of(text) == number


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_are_those_of_the_terminals_zone(in_kolkata: None) -> None:
    assert readable.moment("2026-11-28T20:00:00Z") == "2026-11-29 01:30:00 IST"
    assert readable.moment("2026-11-28T20:00:00.123456Z") == "2026-11-29 01:30:00 IST"
    assert readable.moment("1753-01-01T00:00:00Z") == "never"
    assert readable.moment("soon") == "soon"
    assert at("LastSeen")({"LastSeen": "2026-11-28T20:00:00Z"}) == "2026-11-29 01:30:00 IST"
    assert at("Description")({"Description": "2026-11-28T20:00:00Z"}) == "2026-11-28T20:00:00Z"


@pytest.mark.parametrize(
    ("zone", "text", "said"),
    [
        ("Europe/Berlin", "9999-12-31T23:59:59Z", "9999-12-31 23:59:59 UTC"),
        ("America/New_York", "0001-01-01T00:00:00Z", "0001-01-01 00:00:00 UTC"),
        ("Europe/Berlin", "9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59-05:00"),
    ],
)
def test_the_ends_of_time_are_told_in_any_zone(
    monkeypatch: pytest.MonkeyPatch, zone: str, text: str, said: str
) -> None:
    with monkeypatch.context() as there:
        there.setenv("TZ", zone)
        time.tzset()
        told = readable.moment(text)
    time.tzset()
    assert told.lstrip("0") == said.lstrip("0")


def test_all_that_the_schema_calls_a_time_is_told_as_one() -> None:
    times = set(re.findall(r'name="(\w+)" type="DateTime"', schema_bytes().decode()))
    assert "LastUseTime" in times
    for name in times:
        told = readable.read(name, "2026-11-28T20:00:00Z", {})
        assert told is not None, name
        assert told.startswith(readable.moment("2026-11-28T20:00:00Z")), name


@pytest.mark.parametrize(
    ("name", "around", "said"),
    [
        (
            "MaxConcurrentTasks",
            {"MaxConcurrentTasks": 1, "ConcurrentTasksLimited": False},
            "no limit",
        ),
        ("MaxConcurrentTasks", {"MaxConcurrentTasks": 1, "ConcurrentTasksLimited": True}, "1"),
        (
            "MaxConcurrentTasks",
            {"MaxConcurrentTasks": 0, "ConcurrentTasksLimited": False},
            "no limit",
        ),
        ("MaxConcurrentTasks", {"MaxConcurrentTasks": 3}, "3"),
        (
            "ThrottlingSpeedLimit",
            {"ThrottlingSpeedLimit": 1, "ThrottlingEnabled": False},
            "no limit",
        ),
        (
            "ThrottlingSpeedLimit",
            {"ThrottlingSpeedLimit": 0, "ThrottlingEnabled": True},
            "no limit",
        ),
        (
            "ThrottlingSpeedLimit",
            {"ThrottlingSpeedLimit": 5, "ThrottlingEnabled": True, "ThrottlingSpeedUnit": "MBps"},
            "5 MBps",
        ),
        ("Quota", {"Quota": 102400}, "100 GB"),
        ("QuotaMb", {"QuotaMb": 2048, "Unlimited": False}, "2 GB"),
        ("QuotaMb", {"QuotaMb": 2048, "Unlimited": True}, "no limit"),
        ("Capacity", {"Capacity": 20 * 1024 * GB}, "20 TB"),
        ("Capacity", {}, ""),
        ("LeaseOptions", {"LeaseOptions": {"Enabled": False}}, "no end"),
        ("Port", {"Port": 6180}, "6180"),
        ("Enabled", {"Enabled": True}, "true"),
    ],
)
def test_what_limits_nothing_is_said_in_words(name: str, around: dict[str, Any], said: str) -> None:
    assert at(name)(around) == said


def test_a_tenant_is_shown_in_words_and_to_programs_as_the_api_says(
    cloudgate: Run,
) -> None:
    made = cloudgate("repository", "create", "vault", "--endpoint", "v:1", "--capacity", "20TB")
    assert made.exit_code == 0, made.output
    made = cloudgate("tenant", "create", "acme", "--repository", "vault=100", "--generate-password")
    assert made.exit_code == 0, made.output
    shown = cloudgate("tenant", "show", "acme").stdout
    lines = dict(line.split(maxsplit=1) for line in shown.splitlines() if " " in line.strip())
    assert lines["LastActive"] == "never"
    assert lines["MaxConcurrentTasks"] == "no limit"
    assert lines["ThrottlingSpeedLimit"] == "no limit"
    assert lines["LeaseOptions"] == "no end"
    assert "Quota 100 GB" in lines["Resources"]
    for word in ("1753", "102400", "ThrottlingSpeedUnit", "ConcurrentTasksLimited"):
        assert word not in shown
    entity = json.loads(cloudgate("tenant", "show", "acme", "--output", "json").stdout)
    assert entity["LastActive"] == "1753-01-01T00:00:00Z"
    assert entity["MaxConcurrentTasks"] == 1
    assert entity["Resources"]["CloudTenantResources"][0]["RepositoryQuota"]["Quota"] == 102400
    vaults = cloudgate("repository", "list").stdout
    assert "20 TB" in vaults
    assert "19.9 TB" in vaults
