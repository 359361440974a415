"""Arrivals: what comes out of a tenant's tunnels, and when?

Counted by when the kernel got it: who reads it may have to wait for a processor or a lock.
"""

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.support.running.tunnel import open_tunnel
from tests.support.serving import answering
from tests.support.waiting import PATIENCE_SECONDS

BIN_SECONDS = 0.1
UPLOAD, DOWNLOAD = b"U", b"D"
"""The first byte of a tunnel says which way the data go."""

ARRIVAL_TIMES = (socket.SOL_SOCKET, 37, 0x18)
"""The option by which the kernel says when it got what is read: SO_TIMESTAMPING, by software
(Linux, Documentation/networking/timestamping.rst)."""
_TIME = struct.Struct("qq")

_PIECE = bytes(64 * 1024)


class Arrivals:
    """Bytes and when they came. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[tuple[float, int]] = []
        self._open: list[tuple[float, float]] = []
        self._began_at = time.monotonic()

    def begin(self) -> None:
        """Time is counted from now on."""
        with self._lock:
            self._seen, self._open, self._began_at = [], [], time.monotonic()

    def take(self, line: socket.socket) -> int:
        """Read what has come by a line with `ARRIVAL_TIMES`, and note it; 0 at its end."""
        data, said, _, _ = line.recvmsg(64 * 1024, 256)
        now = time.monotonic()
        for _, _, times in said:
            seconds, nanoseconds = _TIME.unpack_from(times)
            now -= max(0.0, time.time() - seconds - nanoseconds / 1e9)
        with self._lock:
            self._seen.append((now - self._began_at, len(data)))
        return len(data)

    @contextmanager
    def open_tunnel(self) -> Iterator[None]:
        """Meanwhile a tunnel is there by which something may come."""
        since = time.monotonic() - self._began_at
        yield
        with self._lock:
            self._open.append((since, time.monotonic() - self._began_at))

    def open_seconds(self, seconds: float) -> float:
        """For how long a tunnel was there, of so long from the first byte on."""
        with self._lock:
            first = min(self._seen)[0]
            last, found = first, 0.0
            for since, until in sorted(self._open):
                begun, ended = max(since, last), min(until, first + seconds)
                found += max(0.0, ended - begun)
                last = max(last, ended)
        return found

    def wait_for(self, count: int) -> None:
        """Return when so many bytes have come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.total() < count:
            assert time.monotonic() < deadline, f"only {self.total()} bytes came"
            self.wait(0.01)

    def wait_for_first_byte(self) -> None:
        """Return when something has come."""
        self.wait_for(1)

    def wait(self, seconds: float) -> None:
        """Let data come for so long."""
        threading.Event().wait(seconds)

    def total(self) -> int:
        """Of all bytes since the beginning."""
        with self._lock:
            return sum(count for _, count in self._seen)

    def bins(self, seconds: float) -> list[int]:
        """Bytes of each tenth of a second, from the first byte on."""
        with self._lock:
            seen = sorted(self._seen)
        first = seen[0][0] if seen else 0.0
        found = [0] * round(seconds / BIN_SECONDS)
        for at, count in seen:
            number = int((at - first) / BIN_SECONDS)
            if number < len(found):
                found[number] += count
        return found

    def longest_pause(self, until_seconds: float) -> float:
        """Seconds between two bytes that followed one another."""
        with self._lock:
            times = sorted(at for at, _ in self._seen if at <= until_seconds)
        return max((late - early for early, late in pairwise(times)), default=0)


@dataclass(frozen=True)
class Course:
    """How fast data came, against a limit: all as parts of it."""

    first_second: float
    most_in_a_second: float
    least_in_two_seconds: float
    """From the second second on, as a part of two seconds' worth."""
    most_in_two_seconds: float
    longest_pause_seconds: float


def course(arrivals: Arrivals, limit_bytes: int, seconds: float) -> Course:
    """What the first seconds looked like."""
    bins = arrivals.bins(seconds)
    one, two = round(1 / BIN_SECONDS), round(2 / BIN_SECONDS)
    ones = [sum(bins[at : at + one]) / limit_bytes for at in range(len(bins) - one + 1)]
    twos = [sum(bins[at : at + two]) / limit_bytes / 2 for at in range(one, len(bins) - two + 1)]
    return Course(ones[0], max(ones), min(twos), max(twos), arrivals.longest_pause(seconds))


class _Handler(socketserver.BaseRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        """Take all that comes, or send all that is taken."""
        with contextlib.suppress(OSError):
            if self.request.recv(1) == UPLOAD:
                while self.server.arrivals.take(self.request):
                    pass
            else:
                while True:
                    self.request.sendall(_PIECE)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256
    arrivals: Arrivals

    def server_activate(self) -> None:
        """What the listening socket has, those have that come by it."""
        super().server_activate()
        self.socket.setsockopt(*ARRIVAL_TIMES)


@contextmanager
def endless_repository(arrivals: Arrivals) -> Iterator[str]:
    """One that takes or sends as much as it can; its address. What it takes is noted."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.arrivals = arrivals
    with answering(server):
        yield "{}:{}".format(*server.server_address[:2])


@dataclass(frozen=True)
class Tenant:
    """Who opens tunnels, and where to."""

    port: int
    ca_file: Path
    target: str
    login: str

    @contextmanager
    def flowing(
        self,
        direction: bytes,
        arrivals: Arrivals,
        *,
        count: int = 1,
        every_seconds: float | None = None,
    ) -> Iterator[None]:
        """Meanwhile data flow as fast as they may.

        Args:
            direction: UPLOAD or DOWNLOAD.
            arrivals: where bytes of downloads are noted.
            count: tunnels at once.
            every_seconds: a new tunnel takes the place of each one so often; None for never.
        """
        over = threading.Event()
        arguments = (direction, arrivals, over, every_seconds)
        work = [
            threading.Thread(target=self._one_after_another, args=arguments, daemon=True)
            for _ in range(count)
        ]
        arrivals.begin()
        for each in work:
            each.start()
        try:
            yield
        finally:
            over.set()
            for each in work:
                each.join(PATIENCE_SECONDS)

    def _one_after_another(
        self, direction: bytes, arrivals: Arrivals, over: threading.Event, seconds: float | None
    ) -> None:
        while not over.is_set():
            until = None if seconds is None else time.monotonic() + seconds
            self._flow(direction, arrivals, over, until)

    def _flow(
        self, direction: bytes, arrivals: Arrivals, over: threading.Event, until: float | None
    ) -> None:
        with open_tunnel(self.port, self.ca_file, self.target, self.login).line as secured:
            with contextlib.suppress(OSError):
                secured.sendall(direction)
            # What comes is counted as it is under TLS: a thousandth more than was sent.
            line = secured if direction == UPLOAD else socket.socket(fileno=secured.detach())
            line.setsockopt(*ARRIVAL_TIMES)
            line.settimeout(0.05)
            with arrivals.open_tunnel(), contextlib.suppress(OSError), contextlib.closing(line):
                while not over.is_set() and (until is None or time.monotonic() < until):
                    with contextlib.suppress(TimeoutError):
                        if direction == UPLOAD:
                            line.send(_PIECE)
                        elif not arrivals.take(line):
                            break
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
