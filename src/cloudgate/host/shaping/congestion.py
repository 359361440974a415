"""Congestion: has this gateway no room for more? Seen by Envoy's threads, and by the lines.

A machine that others keep busy is not full of the gateway: only what its own threads do, and wait
for, says that they can carry no more.
"""

import errno
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import structlog

BUSY = 0.92
"""A line that is used to this part is full."""
WORTH_A_LOOK = 0.7
"""With a thread that is busy to this part, it is looked whose data wait for it."""
SHORTEST_SECONDS = 0.15
"""What is seen in less says little: threads run and wait by turns of some milliseconds."""
_NOTHING_THERE = (errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM, errno.EINVAL)
"""The thread has ended, or this system does not tell; EINVAL: an interface without a speed."""
_log = structlog.get_logger(__name__)
_WORKER = "wrk:worker"
"""What Envoy calls the threads that carry tunnels."""
_SAME_THREADS_SECONDS = 5.0
"""How long they are the same: an Envoy has them from its start on."""


@dataclass(frozen=True)
class MachineCounters:
    """Counters of Envoy's threads, and of the machine's interfaces, at a moment."""

    at_seconds: float
    workers: Mapping[str, float] = field(default_factory=dict)
    """By thread: seconds that it ran, or would have run had a processor been free."""
    carried: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By interface: bytes received and sent."""


class CongestionMonitor:
    """Says whether the gateway is full, by counters of the machine since the look before."""

    def __init__(
        self,
        pids: Callable[[], Iterable[int]] = tuple,
        *,
        read: Callable[[], MachineCounters] | None = None,
    ) -> None:
        """`pids`: the processes that carry tunnels right now."""
        self._read = read or (lambda: read_counters(pids()))
        self._last = self._read()
        self.worker_is_busy = False
        """Whether one of the threads that carry tunnels may be full."""
        self.line_is_full = False
        self.parts: dict[str, float] = {}
        """How much is used of what carries tunnels, as far as it is known: 1 for all of it."""

    def sample(self) -> None:
        """See what has been done since the last look, unless that was just now."""
        try:
            now = self._read()
        except OSError as error:  # EMFILE and the like: what was seen last holds
            _log.debug("how busy the gateway is cannot be seen", reason=error.strerror)
            return
        if now.at_seconds - self._last.at_seconds >= SHORTEST_SECONDS:
            before, self._last = self._last, now
            worker, line = busiest_worker(before, now), fullest_line(before, now, _speed_bytes)
            self.worker_is_busy = (worker or 0.0) >= WORTH_A_LOOK
            self.line_is_full = (line or 0.0) >= BUSY
            parts = {"processors": worker, "line": line}
            self.parts = {name: min(1.0, part) for name, part in parts.items() if part is not None}


def busiest_worker(before: MachineCounters, now: MachineCounters) -> float | None:
    """Which part of the time the busiest thread had something to do; None for none. Pure."""
    seconds = now.at_seconds - before.at_seconds
    parts = [
        (busy - before.workers[thread]) / seconds
        for thread, busy in now.workers.items()
        if seconds > 0 and thread in before.workers
    ]
    return max(parts, default=None)


def fullest_line(
    before: MachineCounters, now: MachineCounters, speed_bytes: Callable[[str], int | None]
) -> float | None:
    """Which part of what it can the fullest line carried, in one direction. Pure.

    None where nobody knows. `speed_bytes`: what an interface carries each second, None when nobody
    knows.
    """
    seconds = now.at_seconds - before.at_seconds
    parts = []
    for name, counts in now.carried.items():
        speed, earlier = speed_bytes(name), before.carried.get(name)
        if seconds > 0 and speed and earlier is not None:
            most = max(one - other for one, other in zip(counts, earlier, strict=True))
            parts.append(most / seconds / speed)
    return max(parts, default=None)


def read_counters(pids: Iterable[int]) -> MachineCounters:
    """The counters now (``/proc/net/dev`` and those of threads); none where there are none."""
    workers = {thread: busy for pid in pids for thread, busy in _workers(pid).items()}
    return MachineCounters(time.monotonic(), workers, interface_bytes(_text("/proc/net/dev")))


def busy_seconds(schedstat: str) -> float:
    """How long a thread ran and waited for a processor, in the text of its ``schedstat``.

    Nanoseconds (the kernel's sched-stats); what a thread waits for is not what others do beside
    it, but that it had something to do.
    """
    ran, waited = schedstat.split()[:2]
    return (int(ran) + int(waited)) / 1e9


def interface_bytes(dev: str) -> dict[str, tuple[int, int]]:
    """Bytes received and sent by interface, without loopback, in the text of ``/proc/net/dev``."""
    found = {}
    for line in dev.splitlines()[2:]:
        name, _, counts = line.partition(":")
        numbers = counts.split()
        if name.strip() != "lo" and len(numbers) > 8:  # noqa: PLR2004  the field of bytes sent
            found[name.strip()] = (int(numbers[0]), int(numbers[8]))
    return found


def _workers(pid: int) -> dict[str, float]:
    period = int(time.monotonic() / _SAME_THREADS_SECONDS)
    counters = {thread: _text(f"{thread}/schedstat") for thread in _threads_of(pid, period)}
    return {thread: busy_seconds(text) for thread, text in counters.items() if text}


@lru_cache(maxsize=16)
def _threads_of(pid: int, _period: int) -> tuple[str, ...]:
    """The folders of those that carry tunnels, looked for once in each period."""
    # Processes end at any time (ENOENT, ESRCH), and not every system has these counters.
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        threads = [str(each) for each in Path(f"/proc/{pid}/task").iterdir()]
        return tuple(each for each in threads if _text(f"{each}/comm").startswith(_WORKER))
    return ()


def _speed_bytes(interface: str) -> int | None:
    text = _text(f"/sys/class/net/{interface}/speed").strip()
    return int(text) * 1_000_000 // 8 if text.isdigit() else None


def _text(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  several times a second
            return file.read().decode("ascii", "replace")
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return ""
        raise
