"""Scratch: where do tests keep what nobody needs after them? In memory, where there is room.

The product writes down what must not be lost, and waits for the disk: that is most of what tests
waited for. Whoever is killed leaves in memory what it would leave on a disk that nobody unplugs.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 * 2**30


@cache
def scratch_root() -> str:
    """The folder below which such files are made."""
    return str(_IN_MEMORY) if _is_fit(_IN_MEMORY) else tempfile.gettempdir()


@contextmanager
def own_temporary_folder() -> Iterator[None]:
    """Give this process, and what it starts, a folder for temporary files that goes with it.

    What has no room for a socket's name in its own folder keeps it there, and what is killed
    leaves it.
    """
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(prefix="cloudgate-", dir=scratch_root()) as folder:
        Path(folder).chmod(0o1777)  # as the system's: some tests start programs as somebody else
        _use(folder)
        try:
            yield
        finally:
            _use(before)


def _use(folder: str | None) -> None:
    if folder is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = folder
    tempfile.tempdir = None  # to be asked for anew


def _is_fit(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    # Tests start programs that they write there, which containers do not always let them.
    runs_programs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return runs_programs and shutil.disk_usage(folder).free > _ROOM_BYTES
