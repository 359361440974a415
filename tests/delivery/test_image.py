"""Does the image do what a program that runs containers wants: no root, nothing written, an end?"""

import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from delivery.tools import ROOT
from tests.delivery.fresh_machine import Machine, Program, machine_in
from tests.support.waiting import until

pytestmark = [pytest.mark.delivery, pytest.mark.timeout(900)]
DATA = "/var/lib/cloudgate"


@pytest.fixture(scope="module")
def archive() -> Path:
    found = sorted((ROOT / "dist").glob("cloudgate-*.docker.tar"))
    if not found:
        pytest.skip("needs the image, which make test-delivery makes")
    return found[-1]


@pytest.fixture(scope="module")
def image(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Its files, and how they are to be run."""
    folder = tmp_path_factory.mktemp("image")
    root = folder / "root"
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (listed,) = json.loads((folder / "manifest.json").read_text())
    for layer in listed["Layers"]:
        with tarfile.open(folder / layer) as files:
            files.extractall(root, numeric_owner=True, filter="fully_trusted")
    return root, json.loads((folder / listed["Config"]).read_text())["config"]


@pytest.fixture(scope="module")
def container(image: tuple[Path, dict[str, Any]]) -> Iterator[Machine]:
    # Whatever runs containers says there where it is.
    (image[0] / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    with machine_in(image[0], DATA) as made:
        yield made


def test_its_hash_stands_with_those_of_all_that_is_delivered(archive: Path) -> None:
    checked = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"],
        cwd=archive.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert f"{archive.name}: OK" in checked.stdout


def test_it_runs_as_nobody_in_particular_and_says_how_it_is(
    image: tuple[Path, dict[str, Any]],
) -> None:
    root, config = image
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/usr/bin/cloudgate"]
    assert set(config["Volumes"]) == {DATA}
    assert config["Healthcheck"]["Test"] == ["CMD", "cloudgate-health", "readyz"]
    writable = [
        each
        for each in root.rglob("*")
        if not each.is_symlink() and (each.lstat().st_mode & 0o6000 or each.lstat().st_uid)
    ]
    assert [str(each.relative_to(root)) for each in writable if each.is_file()] == []
    assert root / DATA[1:] in writable


def test_manager_and_gateway_run_on_a_file_system_that_takes_nothing_and_end_when_told(
    container: Machine, tmp_path: Path
) -> None:
    container.run(f"umask 077; echo 'a long password' > {DATA}/password", user="cloudgate")
    service = ("cloudgate", "serve", "--admin-password-file", f"{DATA}/password")
    with running(container, "manager", 9397, *service, log=tmp_path / "manager") as manager:
        until(lambda: is_ready(container), 120, said=(tmp_path / "manager").read_text)
        asked(container, "backup-server create site1.example")
        told = asked(container, "server create localhost")
        join = next(line for line in told.splitlines() if "host join" in line)
        join = re.sub(r"https://[^ ]+", "https://localhost:9398", join)
        container.run(f"export CLOUDGATE_DATA={DATA}/host; {join}", user="cloudgate")
        command = ("cloudgate", "host", "run")
        with running(container, "host", 9396, *command, log=tmp_path / "host") as host:
            asked(container, "gateway create localhost")
            assert "Listening" in asked(container, "gateway show localhost")
            assert host.end() == 0
        assert manager.end() == 0
        with pytest.raises(AssertionError, match="Connection refused"):
            container.run("cloudgate-health readyz", user="cloudgate")


def running(
    container: Machine, name: str, port: int, *command: str, log: Path
) -> AbstractContextManager[Program]:
    """A service with a folder of its own in the volume."""
    said = (f"CLOUDGATE_DATA={DATA}/{name}", f"CLOUDGATE_METRICS_LISTEN=127.0.0.1:{port}")
    return container.running("env", *said, *command, user="cloudgate", log=log)


def is_ready(container: Machine) -> bool:
    """As Kubernetes asks."""
    try:
        container.run("cloudgate-health readyz", user="cloudgate")
    except AssertionError:
        return False
    return True


def asked(container: Machine, words: str) -> str:
    """What the manager says to its administrator."""
    known = f"--password-file {DATA}/password --ca {DATA}/manager/tls/ca.pem"
    return container.run(f"cloudgate {known} {words}", user="cloudgate")


@pytest.mark.parametrize("file", sorted((ROOT / "deploy" / "kubernetes").glob("*[!n].yaml")))
def test_kubernetes_takes_each_file(file: Path) -> None:
    program = ROOT / ".venv" / "dist" / "bin" / "kubernetes-validate"
    done = subprocess.run((program, "--strict", file), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
