"""Files of backups: what keeps one from being written, and what does an operator do about it?"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudgate.errors import CloudgateError
from cloudgate.processes.systemd_sandbox import writing_advice


@contextmanager
def told_what_to_do(folder: Path, what: str) -> Iterator[None]:
    """Translate what keeps files from being written.

    Raises:
        CloudgateError: with what to do.
    """
    try:
        yield
    except FileExistsError as problem:
        raise CloudgateError(
            f"{problem.filename} is there already, and is left alone. Name another file."
        ) from None
    except OSError as problem:
        reason = _REASONS.get(problem.errno or 0)
        if reason is None:
            reason = f"{problem.strerror}. See that the folder is there, and may be written to"
        where = problem.filename or folder
        advice = writing_advice(problem, Path(where) if Path(where).is_dir() else folder)
        raise CloudgateError(f"{what} cannot be written: {where}: {reason}.{advice}") from None


_REASONS = {
    errno.ENOSPC: "the disk is full. Make room there, or choose a folder on another disk",
    errno.EDQUOT: "the quota there is used up. Make room, or choose a folder on another disk",
    errno.EFBIG: "the file system takes no file as large. Choose a folder on another disk",
    errno.ENOENT: "the folder is not there. Make it, or choose another",
    errno.EACCES: "this user may not write there. Choose another folder, or do it as another user",
    errno.EPERM: "this user may not write there. Choose another folder, or do it as another user",
    errno.EROFS: "here it can only be read",
    errno.EIO: "the disk fails (I/O error). Choose a folder on another disk",
}
