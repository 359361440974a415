"""File watches: may one more Envoy watch its files, and what would it take? By inotify(7)."""

import ctypes
import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from cloudgate.errors import UnavailableError

NEEDED = 5
"""Instances of one Envoy, one for each kind of its files. It aborts where it gets none."""
_ENOUGH = 1024
_LIMITS = {
    "fs.inotify.max_user_instances": Path("/proc/sys/fs/inotify/max_user_instances"),
    "user.max_inotify_instances": Path("/proc/sys/user/max_inotify_instances"),
}
"""The lower one holds, for all programs of a user together."""


def shortage(user_id: int | None = None) -> str:
    """Why there are not as many left as Envoy needs, and what to type; empty where there are.

    Args:
        user_id: as whom Envoy runs; as this program where it is left out. For another one all of
            this process is that user for a moment.

    Raises:
        UnavailableError: that is another user, and how many it has left cannot be seen from here.
    """
    if sys.platform != "linux":
        return ""
    if user_id is None or user_id == os.geteuid():
        return "" if left() >= NEEDED else advice()
    return "" if _left_of(user_id) >= NEEDED else advice(f"user {_name_of(user_id)}")


def advice(whose: str = "this user") -> str:
    """What is short where Envoy may not watch its files, and what to type."""
    name, limit = _limit()
    has_all = f"have all {limit} that they may have together ({name})" if name else "have them all"
    name = name or next(iter(_LIMITS))
    return (
        f"Envoy watches its files by {NEEDED} inotify instances, and programs of {whose}"
        f" {has_all}. As root: sysctl -w {name}={max(_ENOUGH, 2 * limit)}. So that it stays,"
        " write the same to a file in /etc/sysctl.d."
    )


def left() -> int:
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


def _left_of(user_id: int) -> int:
    """The same of another user. Linux tells nobody's count: who may become that user tries."""
    if sys.platform == "win32":
        return NEEDED
    own = os.geteuid()
    try:
        os.seteuid(user_id)  # inotify_init(2) counts by it
    except OSError:  # EPERM: only root may; EINVAL: that user is none of this container
        raise UnavailableError(
            f"Envoy runs as user {_name_of(user_id)} here: whether that one has inotify instances"
            " left, only it and root can see."
        ) from None
    try:
        return left()
    finally:
        os.seteuid(own)


def _name_of(user_id: int) -> str:
    if sys.platform != "win32":
        import pwd  # noqa: PLC0415  Windows has none

        with suppress(KeyError):
            return pwd.getpwuid(user_id).pw_name
    return str(user_id)


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
