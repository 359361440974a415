"""Does a machine join by the one command that it is shown, and is nobody fooled?"""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cloudgate.gateway.layout import layout_of
from cloudgate.gateway.membership import load_membership
from cloudgate.gateway.system import linux, windows
from tests.cli.conftest import Run
from tests.support.manager import RunningManager


def shown_command(output: str) -> list[str]:
    """What the operator copies, without the program's name."""
    line = next(line for line in output.splitlines() if "cloudgate host join" in line)
    words = shlex.split(line)[1:]
    return [re.sub("^https://[^:]*:", "https://localhost:", word) for word in words]


def test_the_command_that_is_shown_makes_a_machine_a_managed_server(
    cloudgate: Run, tmp_path: Path
) -> None:
    command = shown_command(cloudgate("server", "create", "gw1.example").stdout)
    joined = cloudgate(*command, "--data", str(tmp_path / "data"))
    assert joined.exit_code == 0, joined.output
    assert load_membership(layout_of(tmp_path / "data" / "host")).credential
    shown = json.loads(cloudgate("server", "show", "gw1.example", "-o", "json").stdout)
    assert shown["State"] == "Online"
    assert shown["ManagedServerType"] == "Linux"
    assert shown["EnvoyVersion"].startswith("1.")
    again = cloudgate(*command, "--data", str(tmp_path / "other"))
    assert again.exit_code == 1
    assert "was used already" in again.output
    renewed = shown_command(cloudgate("server", "renew-token", "gw1.example").stdout)
    assert cloudgate(*renewed, "--data", str(tmp_path / "other")).exit_code == 0


def test_a_manager_with_another_fingerprint_gets_no_token(
    cloudgate: Run, running: RunningManager, tmp_path: Path
) -> None:
    command = shown_command(cloudgate("server", "create", "gw1.example").stdout)
    command[-1] = "ab" * 32
    refused = cloudgate(*command, "--data", str(tmp_path / "data"))
    assert refused.exit_code == 1
    assert "is not the one that is meant" in refused.output
    assert not layout_of(tmp_path / "data" / "host").membership.exists()
    with running.manager.reading() as work:
        assert work.presence.all() == {}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--fingerprint", "ab"), "Give the join token"),
        (("--token", "t"), "Say how to know the manager"),
        (("--token", "t", "--fingerprint", "xyz"), "64 hexadecimal digits"),
        (("--token-file", "/none", "--fingerprint", "ab" * 32), "Cannot read /none"),
    ],
)
def test_what_is_missing_is_said(
    cloudgate: Run, running: RunningManager, arguments: tuple[str, ...], complaint: str
) -> None:
    refused = cloudgate("host", "join", running.url, *arguments)
    assert refused.exit_code == 1
    assert complaint in refused.output


def test_the_whole_fleet_is_on_one_screen(cloudgate: Run) -> None:
    cloudgate("server", "create", "gw1.example")
    shown = cloudgate("status").stdout
    assert re.search(r"gw1.example\s+Expected", shown)
    told = json.loads(cloudgate("status", "-o", "json").stdout)
    assert told["ManagedServers"][0]["Name"] == "gw1.example"
    assert told["CloudGateways"] == []


@pytest.mark.skipif(
    subprocess.run(["which", "systemd-analyze"], capture_output=True, check=False).returncode != 0,
    reason="systemd-analyze is not installed (Debian: systemd)",
)
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    file = tmp_path / "cloudgate-host.service"
    file.write_text(linux.unit("/bin/true", Path("/var/lib/cloudgate"), "root"))
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.stderr.strip() == ""
    assert checked.returncode == 0


def test_windows_ends_the_connections_that_are_meant_and_no_others() -> None:
    known = [("192.0.2.1:6180", "198.51.100.7:50000"), ("192.0.2.1:6180", "198.51.100.8:50000")]
    (row,) = windows.rows({"198.51.100.8:50000"}, known)
    table = b"\1\0\0\0" + row
    assert windows.read_table(table) == [known[1]]
    assert row[:4] == b"\x0c\0\0\0"
    assert row[12:16] == bytes([198, 51, 100, 8])
