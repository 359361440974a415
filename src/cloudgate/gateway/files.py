"""How is a private file written so that no crash leaves half of it?"""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import structlog

_log = structlog.get_logger(__name__)
T = TypeVar("T")


def write_private(path: Path, content: str | bytes) -> None:
    """Replace `path` as a whole, readable by its owner only, on disk when this returns.

    The temporary file is in the same folder, so that the folder's watchers see one rename.
    """
    with _written(path, content) as temporary:
        temporary.replace(path)
    _damaged.discard(path)
    _sync_folder(path.parent)


def write_kept(path: Path, content: str) -> None:
    """`write_private`, and what was there stays beside it: see `read_good`."""
    with _written(path, content) as temporary:
        with contextlib.suppress(FileNotFoundError):
            if path not in _damaged:
                path.replace(_before(path))
        temporary.replace(path)
    _damaged.discard(path)
    _sync_folder(path.parent)


def write_twice(path: Path, content: str | bytes) -> None:
    """`write_private` with a copy beside it, for what nobody can send again: see `read_good`."""
    write_private(_before(path), content)
    write_private(path, content)


@contextmanager
def _written(path: Path, content: str | bytes) -> Iterator[Path]:
    """A file beside `path`, on disk; gone afterwards."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write_new(temporary, data)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def read_good(path: Path, read: Callable[[str], T]) -> T | None:
    """What `read` makes of the file, or of the one before it where a disk has damaged the file.

    None when there is none, or both are damaged. The log says so without quoting them.
    """
    for each in (path, _before(path)):
        try:
            text = read_if_there(each)
            if text is not None:
                return read(text)
        except (ValueError, OSError) as error:
            _log.error("a file is damaged", path=str(each), problem=type(error).__name__)
            _damaged.add(path)
    return None


def damage() -> str:
    """For the operator: which files this process has found damaged; empty when none."""
    if not _damaged:
        return ""
    names = ", ".join(sorted(path.name for path in _damaged))
    return (
        f"Files of its host service are damaged ({names}): the state before them is in use. Look"
        " after its disk."
    )


_damaged: set[Path] = set()


def _before(path: Path) -> Path:
    return path.with_name(f".{path.name}.before")


def read_if_there(path: Path) -> str | None:
    """What the file says, None when there is none."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  # takes a descriptor
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # Windows opens no folders; there the rename is on disk when it is.
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
