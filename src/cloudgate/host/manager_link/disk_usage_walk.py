"""Disk usage walk: how much is allocated for a directory? A program of its own.

It walks through what may be millions of files, so it runs apart from the process that lets tenants
in, at the lowest priority: ``python sizes.py`` reads ``{"base": ..., "parts": [...]}`` and writes
``{"used_bytes": ..., "capacity_bytes": ..., "free_bytes": ...}``, the last two of the file system,
or ``{"reason": ...}``, all as JSON.
"""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator, Sequence

BLOCK_BYTES = 512
"""What `st_blocks` counts in, whatever the file system's own blocks are (POSIX, <sys/stat.h>)."""
DEEPEST = 256
MOST_HARD_LINKED = 10_000_000


class NotMeasuredError(Exception):
    """It could not be measured; the text says why, and what to do."""


def measure(base: str, parts: Sequence[str]) -> int | None:
    """How many bytes are allocated; None when the directory is not there, but `base` is.

    Files with several names count once, symbolic links for themselves.

    Raises:
        NotMeasuredError: it cannot be read.
    """
    try:
        place = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as problem:
        raise NotMeasuredError(
            f"{base}: {_error_text(problem)}. Is the file system mounted, and the path right?"
        ) from None
    shown = base
    for part in parts:
        shown = os.path.join(shown, part)  # noqa: PTH118  text for messages
        try:
            deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
        except FileNotFoundError:
            return None
        except OSError as problem:
            if problem.errno in (errno.ELOOP, errno.ENOTDIR):
                raise NotMeasuredError(
                    f"{shown}: it is a symbolic link or a file; expected a directory."
                ) from None
            raise NotMeasuredError(
                f"{shown}: {_error_text(problem)}. Let the user of the host service read it."
            ) from None
        finally:
            os.close(place)
        place = deeper
    return _Walker(shown).size(place)


def room(base: str) -> dict[str, int | str | None]:
    """How large the file system of a directory is, and how much is free; nothing if none says."""
    try:
        found = os.statvfs(base)
    except OSError:  # it was there a moment ago; or a file system that does not say (ENOSYS)
        return {}
    if not found.f_blocks:
        return {}  # one that has no size, such as those of some clouds
    return {
        "capacity_bytes": found.f_blocks * found.f_frsize,
        "free_bytes": found.f_bavail * found.f_frsize,
    }


class _Walker:
    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._seen: set[tuple[int, int]] = set()
        self._used_bytes = 0

    def size(self, place: int) -> int:
        """Of what is below an open directory, which is closed."""
        open_ones: list[tuple[int, Iterator[os.DirEntry[str]]]] = []
        try:
            self._enter(place, open_ones)
            while open_ones:
                current, entries = open_ones[-1]
                entry = next(entries, None)
                if entry is None:
                    open_ones.pop()
                    os.close(current)
                    continue
                deeper = self._count(current, entry)
                if deeper is not None:
                    self._enter(deeper, open_ones)
        except OSError as problem:
            raise NotMeasuredError(
                f"{self._shown}: {_error_text(problem)}."
                " Let the user of the host service read all of it."
            ) from None
        finally:
            for each, _ in open_ones:
                os.close(each)
        return self._used_bytes

    def _enter(self, place: int, open_ones: list[tuple[int, Iterator[os.DirEntry[str]]]]) -> None:
        try:
            self._check_depth(len(open_ones))
            found = os.fstat(place)
            self._used_bytes += found.st_blocks * BLOCK_BYTES
            entries = os.scandir(place)
        except BaseException:
            os.close(place)
            raise
        open_ones.append((place, entries))

    def _check_depth(self, depth: int) -> None:
        if depth >= DEEPEST:
            raise NotMeasuredError(
                f"{self._shown}: more than {DEEPEST} directories within each other."
            )

    def _count(self, place: int, entry: os.DirEntry[str]) -> int | None:
        """Add what an entry takes; a directory is opened instead. Backups change while we look."""
        with contextlib.suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(NotADirectoryError):
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                    return os.open(entry.name, flags, dir_fd=place)
                return None
            found = entry.stat(follow_symlinks=False)
            if found.st_nlink > 1:
                known = (found.st_dev, found.st_ino)
                if known in self._seen:
                    return None
                self._seen.add(known)
                if len(self._seen) > MOST_HARD_LINKED:
                    raise NotMeasuredError(
                        f"{self._shown}: more than {MOST_HARD_LINKED} files with several names."
                    )
            self._used_bytes += found.st_blocks * BLOCK_BYTES
        return None


def _error_text(problem: OSError) -> str:
    return os.strerror(problem.errno or 0)


def main() -> None:
    """Answer the question on standard input."""
    os.nice(19)  # the priority of reads follows (ioprio_get(2))
    question = json.loads(sys.stdin.read())
    try:
        answer: dict[str, int | str | None] = {
            "used_bytes": measure(question["base"], question["parts"]),
            **room(question["base"]),
        }
    except NotMeasuredError as problem:
        answer = {"reason": str(problem)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
