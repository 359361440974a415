"""Withdrawal journal: what was taken away while the disk took nothing? Written in reserved room.

The file has its room from the beginning and is written in place, so that a disk without a byte or a
name left takes it. It has two halves that are written in turns: whenever this process is killed,
one of them is whole.
"""

import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from cloudgate.atomic_files import write_private

HALF_BYTES = 64 * 1024
_HEAD = struct.Struct(">8sQQ32s")
"""What it is, its number, the length of the text, and a SHA-256 of number and text."""
_MARK = b"CGTAKEN1"
_MOST_BYTES = HALF_BYTES - _HEAD.size
_UNCERTAIN = "uncertain"
"""Entry that says that it is not known what was taken away, until the manager has said all."""

_log = structlog.get_logger(__name__)


class TooLongError(Exception):
    """The journal has no room for so much."""


class WithdrawalJournal:
    """Named entries that outlive this process, also while the disk is full."""

    def __init__(
        self, path: Path, needed_by: Callable[[Callable[[], None]], None] = lambda work: work()
    ) -> None:
        """`needed_by` does something, with room where there is none: `DiskReserve.release_for`."""
        self._path = path
        self._was_there = path.with_name(f"{path.name}.made")
        """Says that there is one: where it is gone, it is lost, and was not empty for sure."""
        self._needed_by = needed_by
        found = _read(path)
        is_lost = found is None and (path.exists() or self._was_there.exists())
        if is_lost:
            _log.error("what was taken away while the disk took nothing is lost", path=str(path))
        self._number, self._entries = found or (0, {})
        if is_lost:
            self._entries[_UNCERTAIN] = True
        self._is_on_disk = self._is_written()
        if not self._is_on_disk:
            self._entries[_UNCERTAIN] = True
        self.is_certain = _UNCERTAIN not in self._entries
        """Whether what was taken away before this process began is known: a disk that takes
        nothing now may have taken nothing then, and what is lost may have said something. What is
        not known is not known by the next start either, unless the manager answers before."""

    def get(self, name: str) -> Any:
        """An entry; None when there is none."""
        return self._entries.get(name)

    def put(self, name: str, entry: Any) -> None:
        """Write an entry down; None takes it out.

        Raises:
            TooLongError: it does not fit; what was there is there no more.
            OSError: the disk does not even take that.
        """
        if self._entries.get(name) == entry:
            return
        entries = {**self._entries, name: entry}
        if entry is None:
            del entries[name]
        self._write_twice(entries)
        self._entries = entries

    def note_certain(self) -> None:
        """The manager has said all: what is not known of before does not matter any more.

        Raises:
            OSError: the disk does not take that.
        """
        self.put(_UNCERTAIN, None)

    def keep(self) -> None:
        """Have the file there with its room and all entries, while the disk has that.

        Raises:
            OSError: it has not.
        """
        if not (self._is_on_disk and self._has_room()):
            self._write_twice(self._entries)
        if not self._was_there.exists():
            write_private(self._was_there, b"")

    def _is_written(self) -> bool:
        try:
            self._write(json.dumps(self._entries).encode())
        except OSError as error:
            _log.error("what was taken away may be forgotten", reason=error.strerror)
            return False
        return True

    def _write_twice(self, entries: dict[str, Any]) -> None:
        text = json.dumps(entries).encode()
        if len(text) > _MOST_BYTES:
            raise TooLongError
        self._write(text)
        # Over the other half, too: what is not needed is not on disk, and what is is there twice.
        self._write(text)
        self._is_on_disk = True

    def _write(self, text: bytes) -> None:
        number = self._number + 1
        half = _HEAD.pack(_MARK, number, len(text), _sum(number, text)) + text
        place = (number % 2) * HALF_BYTES
        write = self._overwrite if self._has_room() else self._make
        self._needed_by(lambda: write(half, place))
        self._number = number

    def _overwrite(self, half: bytes, place: int) -> None:
        descriptor = os.open(self._path, os.O_WRONLY)
        try:
            os.pwrite(descriptor, half, place)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _has_room(self) -> bool:
        try:
            return self._path.stat().st_size == 2 * HALF_BYTES
        except FileNotFoundError:
            return False

    def _make(self, half: bytes, place: int) -> None:
        # Bytes that no file system makes smaller, so that the room is really taken. The half is
        # among them from the beginning: a file without one is a journal that was lost.
        room = bytearray(os.urandom(2 * HALF_BYTES))
        room[place : place + len(half)] = half
        write_private(self._path, bytes(room))


def _sum(number: int, text: bytes) -> bytes:
    return hashlib.sha256(number.to_bytes(8) + text).digest()


def _read(path: Path) -> tuple[int, dict[str, Any]] | None:
    """The half that was written last and is whole; None when none can be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:  # EIO, EACCES, EMFILE: there is something, and it is not known what
        _log.error("what was taken away cannot be read", reason=error.strerror)
        return None
    found: tuple[int, dict[str, Any]] | None = None
    for half in (data[:HALF_BYTES], data[HALF_BYTES:]):
        if len(half) < _HEAD.size:
            continue
        mark, number, length, expected = _HEAD.unpack_from(half)
        text = half[_HEAD.size : _HEAD.size + length]
        if (
            mark == _MARK
            and expected == _sum(number, text)
            and (found is None or number > found[0])
        ):
            found = number, json.loads(text)
    return found
