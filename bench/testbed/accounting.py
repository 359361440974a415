"""Accounting: what has a process used so far?"""

import time
from collections.abc import Iterable
from pathlib import Path

_CPU_CLOCK_OF_PROCESS = 2
_CLOCK_BITS = 3


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of processes with all their threads, those that have ended included."""
    return sum(time.clock_gettime(_cpu_clock(pid)) for pid in pids)


def memory_kib(pids: Iterable[int]) -> int:
    """Memory of processes; what several share counts in parts (PSS)."""
    return sum(_pss_kib(pid) for pid in pids)


def children(pid: int) -> tuple[int, ...]:
    """The processes that a process has started."""
    return tuple(other for other in _all_pids() if parent(other) == pid)


def parent(pid: int) -> int | None:
    """The process that started a process; None when that one is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[1])


def thread_names(pid: int) -> list[str]:
    """What the threads of a process are called."""
    return [path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/comm")]


def _cpu_clock(pid: int) -> int:
    # As clock_getcpuclockid(3) makes it: nanoseconds, where /proc/PID/stat has hundredths.
    return (~pid << _CLOCK_BITS) | _CPU_CLOCK_OF_PROCESS


def _pss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"The kernel does not tell the memory of process {pid}.")


def _all_pids() -> Iterable[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
