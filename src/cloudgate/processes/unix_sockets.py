"""Unix sockets: how does one come to its path, and where is it said that it does not?"""

import socket
from pathlib import Path


def bound(kind: int, path: Path) -> socket.socket:
    """A socket of `kind` at a path, in the place of what was there.

    Raises:
        OSError: the disk or the system refuses it; the error names the path.
    """
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, kind)
    try:
        made.bind(str(path))
    except OSError as problem:
        made.close()
        problem.filename = str(path)  # which the system does not name
        raise
    return made
