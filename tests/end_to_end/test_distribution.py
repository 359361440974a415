"""Is what is delivered whole, and the same wherever and whenever it is built?"""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import cloudgate
from cloudgate.host.envoy.data_path.choice import FOLDER, VARIABLE, chosen_data_path
from data_path.build import compiler
from tests.support.ports import free_port
from tests.support.running.product import product

ROOT = Path(__file__).parent.parent.parent
PACKAGE = Path(cloudgate.__file__).parent
NOT_SOURCES = shutil.ignore_patterns(".*", "__pycache__", "dist", "*.so", "module.json")


def build(sources: Path, target: Path, zone: str) -> list[bytes]:
    """The bytes of wheel and sources, built in a folder."""
    environment = {**os.environ, "TZ": zone, "SOURCE_DATE_EPOCH": "1800000000"}
    command = (Path(sys.executable).parent / "hatchling", "build", "-d", str(target))
    done = subprocess.run(
        command, cwd=sources, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [each.read_bytes() for each in sorted(target.iterdir())]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, as one has them who fetched them just now."""
    copy = tmp_path_factory.mktemp("one") / "cloudgate"
    shutil.copytree(ROOT, copy, ignore=NOT_SOURCES)
    shutil.copyfile(ROOT / ".gitignore", copy / ".gitignore")
    return copy


@pytest.fixture(scope="module")
def dist(sources: Path) -> Path:
    """What is built of them."""
    target = sources.parent / "dist"
    build(sources, target, "UTC")
    return target


def test_the_same_sources_give_the_same_bytes_in_another_folder_on_another_day(
    sources: Path, dist: Path, tmp_path: Path
) -> None:
    other = tmp_path / "somewhere else"
    shutil.copytree(sources, other, ignore=shutil.ignore_patterns("*.so", "module.json"))
    for each in other.rglob("*"):
        os.utime(each, (1, 1))
        each.chmod(0o700 if each.is_dir() or os.access(each, os.X_OK) else 0o600)
    assert build(other, tmp_path / "dist", "Asia/Tokyo") == [
        each.read_bytes() for each in sorted(dist.iterdir())
    ]


def test_the_sources_that_are_delivered_make_the_wheel_that_is(dist: Path, tmp_path: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    build(unpacked, tmp_path / "dist", "UTC")
    (wheel,), (again,) = dist.glob("*.whl"), (tmp_path / "dist").glob("*.whl")
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_has_all_of_the_package_and_needs_nothing_else_of_the_repository(
    dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wheel,) = dist.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
    wanted = {
        each.relative_to(PACKAGE)
        for each in PACKAGE.rglob("*")
        if each.is_file() and "__pycache__" not in each.parts and each.suffix != ".so"
    }
    there = {
        each.relative_to(installed / "cloudgate") for each in (installed / "cloudgate").rglob("*")
    }
    assert wanted - there <= {Path("host/envoy/data_path/module.json")}
    monkeypatch.delenv(VARIABLE, raising=False)
    module = chosen_data_path(installed / "cloudgate" / FOLDER.relative_to(PACKAGE))
    assert bool(module.module) == (compiler() is not None), module.reason
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.chdir(tmp_path)
    whence = [sys.executable, "-c", "import cloudgate; print(cloudgate.__file__)"]
    assert subprocess.check_output(whence, text=True).startswith(str(installed))
    with product(tmp_path / "data") as started, started.client() as client:
        client.create_gateway(free_port())
        assert client.http.get("/cloud/gateways").json()["Refs"]
