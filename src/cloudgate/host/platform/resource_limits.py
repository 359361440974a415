"""Resource limits: how much may Envoy take before it turns newcomers away?"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cloudgate.host.platform import memory_bytes
from cloudgate.processes.open_files import allow_many_files

FILES_BESIDE_TUNNELS = 512
"""Open files that Envoy needs for itself: its program, logs, sockets."""
FILES_OF_A_TUNNEL = 2
MEMORY_PART = 0.6
"""Of the machine's memory, for Envoy; the rest is for sockets, host service and system."""
BYTES_OF_A_TUNNEL = 64 * 1024
"""Of memory, for one that is idle."""

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_NO_LIMIT = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.EACCES, errno.EPERM)
"""There is no such file, or group, or it is nobody's business here."""


@dataclass(frozen=True)
class Capacity:
    """How many connections, and how much memory, Envoy may take."""

    connections: int
    """From tenants, at a time."""
    heap_bytes: int


def capacity_of(memory: int, files: int) -> Capacity:
    """The capacity of a machine with so many bytes of memory and open files. Pure."""
    heap_bytes = int(memory * MEMORY_PART)
    by_files = (files - FILES_BESIDE_TUNNELS) // FILES_OF_A_TUNNEL
    return Capacity(max(16, min(by_files, heap_bytes // BYTES_OF_A_TUNNEL)), heap_bytes)


def capacity() -> Capacity:
    """The capacity of this machine."""
    return capacity_of(_memory(), allow_many_files())


def memory_limits(own_groups: str) -> Iterator[Path]:
    """The files with the memory limits that hold for a process (cgroups(7)). Pure.

    Each group is limited by those that it is in, too. A container sees its own as the root.

    Args:
        own_groups: the text of the process's ``/proc/PID/cgroup``.
    """
    for line in own_groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            root, name = _CONTROL_GROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = _CONTROL_GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = root / path.lstrip("/")
        yield from (each / name for each in (group, *group.parents) if each.is_relative_to(root))


def _memory() -> int:
    found = [memory_bytes()]
    for each in memory_limits(_text(Path("/proc/self/cgroup"))):
        limit = _text(each).strip()
        if limit.isdigit():  # "max" where there is no limit
            found.append(int(limit))
    return min(found)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError as error:
        if error.errno in _NO_LIMIT:
            return ""
        raise  # EMFILE and the like: what is not known is no other capacity
