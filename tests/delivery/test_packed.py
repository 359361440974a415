"""Are packages the same bytes each time, and does Debian's own judge find no fault in them?"""

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import image, packages
from delivery.tools import ROOT, TOOLS
from delivery.tree import make_even, put_together

pytestmark = [pytest.mark.delivery, pytest.mark.timeout(1800)]
SECONDS = 1_767_225_600
NOBODY = 65534


def packed(folder: Path, target: packages.Target) -> bytes:
    """A package of everything but the parts of others."""
    packages.stage(folder / "staged", "1.2.3", [], SECONDS)
    tree = folder / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "cloudgate").write_text("#!/bin/sh\n")
    (tree / "bin" / "cloudgate").chmod(0o700)
    (tree / "bin" / "python3").symlink_to(f"/usr/bin/python{target.python}")
    make_even(tree, SECONDS)
    described = packages.described(target, "1.2.3", folder / "staged", tree)
    return packages.pack(described, target.kind, folder, SECONDS).read_bytes()


@pytest.mark.parametrize("target", packages.TARGETS, ids=lambda each: f"{each.kind} {each.release}")
def test_the_same_sources_give_the_same_package_in_another_folder(
    tmp_path: Path, target: packages.Target
) -> None:
    if not (TOOLS / "nfpm").exists():
        pytest.skip("needs .venv/dist, which make test-delivery makes")
    first, second = tmp_path / "one", tmp_path / "some where else"
    for each in (first, second):
        each.mkdir()
    umask = os.umask(0o077)
    try:
        one = packed(first, target)
    finally:
        os.umask(umask)
    assert packed(second, target) == one


def test_an_image_is_made_of_the_sources_whatever_was_built_of_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here what the wheel is made of is to be seen, and not the Debian that it is put into."""
    if not (TOOLS / "hatchling").exists():
        pytest.skip("needs .venv/dist, which make test-delivery makes")
    older = tmp_path / "cloudgate-0.0.1-py3-none-any.whl"
    older.touch()
    taken: dict[str, bytes] = {}

    def make(wheel: Path, *_: object) -> None:
        with zipfile.ZipFile(wheel) as packed:
            taken.update({each: packed.read(each) for each in packed.namelist()})

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # build() sets it, for what it starts
    monkeypatch.setattr(image, "DIST", tmp_path)
    monkeypatch.setattr(image, "make", make)
    monkeypatch.setattr(image, "write_sums", str)
    image.main()
    for name in ("__init__.py", "cli/app.py"):
        assert taken[f"cloudgate/{name}"] == (ROOT / "src/cloudgate" / name).read_bytes()
    assert list(tmp_path.iterdir()) == [older]


def test_of_parts_with_files_of_one_name_the_same_wins_each_time(tmp_path: Path) -> None:
    wheels = sorted((ROOT / "dist").glob("*.whl"))
    if not wheels:
        pytest.skip("needs dist/, which make test-delivery makes")
    made = []
    for each in ("one", "two"):
        put_together(tmp_path / each, "3.11", ROOT / "requirements" / "server.txt", wheels[-1])
        files = [file for file in (tmp_path / each).rglob("*.py") if file.is_file()]
        made.append({file.relative_to(tmp_path / each): file.read_bytes() for file in files})
    assert len(made[0]) > 1000
    assert made[0] == made[1]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that nobody in particular may look into, as those of pytest may not be."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_lintian_says_nothing_that_is_not_explained(open_folder: Path) -> None:
    lintian = shutil.which("lintian")
    found = sorted((ROOT / "dist").glob("cloudgate_*~deb12_*.deb"))
    if lintian is None or not found:
        pytest.skip("needs lintian and dist/, which make test-delivery sees to")
    package = open_folder / "cloudgate.deb"
    shutil.copyfile(found[-1], package)
    done = subprocess.run(
        [lintian, "--tag-display-limit", "0", "--fail-on", "warning", package],
        env={**os.environ, "HOME": str(open_folder), "TMPDIR": "/tmp"},
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr


def test_the_manager_may_write_the_file_of_the_audit_log_that_the_page_names(
    tmp_path: Path,
) -> None:
    packages.stage(tmp_path / "staged", "1.2.3", [], SECONDS)
    units = tmp_path / "staged/usr/lib/systemd/system"
    manager = (units / "cloudgate-manager.service").read_text().splitlines()
    assert "ProtectSystem=strict" in manager
    assert {"LogsDirectory=cloudgate", "LogsDirectoryMode=0700"} <= set(manager)
    example = 'audit_log = "/var/log/cloudgate/audit.log"'
    assert example in (ROOT / "docs" / "commands.md").read_text("utf-8")


def test_the_units_score_as_the_pages_say(tmp_path: Path) -> None:
    packages.stage(tmp_path / "staged", "1.2.3", [], SECONDS)
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze, which make test-delivery installs")
    scores = {}
    for each in (tmp_path / "staged/usr/lib/systemd/system").iterdir():
        shown = subprocess.run(
            [analyze, "security", "--offline=true", "--threshold=30", "--no-pager", each],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        (scores[each.stem],) = re.findall(r"exposure level for .*: ([\d.]+)", shown)
    manager, host = scores["cloudgate-manager"], scores["cloudgate-host"]
    hosts, install = ((ROOT / "docs" / f"{each}.md").read_text() for each in ("hosts", "install"))
    assert f"security cloudgate-manager cloudgate-host` says {manager} and {host}." in hosts
    assert f"locked down to {manager} (manager) and {host} (gateways)" in install
