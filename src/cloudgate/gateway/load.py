"""Has this machine no room for more? By its processors and its network interfaces."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

BUSY = 0.92
"""Processors, or a line, that are used to this part are full."""
_IDLE, _WAITING = 3, 4


@dataclass(frozen=True)
class Reading:
    """Counters of the machine at a moment."""

    at_seconds: float
    busy: int = 0
    """Of all processors, in ticks."""
    total: int = 0
    carried: Mapping[str, tuple[int, int]] | None = None
    """By interface: bytes received and sent."""


class Load:
    """Compares the counters with those of the last look."""

    def __init__(self, read: Callable[[], Reading] | None = None) -> None:
        self._read = read or read_machine
        self._last = self._read()

    def is_full(self) -> bool:
        """Whether the machine had no room for more since the last look."""
        before, self._last = self._last, self._read()
        return processors_are_full(before, self._last) or lines_are_full(
            before, self._last, _speed_bytes
        )


def processors_are_full(before: Reading, now: Reading) -> bool:
    """Whether the processors were busy all the time. Pure."""
    total = now.total - before.total
    return total > 0 and (now.busy - before.busy) / total >= BUSY


def lines_are_full(before: Reading, now: Reading, speed_bytes: Callable[[str], int | None]) -> bool:
    """Whether one of the lines carried all that it can, in one direction. Pure.

    `speed_bytes`: what an interface carries each second, None when nobody knows.
    """
    seconds = now.at_seconds - before.at_seconds
    if seconds <= 0:
        return False
    for name, counts in (now.carried or {}).items():
        speed, earlier = speed_bytes(name), (before.carried or {}).get(name)
        if not speed or earlier is None:
            continue
        most = max(one - other for one, other in zip(counts, earlier, strict=True))
        if most / seconds >= BUSY * speed:
            return True
    return False


def read_machine() -> Reading:
    """The counters now (proc(5): ``/proc/stat``, ``/proc/net/dev``); none where there are none."""
    busy, total = processor_ticks(_text("/proc/stat"))
    return Reading(time.monotonic(), busy, total, interface_bytes(_text("/proc/net/dev")))


def processor_ticks(stat: str) -> tuple[int, int]:
    """Busy and all ticks in the text of ``/proc/stat``."""
    first = stat.partition("\n")[0].split()
    if first[:1] != ["cpu"]:
        return 0, 0
    ticks = [int(each) for each in first[1:9]]
    return sum(ticks) - ticks[_IDLE] - ticks[_WAITING], sum(ticks)


def interface_bytes(dev: str) -> dict[str, tuple[int, int]]:
    """Bytes received and sent by interface, without loopback, in the text of ``/proc/net/dev``."""
    found = {}
    for line in dev.splitlines()[2:]:
        name, _, counts = line.partition(":")
        numbers = counts.split()
        if name.strip() != "lo" and len(numbers) > 8:  # noqa: PLR2004  the field of bytes sent
            found[name.strip()] = (int(numbers[0]), int(numbers[8]))
    return found


def _speed_bytes(interface: str) -> int | None:
    text = _text(f"/sys/class/net/{interface}/speed").strip()
    return int(text) * 1_000_000 // 8 if text.isdigit() else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text("ascii", "replace")
    except OSError:
        return ""
