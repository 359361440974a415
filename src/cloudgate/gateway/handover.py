"""How does the host service that starts next get the authorizer's socket, with all who wait there?

The program is replaced by its next version (execv(2)), and the open socket stays. Who calls in
between waits in the socket's queue instead of being refused.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path

import structlog

VARIABLE = "CLOUDGATE_AUTHORIZER_SOCKET"
"""In the environment of the next program: the number of the descriptor."""
WAITING = 1024
"""How many may wait to be answered."""

_log = structlog.get_logger(__name__)


def listening_socket(path: Path) -> socket.socket:
    """The socket at `path`: the one that was handed over, or else a new one."""
    handed_over = os.environ.pop(VARIABLE, "")
    if handed_over.isdigit():
        with suppress(OSError):
            found = socket.socket(fileno=int(handed_over))
            if found.family == socket.AF_UNIX and found.getsockname() == str(path):
                found.set_inheritable(False)
                return found
            found.close()
        _log.warning("the authorizer's socket was not handed over", path=str(path))
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path.unlink(missing_ok=True)
    made.bind(str(path))
    made.listen(WAITING)
    return made


def hand_over(listener: socket.socket) -> None:
    """Leave the socket to the program that takes this one's place."""
    kept = os.dup(listener.fileno())
    os.set_inheritable(kept, True)  # noqa: FBT003  the parameter has no name
    os.environ[VARIABLE] = str(kept)
