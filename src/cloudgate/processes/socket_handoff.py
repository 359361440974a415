"""Socket handoff: how does the next host service get the authorizer's socket, queue and all?

The program is replaced by its next version (execv(2)), and the open socket stays. Who calls in
between waits in the socket's queue instead of being refused.
"""

import os
import socket
from contextlib import suppress

import structlog

VARIABLE = "CLOUDGATE_AUTHORIZER_SOCKET"
"""In the environment of the next program: the number of the descriptor."""
BACKLOG = 1024
"""How many may wait to be answered."""

_log = structlog.get_logger(__name__)


def inherit_listener(family: int, name: object) -> socket.socket | None:
    """The socket of that family and name, if it was handed over."""
    number = os.environ.pop(VARIABLE, "")
    if not number.isdigit():
        return None
    with suppress(OSError):  # EBADF, ENOTSOCK: then it is made anew, which is logged
        found = socket.socket(fileno=int(number))
        if found.family == family and found.getsockname() == name:
            found.set_inheritable(False)
            return found
        found.close()
    _log.warning("the authorizer's socket was not handed over", name=str(name))
    return None


def pass_listener(listener: socket.socket) -> None:
    """Leave the socket to the program that takes this one's place."""
    kept = os.dup(listener.fileno())
    os.set_inheritable(kept, True)  # noqa: FBT003  the parameter has no name
    os.environ[VARIABLE] = str(kept)
