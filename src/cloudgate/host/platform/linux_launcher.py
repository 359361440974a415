"""Linux launcher: how does a program outlive who started it? Run as a script, not imported.

An Envoy that others can take over from ends when its parent does (PR_SET_PDEATHSIG, prctl(2)). So
it gets the system's first process for a parent: this script forks, ends, and only then does what
it forked become the program.

Arguments: the program with its arguments. It prints the process id, and waits for a byte at its
standard input before it starts the program; without one, it does not. The program's output goes
where this script's errors go.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PTRACER = 0x59616D61
_ANYBODY_OF_THIS_USER = ctypes.c_ulong(-1)


def main() -> None:
    """Fork, and become the program in the child."""
    # Who starts it may hold signals back for a moment; the program never would get any.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    pid = os.fork()
    if pid:
        os.write(1, f"{pid}\n".encode())
        os._exit(0)
    os.setsid()
    if os.read(0, 1) != b"\n":
        os._exit(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if sys.platform == "linux":
        # With Yama only a parent could reach the program's sockets; its host service has to.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY_OF_THIS_USER, 0, 0, 0)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  that is what it is for


if __name__ == "__main__":
    main()
