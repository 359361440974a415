"""A long line: two network namespaces, and between them what delays, loses and holds up packets.

Each end has a TUN device; a process of its own carries packets from one to the other. The machine's
own network is not touched. It needs root.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import until

NEAR, FAR = "10.99.0.1", "10.99.0.2"
"""The gateway's end, and the tenant's."""
USUAL = "reno"
"""What connections of the near end use that ask for nothing: each kernel has it."""
_USUAL_CONTROL = "/proc/sys/net/ipv4/tcp_congestion_control"
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_MTU = 1500
_BUFFER_SECONDS = 0.1
"""What may wait to be sent at the line's speed; what comes beyond is lost, as in a router."""


@dataclass(frozen=True)
class Quality:
    """What a line does to packets."""

    round_trip_ms: float
    loss_percent: float = 0.0
    mbit: float = 100.0

    @property
    def bytes_per_second(self) -> float:
        """How much it carries each way."""
        return self.mbit * 1e6 / 8


class LongLine:
    """A line between this process's network and another one."""

    def __init__(self, ends: Sequence[int], far_pid: int) -> None:
        self._ends = ends
        self.far_network = f"/proc/{far_pid}/ns/net"
        """For `enter`."""

    @contextmanager
    def carrying(self, quality: Quality) -> Iterator[None]:
        """Meanwhile packets arrive at the other end, as the line is."""
        command = [sys.executable, "-m", "tests.support.machine.long_line", *map(str, self._ends)]
        said = (quality.round_trip_ms, quality.loss_percent, quality.mbit)
        with subprocess.Popen([*command, *map(str, said)], pass_fds=self._ends) as relay:
            try:
                yield
            finally:
                relay.kill()


def enter(network: str) -> None:
    """Have this thread, and what it starts, see another network."""
    with open(network, "rb") as there:  # noqa: PTH123  a file of the kernel's
        _call("setns", there.fileno(), _CLONE_NEWNET)


@contextmanager
def long_line() -> Iterator[LongLine]:
    """Meanwhile this thread is in a network of its own, with a line to another one."""
    with open("/proc/thread-self/ns/net", "rb") as before:  # noqa: PTH123
        _call("unshare", _CLONE_NEWNET)
        far = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        ends = [_tun(f"line{number}") for number in range(2)]
        try:
            _wait_for_network_of(far.pid)
            Path(_USUAL_CONTROL).write_text(USUAL)
            _ip("link", "set", "lo", "up")
            _ip("link", "set", "line1", "netns", str(far.pid))
            _ip("address", "add", f"{NEAR}/30", "dev", "line0")
            _ip("link", "set", "line0", "up", "mtu", str(_MTU))
            within = ("nsenter", f"--net=/proc/{far.pid}/ns/net")
            _ip("link", "set", "lo", "up", within=within)
            _ip("address", "add", f"{FAR}/30", "dev", "line1", within=within)
            _ip("link", "set", "line1", "up", "mtu", str(_MTU), within=within)
            yield LongLine(ends, far.pid)
        finally:
            far.kill()
            far.wait()
            for end in ends:
                os.close(end)
            _call("setns", before.fileno(), _CLONE_NEWNET)


def _call(name: str, *arguments: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _tun(name: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return end


def _ip(*words: str, within: Sequence[str] = ()) -> None:
    subprocess.run([*within, "ip", *words], check=True, capture_output=True)


def _wait_for_network_of(pid: int) -> None:
    """Wait until a process has left this network."""
    own = Path("/proc/thread-self/ns/net").readlink()
    until(
        lambda: Path(f"/proc/{pid}/ns/net").readlink() != own,
        said=lambda: "unshare --net does not begin",
    )


class _Direction:
    """Packets that are on their way from one end to the other."""

    def __init__(self, quality: Quality, chance: random.Random) -> None:
        self._quality = quality
        self._chance = chance
        self._free_at_seconds = 0.0
        self._way: list[tuple[float, int, bytes]] = []
        self._number = 0

    def send(self, packet: bytes, now: float) -> None:
        """It begins its way, or is lost."""
        begins = max(now, self._free_at_seconds)
        if begins - now > _BUFFER_SECONDS:
            return
        self._free_at_seconds = begins + len(packet) / self._quality.bytes_per_second
        if self._chance.random() * 100 >= self._quality.loss_percent:
            arrives = self._free_at_seconds + self._quality.round_trip_ms / 2000
            self._number += 1
            heapq.heappush(self._way, (arrives, self._number, packet))

    def arrived(self, now: float) -> Iterator[bytes]:
        """What is there by now."""
        while self._way and self._way[0][0] <= now:
            yield heapq.heappop(self._way)[2]

    @property
    def next_seconds(self) -> float | None:
        """When the next one arrives; None when none is on its way."""
        return self._way[0][0] if self._way else None


def _carry(ends: Sequence[int], quality: Quality) -> None:
    """Carry packets for ever."""
    chance = random.Random(1)
    ways = {end: _Direction(quality, chance) for end in ends}
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    while True:
        times = [each.next_seconds for each in ways.values() if each.next_seconds is not None]
        wait = max(0.0, min(times) - time.monotonic()) if times else None
        readable, _, _ = select.select(ends, [], [], wait)
        now = time.monotonic()
        for end in readable:
            for packet in _packets(end):
                ways[end].send(packet, now)
        for end, way in ways.items():
            for packet in way.arrived(now):
                try:
                    os.write(other[end], packet)
                except OSError:  # EIO, ENOBUFS: nobody is at that end, or it takes no more: lost
                    continue


def _packets(end: int) -> Iterator[bytes]:
    """What waits at an end, some of it."""
    for _ in range(64):
        try:
            yield os.read(end, 65536)
        except BlockingIOError:
            return


if __name__ == "__main__":
    near, far_end, *said = sys.argv[1:]
    _carry((int(near), int(far_end)), Quality(*map(float, said)))
