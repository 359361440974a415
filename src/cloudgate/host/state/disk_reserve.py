"""Disk reserve: what is given up on a full disk so that a gateway can start?

To be started, Envoy has to be told and written down what it is, which takes some room.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from shutil import disk_usage
from typing import TypeVar

import structlog

from cloudgate.host.state.files import write_private

RESERVE_BYTES = 256 * 1024
LEAST_FREE_BYTES = 4 * RESERVE_BYTES
"""With less, what is left is for those who need it now."""
REVIEW_SECONDS = 30.0

_log = structlog.get_logger(__name__)
T = TypeVar("T")


class DiskReserve:
    """A file that takes room on the disk of the state folder, and can be given up for an Envoy."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def allocate(self) -> None:
        """Take the room, if it is not taken and the disk has it."""
        try:
            if not self._path.exists() and disk_usage(self._path.parent).free > LEAST_FREE_BYTES:
                # Bytes that no file system makes smaller.
                write_private(self._path, os.urandom(RESERVE_BYTES))
        except OSError as error:  # tried again: with a full disk it is used, not taken
            _log.debug("no room can be reserved", reason=str(error))

    def release_for(self, work: Callable[[], T]) -> T:
        """Do something, and where the disk is full give the room up and do it again.

        Raises:
            OSError: that was of no help, or something else is wrong.
        """
        try:
            return work()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._path.exists():
                raise
            _log.warning("the disk is full; what was kept for that is used", path=str(self._path))
            self._path.unlink()
            return work()
