"""State files: what does the host service keep, and what if a disk has damaged it?"""

import contextlib
import errno
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import structlog

from cloudgate import atomic_files
from cloudgate.atomic_files import sync_folder, written
from cloudgate.errors import UnavailableError
from cloudgate.host.state.conditions import unread

_log = structlog.get_logger(__name__)
T = TypeVar("T")


def write_private(path: Path, content: str | bytes) -> None:
    """Replace `path` as a whole: `cloudgate.atomic_files.write_private`."""
    atomic_files.write_private(path, content)
    _damaged.discard(path)


def write_with_backup(path: Path, content: str | Iterable[bytes]) -> None:
    """`write_private`, and what was there stays beside it: see `read_or_backup`."""
    with written(path, content) as temporary:
        with contextlib.suppress(FileNotFoundError):
            if path not in _damaged:
                path.replace(backup_path(path))
        temporary.replace(path)
    _damaged.discard(path)
    sync_folder(path.parent)


def write_mirrored(path: Path, content: str | bytes) -> None:
    """`write_private` with a copy beside it, for what nobody can send again.

    See `read_or_backup`.
    """
    write_private(backup_path(path), content)
    write_private(path, content)


def forget_mirrored(path: Path) -> None:
    """Take away what `write_mirrored` has written."""
    for each in (path, backup_path(path)):
        each.unlink(missing_ok=True)


def read_or_backup(path: Path, read: Callable[[str], T]) -> T | None:
    """What `read` makes of the file, or of the one before it where a disk has damaged the file.

    None when there is none, or both are damaged. The log says so without quoting them.

    Raises:
        UnavailableError: what is there cannot be seen now: it is unknown, and not none.
    """
    broken: OSError | None = None
    for each in (path, backup_path(path)):
        try:
            text = read_if_there(each)
            if text is not None:
                return read(text)
        except OSError as error:
            if error.errno != errno.EIO:  # EMFILE, EACCES: it is whole, and may be the newer one
                raise UnavailableError(unread(error, each)) from error
            broken = broken or error
            _note_damaged(path, each, error)
        except ValueError as error:
            _note_damaged(path, each, error)
    if broken is not None:
        raise UnavailableError(unread(broken, path)) from broken
    return None


def _note_damaged(path: Path, copy: Path, error: Exception) -> None:
    _log.error("a file is damaged", path=str(copy), problem=type(error).__name__)
    _damaged.add(path)


def damaged_files() -> str:
    """For the operator: which files this process has found damaged; empty when none."""
    if not _damaged:
        return ""
    names = ", ".join(sorted(path.name for path in _damaged))
    return (
        f"Files of its host service are damaged ({names}): the state before them is in use. Look"
        " after its disk."
    )


_damaged: set[Path] = set()


def backup_path(path: Path) -> Path:
    """Where what was there before, or a copy, stays: what is read where the file is damaged."""
    return path.with_name(f".{path.name}.before")


def read_if_there(path: Path) -> str | None:
    """What the file says, None when there is none."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
