"""Has a package all that it is to have, in its place, and are its settings and scripts right?"""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloudgate.cli.app import app
from delivery import manuals, packages
from delivery.packages import TARGETS
from delivery.tools import ROOT

DAY = datetime(2026, 1, 1, tzinfo=UTC)
LICENSED = [{"name": "h2", "version": "4", "licenses": [{"license": {"id": "MIT"}}]}]
LOCKS = ROOT / "requirements"
SCRIPTS = Path(packages.__file__).parent / "files"


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "staged"
    packages.stage(folder, "1.2.3", LICENSED, int(DAY.timestamp()))
    return folder


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: f"{each.kind} {each.release}")
def test_everything_has_its_place_and_settings_are_the_operators(
    staged: Path, target: packages.Target
) -> None:
    said = packages.described(target, "1.2.3", staged, Path("/tree"))
    places = {each["dst"]: each.get("type") for each in said["contents"]}
    services = ("cloudgate-manager.service", "cloudgate-host.service")
    assert places.keys() > {f"/usr/lib/systemd/system/{each}" for each in services}
    assert places["/usr/bin/cloudgate"] == "symlink"
    assert {f"/usr/share/man/man1/{each}.gz" for each in manuals.pages(DAY)} < places.keys()
    assert places["/usr/lib/cloudgate"] == "tree"
    settings = {each for each, kind in places.items() if kind == "config|noreplace"}
    assert settings == {f"/etc/cloudgate/{each}.toml" for each in ("manager", "host")}
    assert f"python{target.python}" in said["depends"]


@pytest.mark.parametrize("service", ["manager", "host"])
def test_the_settings_that_are_delivered_are_right(staged: Path, service: str) -> None:
    file = staged / "etc" / "cloudgate" / f"{service}.toml"
    checked = CliRunner().invoke(app, ["config", "check", str(file)])
    assert checked.exit_code == 0, checked.output
    unit = (staged / "usr/lib/systemd/system" / f"cloudgate-{service}.service").read_text()
    assert f"--config /etc/cloudgate/{service}.toml" in unit
    users = (staged / "usr/lib/sysusers.d/cloudgate.conf").read_text()
    (user,) = [line[5:] for line in unit.splitlines() if line.startswith("User=")]
    assert f"u {user} -" in users
    (written,) = [line[16:] for line in unit.splitlines() if line.startswith("ReadWritePaths=-")]
    folders = (staged / "usr/lib/tmpfiles.d/cloudgate.conf").read_text().splitlines()
    assert f"d {written} 0700 {user} {user}" in folders


@pytest.mark.parametrize("script", ["after-install", "before-remove", "after-remove"])
def test_a_script_of_a_package_is_one_for_any_shell(script: str) -> None:
    subprocess.run(["sh", "-n", SCRIPTS / script], check=True)


def test_who_has_made_the_parts_is_said_with_their_licences(staged: Path) -> None:
    assert " h2 4: MIT\n" in (staged / "usr/share/doc/cloudgate/copyright").read_text()


def test_packages_have_what_the_program_needs_in_the_versions_of_the_tests() -> None:
    needed, delivered = (
        set(re.findall(r"^\S+==\S+", (LOCKS / name).read_text(), re.MULTILINE))
        for name in ("run.txt", "server.txt")
    )
    assert len(needed) > 30
    assert not needed - delivered, "pin them anew: make lock"
