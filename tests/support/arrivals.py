"""What arrives at the other end of a tenant's tunnels, and when? Counted where it arrives."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.support.tunnel import open_tunnel
from tests.support.waiting import PATIENCE_SECONDS

BIN_SECONDS = 0.1
UPLOAD, DOWNLOAD = b"U", b"D"
"""The first byte of a tunnel says which way the data go."""

_PIECE = bytes(64 * 1024)


class Arrivals:
    """Bytes and when they came. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[tuple[float, int]] = []
        self._began_at = time.monotonic()

    def begin(self) -> None:
        """Time is counted from now on."""
        with self._lock:
            self._seen, self._began_at = [], time.monotonic()

    def note(self, count: int) -> None:
        """So many bytes have come."""
        with self._lock:
            self._seen.append((time.monotonic() - self._began_at, count))

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
            seen = list(self._seen)
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
            times = [at for at, _ in self._seen if at <= until_seconds]
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
                while data := self.request.recv(1024 * 1024):
                    self.server.arrivals.note(len(data))
            else:
                while True:
                    self.request.sendall(_PIECE)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256
    arrivals: Arrivals


@contextmanager
def endless_repository(arrivals: Arrivals) -> Iterator[str]:
    """One that takes or sends as much as it can; its address. What it takes is noted."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.arrivals = arrivals
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        try:
            yield "{}:{}".format(*server.server_address[:2])
        finally:
            server.shutdown()
            serving.join()


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
        line = open_tunnel(self.port, self.ca_file, self.target, self.login).line
        line.settimeout(0.05)
        with contextlib.suppress(OSError), contextlib.closing(line):
            line.sendall(direction)
            while not over.is_set() and (until is None or time.monotonic() < until):
                with contextlib.suppress(TimeoutError):
                    if direction == UPLOAD:
                        line.send(_PIECE)
                    else:
                        arrivals.note(len(line.recv(256 * 1024)))
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
