"""Stand-in: who answers an Envoy whose predecessor is gone? Run as a script, not imported.

An Envoy that gets no answer aborts with its tunnels, or waits for ever. So a process of its own
answers it, which ends with that Envoy: the host service may be killed, and start anew.

Arguments: the process id of the Envoy, the descriptor of a datagram socket that is bound to the
address of the predecessor, and the path of its other name, which is removed at the end. It imports
nothing but the standard library, and needs no site.
"""

import contextlib
import os
import select
import socket
import sys

NO_SOCKET = bytes.fromhex("000000000000000f120d0a0b08ffffffffffffffffff01")
"""Its length, and then: a reply, of the kind that passes a socket, whose number is -1."""
LEAVE = b"leave"
"""The message at which it ends."""
_LONGEST_MESSAGE = 4096
_GOES_ON = 0x80
"""Of a number's bytes those that are not its last (Protocol Buffers: base 128 varints)."""
_FIRST_FIELD = b"\x0a"
_LOOK_AGAIN_SECONDS = 1.0
"""Where the system tells nobody of the end of a process that is not its child."""


def is_asking_for_a_socket(message: bytes) -> bool:
    """Whether that is what an Envoy asks its predecessor (Envoy: hot_restart.proto). Pure."""
    request = message[8:]
    if request[:1] != _FIRST_FIELD:
        return False
    length = next((place for place, byte in enumerate(request[1:], 1) if byte < _GOES_ON), 0)
    return request[length + 1 : length + 2] == _FIRST_FIELD


def goes_on(heard: socket.socket) -> bool:
    """Hear one message: asked for a socket, there is none. False at the word to leave."""
    # EAGAIN: nothing is there; ENOENT, ECONNREFUSED: who asked is gone meanwhile.
    with contextlib.suppress(OSError):
        message, child = heard.recvfrom(_LONGEST_MESSAGE)
        if message == LEAVE:
            return False
        if child and is_asking_for_a_socket(message):  # without an address it is no Envoy's
            heard.sendto(NO_SOCKET, child)
    return True


def main() -> None:
    """Answer until the Envoy ends, or the word comes to leave."""
    pid = int(sys.argv[1])
    with socket.socket(fileno=int(sys.argv[2])) as heard:
        ended = _end_of(pid)
        waiting: list[socket.socket | int] = [heard, *ended]
        while _runs(pid):
            ready = select.select(waiting, [], [], None if ended else _LOOK_AGAIN_SECONDS)[0]
            if set(ended) & set(ready) or (heard in ready and not goes_on(heard)):
                break
        with contextlib.suppress(OSError):  # ENOENT: removed; EROFS: the host service does it
            os.unlink(sys.argv[3])  # noqa: PTH108  starts faster without pathlib


def _end_of(pid: int) -> list[int]:
    """What is readable once that process has ended."""
    if not hasattr(os, "pidfd_open"):
        return []
    try:
        return [os.pidfd_open(pid)]
    except OSError:
        return []  # ESRCH: gone. ENOSYS: then it is looked at again and again


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
