"""Has a package all that it is to have, in its place, and are its settings and scripts right?"""

import os
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


def scripts(staged: Path, target: packages.Target) -> dict[str, Path]:
    """What a package has run, by the moment."""
    said = packages.described(target, "1.2.3", staged, Path("/tree"))
    of_rpm = said["rpm"]["scripts"] if target.kind == "rpm" else {}
    return {moment: Path(each) for moment, each in {**said["scripts"], **of_rpm}.items()}


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: f"{each.kind} {each.release}")
def test_a_script_of_a_package_is_one_for_any_shell(staged: Path, target: packages.Target) -> None:
    for each in scripts(staged, target).values():
        assert each.read_text().count("#!/bin/sh\n") == 1
        subprocess.run(["sh", "-n", each], check=True)


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: f"{each.kind} {each.release}")
def test_services_are_renewed_when_the_files_of_the_release_before_are_gone(
    staged: Path, target: packages.Target
) -> None:
    """RPM's %post comes before that: what starts then finds two versions of each part."""
    found = scripts(staged, target)
    renewing = [each for each, script in found.items() if "try-restart" in script.read_text()]
    assert renewing == ["posttrans" if target.kind == "rpm" else "postinstall"]


def installed(script: Path, root: Path, *words: str) -> Path:
    """A script as a package manager runs it, on a machine whose folders are below a root.

    It is run without systemd, and the users are there: what it does to files is to be seen.
    """
    programs = root / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for each in ("systemd-sysusers", "systemd-tmpfiles", "chown"):
        (programs / each).write_text("#!/bin/sh\n")
        (programs / each).chmod(0o755)
    settings = root / "etc/cloudgate"
    settings.mkdir(parents=True, exist_ok=True)
    text = re.sub(r"(?<=[ =])/(?=etc/|var/|usr/lib/|run/)", f"{root}/", script.read_text())
    path = f"{programs}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", text, "sh", *words], env={"PATH": path}, check=True)
    return settings / "admin.password"


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: f"{each.kind} {each.release}")
def test_a_password_is_made_for_a_new_manager_and_for_none_whose_data_were_kept(
    staged: Path, target: packages.Target, tmp_path: Path
) -> None:
    """After a purge admin has a password yet: one made then would be nobody's."""
    script = scripts(staged, target)["postinstall"]
    first, later = (
        (("1",), ("2",)) if target.kind == "rpm" else (("configure", ""), ("configure", "1.2.2"))
    )
    password = installed(script, tmp_path, *first)
    assert len(password.read_text().strip()) == 24
    assert password.stat().st_mode & 0o777 == 0o600
    password.unlink()
    assert not installed(script, tmp_path, *later).exists()
    (tmp_path / "var/lib/cloudgate").mkdir(parents=True)
    (tmp_path / "var/lib/cloudgate/sealing.key").touch()
    assert not installed(script, tmp_path, *first).exists()


def test_who_has_made_the_parts_is_said_with_their_licences(staged: Path) -> None:
    assert " h2 4: MIT\n" in (staged / "usr/share/doc/cloudgate/copyright").read_text()


def test_packages_have_what_the_program_needs_in_the_versions_of_the_tests() -> None:
    needed, delivered = (
        set(re.findall(r"^\S+==\S+", (LOCKS / name).read_text(), re.MULTILINE))
        for name in ("run.txt", "server.txt")
    )
    assert len(needed) > 30
    assert not needed - delivered, "pin them anew: make lock"
