"""Does docs/containers.md lead from the image to a gateway, typed as it stands?

By podman, to which the page's docker is another name, in a network, with mounts and processes of
its own. There it may use no more of the machine than this user may.
"""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudgate import __version__
from delivery.tools import ROOT, TOOLS
from tests.support.project.pages import blocks
from tests.support.waiting import until

pytestmark = [pytest.mark.delivery, pytest.mark.timeout(900)]
NEEDED = ("podman", "crun", "iptables")
PAGE = ROOT / "docs" / "containers.md"
NAMES = "127.0.0.1 localhost\n192.0.2.1 manager.example gateway1.example\n"
# No systemd and no groups of processes are to be had in every place where tests run.
SETTINGS = """[containers]
cgroups = "disabled"
pids_limit = 0
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
runtime = "crun"
events_logger = "file"
"""
STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{0}/images"\nrunroot = "/run/podman"\n'
BESIDE = "services: {{gateway: {{ulimits: {{nofile: {files}, nproc: {processes}}}}}}}\n"
ENTERED = """set -eu
umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run
mkdir images && mount -t tmpfs none images
mount --bind hosts /etc/hosts
ip link set lo up
ip address add 192.0.2.1/32 dev lo
echo ready
exec sleep infinity
"""
DOCKER = """#!/bin/sh
case "$1" in compose) shift; exec {compose} "$@" ;; *) exec podman "$@" ;; esac
"""


class Shell:
    """Types lines there, in the folder with the files for Compose."""

    def __init__(self, folder: Path, first: int, variables: dict[str, str]) -> None:
        self._folder, self._first, self._variables = folder, first, variables
        self.before = ""
        """What was typed before, and holds on."""

    def type(self, lines: str) -> str:
        """What they print; they have to end well."""
        way = ["nsenter", "--target", str(self._first), "--mount", "--net", "--pid"]
        # What a shell that is not for people knows of an alias, it knows from the next line on.
        said = f"cd {self._folder}/deploy\nshopt -s expand_aliases\n{self.before}{lines}"
        done = subprocess.run(
            [*way, "bash", "-euc", said],
            env={**os.environ, **self._variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    if os.getuid() != 0 or not all(map(shutil.which, NEEDED)):
        pytest.skip(f"needs root, and {', '.join(NEEDED)}, which make test-delivery installs")
    (image,) = (ROOT / "dist").glob("cloudgate-*.docker.tar")
    files, processes = (
        resource.getrlimit(each)[1] for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    )
    may = {"files": min(files, 1 << 20), "processes": min(processes, 1 << 15)}
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    (tmp_path / "deploy" / image.name).symlink_to(image)
    (tmp_path / "deploy" / "here.yaml").write_text(BESIDE.format(**may))
    (tmp_path / "hosts").write_text(NAMES)
    (tmp_path / "settings").write_text(SETTINGS.format(**may))
    (tmp_path / "storage").write_text(STORAGE.format(tmp_path))
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(compose=TOOLS / "podman-compose"))
    docker.chmod(0o755)
    variables = {
        "PATH": f"{docker.parent}:{os.environ['PATH']}",
        "CONTAINERS_CONF": str(tmp_path / "settings"),
        "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage"),
        "COMPOSE_FILE": "compose.yaml:here.yaml",
    }
    begin = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = [*begin, "sh", "-c", ENTERED]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
            children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text()
            yield Shell(tmp_path, int(children), variables)
        finally:
            holder.kill()


def test_the_page_leads_from_the_image_to_a_gateway(shell: Shell) -> None:
    load, manager, gateway, *upgrades = (
        each.text for each in blocks(PAGE) if each.language == "sh"
    )
    shell.type(load.partition(" && docker push")[0])
    beginning, alias, rest = manager.partition("alias ")
    shell.type(beginning)
    shell.before = f"{alias}{rest.partition(chr(10))[0]}\n"
    until(lambda: "ready" in health(shell), 120)
    told = shell.type(rest.partition("\n")[2])
    (join,) = re.findall(
        r"^  cloudgate host join (https://manager.example:9398 .*\S)", told, re.MULTILINE
    )
    shell.type(re.sub(r"host join https.*", f"host join {join}", gateway))
    said = shell.type("cloudgate gateway create gateway1.example")
    assert "Listening" in said
    assert "gateway1.example" in shell.type("cloudgate status")
    renew(shell, *upgrades[:2])
    for service, its_seconds in (("gateway", 60), ("manager", 30)):
        shell.type(f"docker stop --time {its_seconds} cloudgate_{service}_1")
        ended = shell.type(
            f"docker inspect --format '{{{{.State.ExitCode}}}}' cloudgate_{service}_1"
        )
        assert ended == "0\n"


def renew(shell: Shell, of_manager: str, of_gateway: str) -> None:
    """Each takes a newer image for its own service, and leaves the other as it is."""
    newer, before = "cloudgate:newer", images(shell)
    shell.type(f"docker tag cloudgate:{__version__} {newer}")
    shell.type(of_manager.replace("…", "newer"))
    assert images(shell) == {**before, "manager": newer}
    until(lambda: "ready" in health(shell), 120)
    shell.type(of_gateway.replace("…", "newer"))
    assert images(shell) == {"manager": newer, "gateway": newer}
    until(lambda: "Listening" in shell.type("cloudgate gateway list"), 120)


def images(shell: Shell) -> dict[str, str]:
    """Of which image each service is that runs."""
    listed = shell.type("docker ps --format '{{.Names}} {{.Image}}'")
    found = (each.split() for each in listed.splitlines())
    return {name.split("_")[1]: image.rpartition("/")[2] for name, image in found}


def health(shell: Shell) -> str:
    """As the image's own check finds it: no systemd is there, which would ask by itself."""
    return shell.type(
        "podman healthcheck run cloudgate_manager_1 > /dev/null && echo ready || true"
    )
