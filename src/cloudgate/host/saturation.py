"""Saturation: what of this machine is used up? Files, connections, memory, disk; in figures.

A gateway that has no more of one of them turns tenants away, and they cannot tell the operator why.
"""

import asyncio
import errno
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.platform.resource_limits import capacity, memory_limits
from cloudgate.host.state.conditions import Conditions
from cloudgate.processes.open_files import own_files_limit

FULL = 0.9
"""What is used to this part is told to the operator,"""
OVER = 0.85
"""until it is used less than to this one."""
DISK_FULL = 0.95
DISK_OVER = 0.94
ROOM_ON_A_DISK_BYTES = 1024**3
"""With so much room a disk is not full, whatever part of it that is,"""
ROOM_ON_A_DISK_FILES = 10_000
"""and with room for so many files."""
REVIEW_SECONDS = 5.0
TOLD_AGAIN_SECONDS = 60.0
"""How old a figure may get that has not gone over a limit."""

_CONNECTIONS = "listener.gateway.downstream_cx_active"
_HEAP = "overload.envoy.resource_monitors.fixed_heap.pressure"
_TURNED_AWAY = (
    "listener.gateway.downstream_global_cx_overflow",
    "listener.gateway.downstream_cx_overload_reject",
)
_COUNTERS = (_CONNECTIONS, _HEAP, *_TURNED_AWAY)
_MIB = 1024**2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ResourceLevel:
    """How much of something is used."""

    kind: str
    """Names it; one at a time is told of each."""
    used: float
    most: float
    words: str
    """For the operator: what there is how much of, and what to do."""
    full: float = FULL
    over: float = OVER

    @property
    def part(self) -> float:
        """Of what there is, how much is used."""
        return self.used / self.most if self.most > 0 else 1.0


def files(kind: str, whose: str, used: int, most: int) -> ResourceLevel:
    """Open files of a process."""
    return ResourceLevel(
        kind,
        used,
        most,
        f"{whose} has {used:,} of the {most:,} files open that it may have; without any, tenants"
        " are turned away. Raise LimitNOFILE of its service, or add a gateway.",
    )


def connections(used: int, most: int, turned_away: int) -> ResourceLevel:
    """Connections with tenants. `turned_away`: of these, since the look before."""
    away = f" {turned_away:,} were turned away just now." if turned_away else ""
    return ResourceLevel(
        "connections",
        max(used, most) if turned_away else used,
        most,
        f"{used:,} of the {most:,} connections are open that its files and memory allow; more are"
        f" turned away.{away} Add a gateway, or give this one more.",
    )


def heap(percent: int) -> ResourceLevel:
    """Memory of Envoy, of what it may have."""
    return ResourceLevel(
        "heap",
        percent,
        100,
        f"Envoy uses {percent} % of the memory that it may have; from 95 % on tenants are turned"
        " away. Add a gateway, or give this one more.",
        full=0.85,
        over=0.8,
    )


def memory(used_bytes: int, most_bytes: int) -> ResourceLevel:
    """Memory of the machine, or of the control group."""
    return ResourceLevel(
        "memory",
        used_bytes,
        most_bytes,
        f"{used_bytes // _MIB:,} of its {most_bytes // _MIB:,} MiB of memory are in use; without"
        " any, Envoy may be ended with all tunnels. Give it more, or add a gateway.",
    )


def disk(folder: str, free: int, most: int, *, in_bytes: bool) -> ResourceLevel:
    """Room on the disk that a folder is on: for bytes, or for files."""
    room = (
        f"{free // _MIB:,} of {most // _MIB:,} MiB" if in_bytes else f"{free:,} of {most:,} files"
    )
    enough = ROOM_ON_A_DISK_BYTES if in_bytes else ROOM_ON_A_DISK_FILES
    return ResourceLevel(
        "disk" if in_bytes else "inodes",
        0 if free >= enough else most - free,
        most,
        f"The disk of {folder} has room for {room}. Make room: without any, changes are not kept.",
        DISK_FULL,
        DISK_OVER,
    )


class SaturationMonitor:
    """Says what of this machine is used up, and takes it back once there is room again."""

    def __init__(
        self,
        conditions: Conditions,
        on_change: Callable[[], None],
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_change` is called when there is something new to tell."""
        self._conditions = conditions
        self._on_change = on_change
        self._clock_seconds = clock_seconds
        self._told: dict[str, float] = {}
        """By kind, when its figure was told."""
        self.parts: dict[str, float] = {}
        """By kind, how much of it was used when it was last seen; 1 for all of it."""
        self._turned_away: Mapping[str, int] = {}

    async def run(self, state: Path, envoys: EnvoyProcesses, admin: AdminClient) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(REVIEW_SECONDS)
            of_machine = await asyncio.to_thread(machine_levels, state, _processes(envoys))
            self.sample([*of_machine, *await self._of_envoy(envoys, admin)])

    def sample(self, levels: Iterable[ResourceLevel]) -> None:
        """These are the levels now. What is not among them could not be seen, and stays as told."""
        now, is_new = self._clock_seconds(), False
        for each in levels:
            self.parts[each.kind] = min(1.0, each.part)
            told_at = self._told.get(each.kind)
            if each.part < (each.full if told_at is None else each.over):
                if told_at is not None:
                    _log.info("there is room again", kind=each.kind)
                    del self._told[each.kind]
                    self._conditions.set(each.kind, "")
                    is_new = True
            elif told_at is None or now - told_at >= TOLD_AGAIN_SECONDS:
                if told_at is None:
                    _log.warning("this machine is saturated", kind=each.kind, reason=each.words)
                self._told[each.kind] = now
                self._conditions.set(each.kind, each.words)
                is_new = True
        if is_new:
            self._on_change()

    async def _of_envoy(self, envoys: EnvoyProcesses, admin: AdminClient) -> list[ResourceLevel]:
        if envoys.pid is None:
            return []
        try:
            found = await admin.counters(*_COUNTERS)
        except UnavailableError:
            return []  # unknown
        before, self._turned_away = self._turned_away, found
        away = sum(max(0, found.get(each, 0) - before.get(each, 0)) for each in _TURNED_AWAY)
        return [
            connections(found.get(_CONNECTIONS, 0), capacity().connections, away if before else 0),
            heap(found.get(_HEAP, 0)),
        ]


def _processes(envoys: EnvoyProcesses) -> dict[str, int]:
    found = [(mark, envoys.pid_of(mark)) for mark in sorted(envoys.labels)]
    return {mark: pid for mark, pid in found if pid is not None}


def machine_levels(state: Path, envoys: Mapping[str, int]) -> list[ResourceLevel]:
    """What can be seen of files, memory and disk.

    Args:
        state: folder of the host service.
        envoys: the process ids of the Envoys.
    """
    levels = [_files_of(pid, "files of Envoy", "Envoy") for pid in envoys.values()]
    # Of several Envoys the one that has the least left.
    fullest = max((each for each in levels if each), key=lambda each: each.part, default=None)
    own = _files_of(os.getpid(), "files of the host service", "Its host service")
    return [each for each in (fullest, own, _all_files(), _memory(), *_disk(state)) if each]


def _files_of(pid: int, kind: str, whose: str) -> ResourceLevel | None:
    most = (
        own_files_limit()
        if pid == os.getpid()
        else open_files_limit(_text(Path(f"/proc/{pid}/limits")) or "")
    )
    used = _open_files(pid)
    if used is None or most is None:
        return None
    return files(kind, whose, most if used < 0 else used, most)


def open_files_limit(limits: str) -> int | None:
    """The soft limit of open files in the text of ``/proc/PID/limits`` (proc(5))."""
    for line in limits.splitlines():
        if line.startswith("Max open files"):
            soft = line.split()[3]
            return int(soft) if soft.isdigit() else None
    return None


def _open_files(pid: int) -> int | None:
    """How many; None when it cannot be seen, -1 when this process has not even one left to look."""
    folder = f"/proc/{pid}/fd"
    try:
        # Linux 6.2 and newer count them; older ones say 0.
        return os.stat(folder).st_size or len(os.listdir(folder))  # noqa: PTH116, PTH208
    except OSError as error:
        out_of_files = error.errno == errno.EMFILE and pid == os.getpid()
        return -1 if out_of_files else None


def _all_files() -> ResourceLevel | None:
    text = _text(Path("/proc/sys/fs/file-nr"))
    if text is None:
        return None
    used, _, most = (int(each) for each in text.split())
    return ResourceLevel(
        "files of the system",
        used,
        most,
        f"All processes of the machine have {used:,} of the {most:,} files open that there can be."
        " Raise fs.file-max.",
    )


def _memory() -> ResourceLevel | None:
    groups = memory_limits(_text(Path("/proc/self/cgroup")) or "")
    of_groups = [_group_memory(each) for each in groups]
    known = [each for each in (_of_meminfo(), *of_groups) if each]
    return max(known, key=lambda each: each.part, default=None)


def _of_meminfo() -> ResourceLevel | None:
    lines = (_text(Path("/proc/meminfo")) or "").splitlines()
    sizes = dict(_sizes(line) for line in lines if line.endswith(" kB"))
    most, available = sizes.get("MemTotal"), sizes.get("MemAvailable")
    if most is None or available is None:
        return None
    return memory(1024 * (most - available), 1024 * most)


def _sizes(line: str) -> tuple[str, int]:
    name, _, size = line.partition(":")
    return name, int(size.split()[0])


def _group_memory(limit: Path) -> ResourceLevel | None:
    """Of a control group, what cannot simply be given back: without files that are read."""
    current = {"memory.max": "memory.current"}.get(limit.name, "memory.usage_in_bytes")
    most, used = (_text(each) or "" for each in (limit, limit.with_name(current)))
    if not (most.strip().isdigit() and used.strip().isdigit()):
        return None  # there is no limit, or no such file
    for line in (_text(limit.with_name("memory.stat")) or "").splitlines():
        name, _, size = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return memory(max(0, int(used) - int(size)), int(most))
    return memory(int(used), int(most))


def _disk(state: Path) -> list[ResourceLevel]:
    if not hasattr(os, "statvfs"):
        return []
    with suppress(FileNotFoundError):
        found = os.statvfs(state)
        size = found.f_frsize
        # Without what only root may use.
        reserved = found.f_bfree - found.f_bavail
        most = (found.f_blocks - reserved) * size
        levels = [disk(str(state), found.f_bavail * size, most, in_bytes=True)]
        if found.f_files:
            levels.append(disk(str(state), found.f_favail, found.f_files, in_bytes=False))
        return levels
    return []


def _text(path: Path) -> str | None:
    """What the file says; None when it cannot be read: then nothing is known."""
    try:
        return path.read_text("ascii", "replace")
    except OSError:  # ENOENT, EACCES, EMFILE: no figure is told, and no warning ended by it
        return None
