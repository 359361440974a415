"""File watches: may one more Envoy watch its files, and what would it take? By inotify(7)."""

import ctypes
import os
import sys
from contextlib import ExitStack
from pathlib import Path

NEEDED = 5
"""Instances of one Envoy, one for each kind of its files. It aborts where it gets none."""
_ENOUGH = 1024
_LIMITS = {
    "fs.inotify.max_user_instances": Path("/proc/sys/fs/inotify/max_user_instances"),
    "user.max_inotify_instances": Path("/proc/sys/user/max_inotify_instances"),
}
"""The lower one holds, for all programs of a user together."""


def shortage() -> str:
    """Why there are not as many left as Envoy needs, and what to type; empty where there are."""
    return "" if _left() >= NEEDED else advice()


def advice() -> str:
    """What is short where Envoy may not watch its files, and what to type."""
    name, limit = _limit()
    has_all = f"have all {limit} that they may have together ({name})" if name else "have them all"
    name = name or next(iter(_LIMITS))
    return (
        f"Envoy watches its files by {NEEDED} inotify instances, and programs of this user"
        f" {has_all}. As root: sysctl -w {name}={max(_ENOUGH, 2 * limit)}. So that it stays,"
        " write the same to a file in /etc/sysctl.d."
    )


def _left() -> int:
    """How many more this user may have, as far as Envoy needs them."""
    if sys.platform != "linux":
        return NEEDED
    begin = ctypes.CDLL(None, use_errno=True).inotify_init1
    with ExitStack() as opened:
        for count in range(NEEDED):
            descriptor = begin(os.O_CLOEXEC | os.O_NONBLOCK)
            if descriptor < 0:
                return count
            opened.callback(os.close, descriptor)
    return NEEDED


def _limit() -> tuple[str, int]:
    """The one that holds, and what it is called; no name where none is shown."""
    found = []
    for name, file in _LIMITS.items():
        try:
            found.append((int(file.read_text("ascii")), name))
        except OSError:  # ENOENT, EACCES: it is not shown here, as in some containers
            continue
    limit, name = min(found, default=(0, ""))
    return name, limit
