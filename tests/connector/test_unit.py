"""Does systemd understand the unit that keeps a connector running?"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.certificates.authority import Authority
from tests.support.running.tenant import PASSWORD

SETTINGS = """gateway = "localhost"
tenant = "acme"
ca = "ca.pem"
password_file = "password"
listen = ["8443:repo.example:443"]
"""


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    """A folder with all that is needed, and a name that needs quotes."""
    made = tmp_path / """50% "off" $HOME for Zoë's \\ files"""
    made.mkdir()
    (made / "ca.pem").write_text(authority.pem)
    (made / "password").write_text(PASSWORD)
    (made / "connector.toml").write_text(SETTINGS)
    return made


def printed(folder: Path, *words: str, python: str = sys.executable) -> str:
    """The unit, or the complaint."""
    command = (python, "-m", "cloudgate", "connect", *words, "--print-unit")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout or done.stderr


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (Debian: systemd)",
)
def test_systemd_takes_the_unit_whatever_the_names_of_its_files(folder: Path) -> None:
    # It checks that there is such a program, and so that it reads its name as it was meant.
    program = folder.parent / "5%h for $me" / "python"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    unit = folder.parent / "cloudgate-connector.service"
    unit.write_text(printed(folder, "--config", "connector.toml", python=str(program)))
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (checked.stderr.strip(), checked.returncode) == ("", 0)
    command = next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    assert command.startswith(f'ExecStart="{folder.parent}/5%%h for $me/python" -m cloudgate')
    file = r'''/50%% \"off\" $$HOME for Zoë's \\ files/connector.toml"'''
    assert command.endswith(file)
    with_certificate = f'{SETTINGS}certificate_file = "acme.pem"\n'
    (folder / "connector.toml").write_text(with_certificate)
    unit.write_text(printed(folder, "--config", "connector.toml", python=str(program)))
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (checked.stderr.strip(), checked.returncode) == ("", 0)
    (writes,) = [each for each in unit.read_text().splitlines() if "ReadWritePaths" in each]
    assert writes.endswith(r'''/50%% \"off\" $HOME for Zoë's \\ files"''')


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (Debian: systemd)",
)
def test_the_unit_leaves_a_connector_what_it_needs_and_little_else(folder: Path) -> None:
    with_certificate = f'{SETTINGS}certificate_file = "acme.pem"\n'
    (folder / "connector.toml").write_text(with_certificate)
    said = printed(folder, "--config", "connector.toml")
    unit = folder.parent / "cloudgate-connector.service"
    unit.write_text(re.sub("^User=.*$", "User=cloudgate", said, flags=re.MULTILINE))
    # Tenths; systemd-analyze(1) says OK up to 5.
    command = ("systemd-analyze", "security", "--offline=true", "--threshold=30", str(unit))
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-200:]
    settings = dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line)
    assert settings["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
    assert settings["ProtectHome"] == "read-only"
    assert "PrivateTmp" not in settings  # its files may be there


def test_the_unit_runs_as_who_printed_it_and_holds_no_password(folder: Path) -> None:
    unit = printed(folder, "--config", "connector.toml")
    assert f"User={Path(folder).owner()}\n" in unit
    assert PASSWORD not in unit
    assert "ReadWritePaths" not in unit


@pytest.mark.parametrize(
    ("words", "settings", "complaint"),
    [
        ((), SETTINGS, "--print-unit needs --config"),
        (("--config", "connector.toml", "--tenant", "x"), SETTINGS, "no other option"),
        (("--config", "connector.toml"), 'tenant = "acme"', "must name gateway, tenant, listen"),
        (("--config", "connector.toml"), f"{SETTINGS}x = 1", "x is unknown"),
        (
            ("--config", "connector.toml"),
            SETTINGS.replace('"password"', '"nowhere"'),
            "nowhere: No such file",
        ),
        (
            ("--config", "connector.toml"),
            SETTINGS.replace('"ca.pem"', '"password"'),
            "Cannot read the authority",
        ),
    ],
)
def test_what_would_keep_the_unit_from_starting_is_said_before(
    folder: Path, words: tuple[str, ...], settings: str, complaint: str
) -> None:
    (folder / "connector.toml").write_text(settings)
    assert complaint in printed(folder, *words)
