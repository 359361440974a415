"""Open files: how many may this process, and those that it starts, have?"""

import contextlib
import sys

if sys.platform != "win32":
    import resource

MOST_FILES = 1_048_576
"""Open files that a process asks for at most."""


def allow_many_files() -> int:
    """Let this process, and those that it starts, open as many files as it may; how many.

    Who may raise the limit itself does so, up to `MOST_FILES`.
    """
    if sys.platform == "win32":
        return MOST_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > MOST_FILES:
        wanted, most = MOST_FILES, hard
    else:
        wanted = most = hard
        with contextlib.suppress(ValueError, OSError):  # EPERM: what is allowed has to do
            resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
            return MOST_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return wanted


def own_files_limit() -> int | None:
    """Open files that this process may have; None where there is no such limit."""
    if sys.platform == "win32":
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
