"""Log tail: which lines of the access log are new? Each is read once, over restarts too.

A log that is shorter than what was read of it was emptied: what it holds now is new. So is what is
in another one under its name, where the one that was read is gone; older ones were read before it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROTATION_GRACE_SECONDS = 3.0
"""How long after a rotation Envoy may still write to the file that was moved away."""
MOST_BYTES = 256 * 1024
"""That are read at once. Of thousands of lines all would stay in memory for as long as one tunnel
that was begun between them."""


@dataclass(frozen=True)
class LogPosition:
    """Up to where the log has been read."""

    inode: int
    offset_bytes: int


class LogTail:
    """Reads a log that others append to and now and then move away as ``.1``, ``.2`` and so on."""

    def __init__(
        self,
        path: Path,
        position: LogPosition | None = None,
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._position = position
        self._clock_seconds = clock_seconds
        self._moved_at_seconds: float | None = None
        self._is_at_end = False

    @property
    def is_at_end(self) -> bool:
        """Whether the last look has read all that there was."""
        return self._is_at_end

    @property
    def position(self) -> LogPosition | None:
        """Up to where the lines were given out; None before the first."""
        return self._position

    def read(self) -> list[str]:
        """The whole lines that came since the last time, of about `MOST_BYTES`: see `is_at_end`."""
        if self._has_nothing_new():
            self._is_at_end = True
            return []
        current, newer = self._files()
        self._is_at_end = newer is None
        if current is None:
            return []
        lines = self._lines_of(current)
        if lines or newer is None:
            self._moved_at_seconds = None
            return lines
        if self._moved_at_seconds is None:
            self._moved_at_seconds = self._clock_seconds()
        if self._clock_seconds() - self._moved_at_seconds < ROTATION_GRACE_SECONDS:
            return []
        self._moved_at_seconds = None
        self._position = LogPosition(newer.stat().st_ino, 0)
        return self._lines_of(newer)

    def _has_nothing_new(self) -> bool:
        """Whether the log under its name is the one that is read, and was read to its end."""
        if self._position is None:
            return False
        try:
            found = self._path.stat()
        except OSError:  # ENOENT, EACCES, ESTALE, EIO: the longer look says which
            return False
        return LogPosition(found.st_ino, found.st_size) == self._position

    def _files(self) -> tuple[Path | None, Path | None]:
        """The file that is being read, and the one that follows it."""
        newest_first = [self._path, *_moved_away(self._path)]
        there = [(each, each.stat().st_ino) for each in newest_first if each.exists()]
        if not there:
            return None, None
        at = self._position.inode if self._position else None
        index = next((i for i, (_, inode) in enumerate(there) if inode == at), None)
        if index is None:
            if at is not None and there[0][0] != self._path:
                return None, None
            index = len(there) - 1 if at is None else 0
            self._position = LogPosition(there[index][1], 0)
        return there[index][0], there[index - 1][0] if index else None

    def _lines_of(self, path: Path) -> list[str]:
        if self._position is None:
            return []
        with path.open("rb") as log:
            if log.seek(0, os.SEEK_END) < self._position.offset_bytes:
                self._position = LogPosition(self._position.inode, 0)
            log.seek(self._position.offset_bytes)
            parts = [log.read(MOST_BYTES)]
            while len(parts[-1]) == MOST_BYTES and b"\n" not in parts[-1]:  # a longer line
                parts.append(log.read(MOST_BYTES))
        self._is_at_end = self._is_at_end and len(parts[-1]) < MOST_BYTES
        data = b"".join(parts)
        end = data.rfind(b"\n") + 1
        self._position = LogPosition(self._position.inode, self._position.offset_bytes + end)
        return data[:end].decode("utf-8", "replace").splitlines()


def _moved_away(path: Path) -> list[Path]:
    numbered = path.parent.glob(f"{path.name}.*")
    found = [each for each in numbered if each.suffix.removeprefix(".").isdigit()]
    return sorted(found, key=lambda each: int(each.suffix.removeprefix(".")))
