"""A disk of its own for a folder, that a test can fill: with bytes, or with names of files."""

import errno
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@contextmanager
def small_disk(folder: Path, *, size: str = "4m", inodes: int = 400) -> Iterator[Path]:
    """The folder is a disk of so many bytes and files."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size},nr_inodes={inodes}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        _broken.discard(folder)
        subprocess.run(["umount", "--lazy", folder], check=True)


def unmount_leftovers(root: Path) -> None:
    """Unmount the disks of runs below `root` that were killed: pytest fails at removing them."""
    mounted = [line.split(" ")[1] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    for each in mounted:
        found = re.match(rf"{re.escape(str(root))}/pytest-of-[^/]+/[^/]+", each)
        if found is not None and not _is_in_use(Path(found[0])):
            subprocess.run(["umount", "--lazy", each], check=True)


def _is_in_use(folder: Path) -> bool:
    """Whether the run whose folder it is goes on: pytest writes its process into a lock."""
    try:
        return Path("/proc", (folder / ".lock").read_text("utf-8").strip()).is_dir()
    except FileNotFoundError:
        return False


needs_loop_devices = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists(),
    reason="only root may mount a file as a disk, where the system can",
)


@contextmanager
def file_disk(folder: Path, *, mebibytes: int = 24) -> Iterator[Path]:
    """The folder is a disk with a file system of its own (ext4), that can fail as disks do."""
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(mebibytes * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        image.unlink()


def fail(disk: Path) -> None:
    """The file system meets an error, and makes itself read-only, with files open or not."""
    device = disk.stat().st_dev
    name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
    Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1")


def take_bytes(disk: Path) -> None:
    """The disk takes not a byte more."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass


def take_inodes(disk: Path) -> None:
    """The disk takes no file more."""
    folder = disk / "fillers"
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        number = 0
        while True:
            (folder / str(number)).touch()
            number += 1


def make_read_only(disk: Path) -> None:
    """The disk takes nothing any more (EROFS), as a file system does after an error."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def make_unreadable(path: Path) -> None:
    """What was in a file cannot be read any more (EIO); whoever writes it anew gets another one."""
    path.unlink()
    path.symlink_to("/proc/self/mem")  # to read its first byte is EIO


_broken: set[Path] = set()
_fsync = os.fsync


def break_device(disk: Path) -> None:
    """What is written is not known to be on the disk, as this process is told (EIO, fsync(2))."""
    _broken.add(disk)
    os.fsync = _failing_fsync  # type: ignore[assignment]


def _failing_fsync(descriptor: int) -> None:
    file = Path(f"/proc/self/fd/{descriptor}").resolve()
    if any(file.is_relative_to(each) for each in _broken):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    _fsync(descriptor)


def make_room(disk: Path) -> None:
    """What took the room, or broke the disk, is gone."""
    _broken.discard(disk)
    if not os.access(disk, os.W_OK):
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    (disk / "filler").unlink(missing_ok=True)
    if (disk / "fillers").exists():
        for each in (disk / "fillers").iterdir():
            each.unlink()
        (disk / "fillers").rmdir()


FILLINGS = {"bytes": take_bytes, "inodes": take_inodes}
FAULTS = {**FILLINGS, "read only": make_read_only, "device": break_device}
WORDS = {
    "bytes": "No space left on device",
    "inodes": "No space left on device",
    "read only": "Read-only file system",
    "device": "Input/output error",
}
"""What the system says to each."""
