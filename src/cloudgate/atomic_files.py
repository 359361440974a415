"""Atomic file replacement: how is a file written so that nothing ever leaves half of it?

A file is there whole or not at all, after a crash and on a full disk too: it is written under a
random name beside its place, brought to the disk, and renamed; then the folder is brought to the
disk. What could not be written whole is taken away again.
"""

import contextlib
import errno
import os
import re
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE, PUBLIC = 0o600, 0o644
_LEFT_OVER = re.compile(r"\..+\.[0-9a-f]{16}\.new")
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems without hard links, such as FAT and some of networks, say to one."""


def write_private(path: Path, content: str | bytes) -> None:
    """Replace a file as a whole, for its owner only; it is on the disk when this returns.

    Raises:
        OSError: it cannot be written; what was there before is there still.
    """
    _replace(path, content, PRIVATE)


def write_public(path: Path, content: str | bytes) -> None:
    """As `write_private`, readable by all."""
    _replace(path, content, PUBLIC)


@contextmanager
def written(
    path: Path, content: str | bytes | Iterable[bytes], mode: int = PRIVATE
) -> Iterator[Path]:
    """A file beside `path` that is on the disk and waits to be renamed; gone afterwards.

    Args:
        path: of the file that it is to replace.
        content: text is written in UTF-8, and pieces one after the other.
        mode: who may read it.

    Raises:
        OSError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    pieces = (data,) if isinstance(data, bytes) else data
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        try:
            _write_new(temporary, pieces, mode)
        except OSError as problem:
            problem.filename = str(path)  # the kernel names none, or the one that is gone
            raise
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_private(path: Path) -> Iterator[BinaryIO]:
    """A file that is not there yet, for its owner only; there as a whole once the block has ended.

    Raises:
        FileExistsError: it is there already, and is left alone.
        OSError: it cannot be written; nothing of it is left.
    """
    _refuse_existing(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # takes a descriptor
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # which never replaces what is there, as a rename would
        except OSError as problem:
            if problem.errno not in _NO_HARD_LINKS:
                problem.filename, problem.filename2 = str(path), None  # the other one is gone
                raise
            _refuse_existing(path)  # writing may have taken long
            temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of files to the disk."""
    if sys.platform == "win32":
        return  # it opens no folders; there the rename is on the disk when it is
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Take away what a process that was killed while it wrote has left in a folder.

    Only for who is the sole user of the folder.
    """
    with contextlib.suppress(FileNotFoundError):  # no folder, or gone meanwhile
        for each in folder.iterdir():
            if _LEFT_OVER.fullmatch(each.name):
                each.unlink(missing_ok=True)


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _replace(path: Path, content: str | bytes, mode: int) -> None:
    with written(path, content, mode) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def _write_new(path: Path, pieces: Iterable[bytes], mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with open(descriptor, "wb") as file:  # noqa: PTH123  # takes a descriptor
        file.writelines(pieces)
        file.flush()
        if mode != PRIVATE:
            path.chmod(mode)  # whatever the umask
        os.fsync(file.fileno())
