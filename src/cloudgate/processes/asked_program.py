"""Asked program: how does one end with its parent, said to the kernel? Run as a script.

Linux sends a signal to the child of a thread that has ended (PR_SET_PDEATHSIG, prctl(2)); it holds
over execve(2) of a program without privileges of its own.

Arguments: the process id of the parent, and the program with its arguments.
"""

import ctypes
import os
import signal
import sys

NOT_RUN = 126
"""How this script ends when the program cannot be run; then it says why."""
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the program, unless the parent is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        return
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  that is what it is for
    except OSError as problem:
        os.write(2, f"{problem.strerror}".encode())
        os._exit(NOT_RUN)


if __name__ == "__main__":
    main()
