"""Session cache: which logon session is in use? Kept in a file for its owner alone."""

import contextlib
import hashlib
import os
from pathlib import Path

from cloudgate.atomic_files import write_private
from cloudgate.cli.settings import Connection, cache_folder
from cloudgate.client.core.logons import Logon


class LogonFile:
    """A `LogonStore` of one user at one manager.

    A cache: what cannot be read is not there, and what cannot be written is not kept.
    """

    def __init__(self, connection: Connection) -> None:
        key = f"{connection.url.lower()}\n{connection.user}".encode()
        # Of who has no home folder nothing is kept: below this there is no file.
        folder = cache_folder() or Path(os.devnull)
        self._file = folder / f"logon-{hashlib.sha256(key).hexdigest()[:32]}"

    def load(self) -> Logon | None:
        """The session that was kept last."""
        try:
            text = self._file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):  # ENOENT, EACCES: one logs on anew
            return None
        return Logon(text) if text else None

    def keep(self, logon: Logon) -> None:
        """Put a session in the place of the one before, whole or not at all."""
        folder = self._file.parent
        with contextlib.suppress(OSError):  # EACCES, EROFS, ENOSPC: one logs on for each command
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._file, logon.session_id)

    def forget(self) -> None:
        """Keep no session any more."""
        with contextlib.suppress(OSError):  # EACCES, EROFS: the manager has ended it, which counts
            self._file.unlink(missing_ok=True)
