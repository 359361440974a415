"""A fresh Debian in a folder, with processes, network, /tmp and /run of its own."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BOOKWORM, TRIXIE = "bookworm", "trixie"
"""Debian 12 and 13."""
# What it may not do to this machine: it sees none of its processes, and no network but its own.
_ENTERED = """set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
for each in run tmp; do mount -t tmpfs tmpfs "$1/$each"; done
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/dev/shm"
ip link set lo up
if [ -n "$2" ]; then
  mount -t tmpfs -o uid=10001,gid=10001,mode=755 tmpfs "$1$2"
  mount -o remount,bind,ro "$1"
fi
echo ready
exec sleep infinity
"""


class Machine:
    """Commands go in by nsenter(1)."""

    def __init__(self, root: Path, first: int) -> None:
        self.root = root
        self._first = str(first)

    def entered(self, *command: str, user: str = "root", online: bool = False) -> list[str]:
        """The command line that runs one there; `online`: in this machine's network."""
        network = [] if online else ["--net"]
        way = ["nsenter", "--target", self._first, "--mount", "--pid", *network]
        whose = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}"]
        whose += [] if user == "root" else ["--init-groups"]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]
        return [
            *way,
            "chroot",
            str(self.root),
            *clean,
            "DEBIAN_FRONTEND=noninteractive",
            *whose,
            *command,
        ]

    def run(self, script: str, *, user: str = "root", online: bool = False) -> str:
        """What a script prints; all that it writes is in the failure when it fails."""
        command = self.entered("sh", "-euc", script, user=user, online=online)
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    @contextmanager
    def running(
        self, *command: str, user: str, log: Path, online: bool = False
    ) -> Iterator["Program"]:
        """A program that runs meanwhile, and ends in order at the end."""
        with log.open("wb") as written:
            entered = self.entered(*command, user=user, online=online)
            outside = subprocess.Popen(entered, stdout=written, stderr=written)
        program = Program(outside)
        try:
            yield program
        finally:
            program.end()


class Program:
    """One that nsenter(1) has started: what it is told, its only child is told."""

    def __init__(self, outside: subprocess.Popen[bytes]) -> None:
        self._outside = outside

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        (child,) = children(self._outside.pid)
        os.kill(child, number)

    def end(self) -> int:
        """Have it end in order, if it runs; with which status it has ended."""
        if self._outside.poll() is None:
            self.tell(signal.SIGTERM)
        return self._outside.wait(60)


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def fresh_machine(folder: Path, suite: str = BOOKWORM) -> Iterator[Machine]:
    """One that has nothing but what every Debian has."""
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("needs root, and debootstrap, which make test-delivery installs")
    root = folder / "root"
    made = ["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(root)]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    for each in ("resolv.conf", "hosts"):
        shutil.copyfile(Path("/etc", each), root / "etc" / each)
    policy = root / "usr" / "sbin" / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    with machine_in(root) as machine:
        yield machine
    shutil.rmtree(root)


@contextmanager
def machine_in(root: Path, volume: str = "") -> Iterator[Machine]:
    """One that has what is in a folder; where it has a volume, it can write nowhere else."""
    begin = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c"]
    command = [*begin, _ENTERED, "sh", str(root), volume]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
            (first,) = children(holder.pid)
            yield Machine(root, first)
        finally:
            holder.kill()
