"""Does a machine join by the one command that it is shown, and is nobody fooled?"""

import json
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from cloudgate.cli.resources.infrastructure.servers import seen_from_elsewhere
from cloudgate.cli.resources.status import summary, unlike
from cloudgate.cli.service.manager.typed_options import parameters
from cloudgate.host.platform import linux, windows
from cloudgate.host.platform.addresses import host_addresses
from cloudgate.host.state.enrolment import load_enrolment
from cloudgate.host.state.paths import state_paths
from tests.cli.conftest import Run
from tests.support.running.manager import RunningManager, running_manager


class FakeSystemd:
    """Writes down what `systemctl` is told, and where the unit goes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.unit = folder / "cloudgate-host.service"
        self._told = folder / "told"
        program = folder / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$@" >> {self._told}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(linux, "UNIT", self.unit)

    @property
    def told(self) -> list[str]:
        return self._told.read_text().splitlines() if self._told.exists() else []


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystemd:
    return FakeSystemd(tmp_path, monkeypatch)


def shown_command(output: str) -> list[str]:
    """What the operator copies, without the program's name."""
    line = next(line for line in output.splitlines() if "cloudgate host join" in line)
    words = shlex.split(line)[1:]
    return [re.sub(r"^https://(\[.*\]|[^:]*):", "https://localhost:", word) for word in words]


def test_the_command_that_is_shown_makes_a_machine_a_managed_server(
    cloudgate: Run, tmp_path: Path
) -> None:
    command = shown_command(cloudgate("server", "create", "gw1.example").stdout)
    joined = cloudgate(*command, "--data", str(tmp_path / "data"))
    assert joined.exit_code == 0, joined.output
    assert load_enrolment(state_paths(tmp_path / "data" / "host")).credential
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
    assert not state_paths(tmp_path / "data" / "host").membership.exists()
    with running.manager.reading() as work:
        assert work.hosts.presence.all(work.now) == {}


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


def test_a_token_that_is_not_good_is_refused_in_the_managers_words_and_the_next_step_is_said(
    cloudgate: Run, running: RunningManager
) -> None:
    whose = ("--ca", str(running.ca_file), "--token", "mistyped")
    refused = cloudgate("host", "join", running.url, *whose)
    assert refused.exit_code == 1
    assert " ".join(refused.output.split()) == (
        f"Error: The manager at {running.url} does not know this host: The join token is wrong, was"
        " used already, or has expired. Make a new one: cloudgate server renew-token NAME."
    )


def test_the_whole_fleet_is_on_one_screen(cloudgate: Run) -> None:
    cloudgate("server", "create", "gw1.example")
    shown = cloudgate("status").stdout
    assert re.search(r"gw1.example\s+Expected", shown)
    lines = shown.splitlines()
    assert lines[-1] == "All is well: 0 gateways, 0 live tunnels, 0 managed servers online."
    told = json.loads(cloudgate("status", "-o", "json").stdout)
    assert told["ManagedServers"][0]["Name"] == "gw1.example"
    assert told["CloudGateways"] == []


@pytest.mark.parametrize(
    ("managed", "gateway", "said"),
    [
        ("Online", "Listening", "All is well: 1 gateway, 2 live tunnels, 1 managed server online."),
        ("Offline", "Offline", "Not all is well: gw1 is Offline."),
        ("Online", "Failed", "Not all is well: gw1 is Failed."),
    ],
)
def test_one_line_says_how_all_is(managed: str, gateway: str, said: str) -> None:
    known = [{"Name": "gw1", "State": gateway, "LiveTunnels": 2}]
    assert summary([{"Name": "gw1", "State": managed}], known) == said


def test_one_line_says_which_hosts_are_of_another_release_than_the_manager() -> None:
    managed = [
        {"Name": "gw1", "Version": "1.3.0"},
        {"Name": "gw2", "Version": "1.2.0"},
        {"Name": "gw3"},
    ]
    assert unlike(managed, "1.3.0") == "The manager has release 1.3.0; gw2 (1.2.0)."
    assert not unlike(managed[::2], "1.3.0")


def test_joining_with_install_has_systemd_run_the_host_service_of_that_folder(
    cloudgate: Run, tmp_path: Path, systemd: FakeSystemd
) -> None:
    command = shown_command(cloudgate("server", "create", "gw1.example").stdout)
    data = tmp_path / "all data"
    joined = cloudgate(*command, "--install", "--data", str(data))
    assert joined.exit_code == 0, joined.output
    assert systemd.told == ["daemon-reload", "enable --now cloudgate-host.service"]
    unit = systemd.unit.read_text()
    assert f'-m cloudgate host run --data "{data}"\n' in unit
    assert f"\nUser={data.owner()}\n" in unit
    assert "The host service runs." in joined.output
    systemd.unit.unlink()
    again = cloudgate("host", "install", "--data", str(data))
    assert again.exit_code == 0, again.output
    assert systemd.unit.read_text() == unit


def test_a_host_that_has_not_joined_is_not_installed_and_the_folder_that_may_be_meant_is_named(
    cloudgate: Run,
    home: Path,
    tmp_path: Path,
    systemd: FakeSystemd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = cloudgate("host", "install")
    assert refused.exit_code == 1
    assert "has not joined" in refused.output
    assert "--data DIR" in refused.output
    command = shown_command(cloudgate("server", "create", "gw1.example").stdout)
    assert cloudgate(*command).exit_code == 0
    joined = home / ".local" / "share" / "cloudgate"
    # What sudo does: another home, and the name of who typed it.
    entry = pwd.getpwuid(os.getuid())
    at_home = pwd.struct_passwd((*entry[:5], str(home), *entry[6:]))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: at_home)
    monkeypatch.setenv("SUDO_USER", "operator")
    monkeypatch.setenv("HOME", str(tmp_path / "of-root"))
    named = cloudgate("host", "install")
    assert named.exit_code == 1
    assert named.output.rstrip().endswith(f"cloudgate host install --data {joined}")
    assert systemd.told == []
    assert not systemd.unit.exists()
    assert cloudgate("host", "install", "--data", str(joined)).exit_code == 0
    assert f"--data {joined}\n" in systemd.unit.read_text()


def test_the_command_for_a_package_joins_in_the_folder_of_its_service(cloudgate: Run) -> None:
    lines = cloudgate("server", "create", "gw1.example").stdout.splitlines()
    join = next(line.strip() for line in lines if line.strip().startswith("cloudgate host join"))
    packaged = f"  runuser -u cloudgate-host -- {join} --data /var/lib/cloudgate-host"
    assert lines[lines.index(packaged) + 1].strip() == "systemctl enable --now cloudgate-host"


def test_no_unit_takes_the_place_of_the_one_of_a_package(
    cloudgate: Run, tmp_path: Path, systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = tmp_path / "packaged" / "cloudgate-host.service"
    unit.parent.mkdir()
    unit.touch()
    monkeypatch.setattr(linux, "PACKAGED_UNITS", (tmp_path / "none", unit))
    command = shown_command(cloudgate("server", "create", "gw1.example").stdout)
    refused = cloudgate(*command, "--install", "--data", str(tmp_path / "data"))
    assert refused.exit_code == 1
    assert f"The package has a unit for the host service, {unit}" in refused.output
    assert "--data /var/lib/cloudgate-host" in refused.output
    assert not systemd.unit.exists()
    assert systemd.told == []
    joined = cloudgate(*command, "--data", str(tmp_path / "data"))
    assert joined.exit_code == 0, "the token is not used up"


def test_a_host_that_has_not_joined_names_its_folder_in_what_there_is_to_type(
    cloudgate: Run, tmp_path: Path
) -> None:
    refused = cloudgate("host", "install", "--data", str(tmp_path / "data"))
    assert refused.exit_code == 1
    assert f"cloudgate host join … --data {tmp_path / 'data'}" in refused.output


def test_who_may_not_write_the_unit_is_told_what_root_has_to_type(
    cloudgate: Run, tmp_path: Path, systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux, "UNIT", tmp_path / "nowhere" / "cloudgate-host.service")
    command = shown_command(cloudgate("server", "create", "gw1.example").stdout)
    refused = cloudgate(*command, "--install", "--data", str(tmp_path / "data"))
    assert refused.exit_code == 1
    assert "Run this as root: " in refused.output
    assert refused.output.rstrip().endswith(f"host install --data {tmp_path / 'data'}")
    assert systemd.told == []


def test_the_shown_address_is_one_that_other_machines_reach(
    cloudgate: Run, running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbound, *_ = host_addresses()
    shown = cloudgate("server", "create", "gw1.example").stdout
    port = running.url.rpartition(":")[2]
    address = f"[{outbound}]" if ":" in outbound else outbound
    is_online = not ip_address(outbound).is_loopback
    best = address if is_online else socket.gethostname()
    assert f"cloudgate host join https://{best}:{port} --token " in shown
    assert f"https://{socket.gethostname()}:{port}" in shown
    for chosen in ("https://manager.example:9398", "https://198.51.100.7"):
        assert seen_from_elsewhere(chosen) == [chosen]
        monkeypatch.setenv("CLOUDGATE_OWN_URL", chosen)
        assert seen_from_elsewhere(running.url) == [chosen]


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (Debian: systemd)",
)


def verified(file: Path) -> None:
    """systemd has nothing to say against a unit."""
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.stderr.strip() == ""
    assert checked.returncode == 0


def started_by(unit: str) -> list[str]:
    """The words of its command line, as systemd reads them."""
    (line,) = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
    return [each.replace("%%", "%").replace("$$", "$") for each in shlex.split(line)]


@needs_systemd
def test_systemd_takes_the_unit_of_the_host_service(tmp_path: Path) -> None:
    file = tmp_path / "cloudgate-host.service"
    data = Path('/var/lib/cloud gate/100%/$HOME/"so"')
    python = tmp_path / "5% of $me" / "python"
    python.parent.mkdir()
    python.symlink_to("/bin/true")
    file.write_text(linux.unit(str(python), data, "root"))
    verified(file)
    assert started_by(file.read_text())[-1] == str(data)
    config = Path("/etc/cloudgate/ho st.toml")
    file.write_text(linux.unit("/bin/true", data, "root", config))
    verified(file)
    assert started_by(file.read_text())[-4:] == ["--config", str(config), "--data", str(data)]


@needs_systemd
def test_systemd_takes_the_unit_of_the_manager_which_starts_it_as_it_was_started(
    cloudgate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "password").write_text("long enough, says whoever chose it")
    said = ["--host", "127.0.0.1", "--port", "9999", "--http-port", "80"]
    said += ["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1"]
    files = ("--data", "all data", "--admin-password-file", "password", "--audit-log", "audit.log")
    shown = cloudgate("serve", *said, *files, "--print-unit")
    assert shown.exit_code == 0, shown.output
    file = tmp_path / "cloudgate-manager.service"
    file.write_text(shown.stdout)
    verified(file)
    command = started_by(shown.stdout)
    assert command[:4] == [sys.executable, "-m", "cloudgate", "serve"]
    pairs = list(zip(command[4::2], command[5::2], strict=True))
    assert set(zip(said[::2], said[1::2], strict=True)) <= set(pairs)
    for name, value in zip(files[::2], files[1::2], strict=True):
        assert (name, str(tmp_path / value)) in pairs
    assert not (tmp_path / "all data").exists()


def test_a_unit_starts_the_manager_with_every_option_that_was_typed(
    cloudgate: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "hook").write_text("")
    words: list[str] = []
    for each in parameters():
        kind = str(each.annotation)
        some = "20" if "int" in kind else str(folder / "hook") if "Path" in kind else "some text"
        some = "postgresql://cloudgate@db.example/cloudgate" if each.name == "database" else some
        words += [f"--{each.name.replace('_', '-')}", some]
        if "list" in kind:
            words += [f"--{each.name.replace('_', '-')}", "more"]
    shown = cloudgate("serve", *words, "--print-unit")
    assert shown.exit_code == 0, shown.output
    expected = [
        str(Path.cwd() / each) if name == "--audit-log" else each
        for name, each in zip(["", *words], words, strict=False)
    ]
    assert started_by(shown.stdout)[4:] == expected


@needs_systemd
def test_the_units_are_no_more_exposed_than_they_have_to_be(cloudgate: Run, tmp_path: Path) -> None:
    with running_manager(tmp_path / "data"):
        pass
    manager = cloudgate("serve", "--data", str(tmp_path / "data"), "--print-unit").stdout
    host = linux.unit("/bin/true", Path("/var/lib/cloudgate"), "cloudgate")
    for name, text in (("manager", manager.replace("User=root", "User=cloudgate")), ("host", host)):
        file = tmp_path / f"cloudgate-{name}.service"
        file.write_text(text)
        # Tenths; systemd-analyze(1) says OK up to 5.
        command = ("systemd-analyze", "security", "--offline=true", "--threshold=30", str(file))
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout[-200:]


def test_a_manager_that_would_print_its_password_into_the_journal_gets_no_unit(
    cloudgate: Run, tmp_path: Path
) -> None:
    refused = cloudgate("serve", "--data", str(tmp_path / "data"), "--print-unit")
    assert refused.exit_code == 1
    assert "Start it once by hand" in refused.output
    with running_manager(tmp_path / "data"):
        pass
    assert cloudgate("serve", "--data", str(tmp_path / "data"), "--print-unit").exit_code == 0


def test_windows_ends_the_connections_that_are_meant_and_no_others() -> None:
    known = [("192.0.2.1:6180", "198.51.100.7:50000"), ("192.0.2.1:6180", "198.51.100.8:50000")]
    (row,) = windows.rows({"198.51.100.8:50000"}, known)
    table = b"\1\0\0\0" + row
    assert windows.read_table(table) == [known[1]]
    assert row[:4] == b"\x0c\0\0\0"
    assert row[12:16] == bytes([198, 51, 100, 8])
