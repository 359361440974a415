"""Few inotify instances: how does a program get none, though others of this machine have theirs?"""

import shlex
from collections.abc import Sequence
from functools import cache
from subprocess import run

import pytest

LIMIT = "/proc/sys/user/max_inotify_instances"


def within(most: int, command: Sequence[str]) -> list[str]:
    """The command line of a program that may have so many, in a user namespace of its own."""
    script = f'echo {most} > {LIMIT} && exec {shlex.join(command)} "$@"'
    return ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]


@cache
def _can_be_made() -> bool:
    try:
        return run(within(0, ["true"]), check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


needs_user_namespaces = pytest.mark.skipif(
    not _can_be_made(), reason="this system lets nobody make a user namespace"
)
