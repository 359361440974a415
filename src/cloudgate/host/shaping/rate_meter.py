"""How fast is each connection, and would it send more? From what the kernel says of it. Pure.

Who has more to send than it may always has something waiting in the kernel. Who has so because its
line is slow does not send what it may: it would not send more with a higher rate.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cloudgate.host.platform import Sent

BURST_BYTES = 64 * 1024
"""What the kernel sends at once on a short way (tcp_tso_rtt_log in the kernel's ip-sysctl)."""
BURSTS = 3
"""So many of them are seen before a connection counts as slower than its rate."""
SHORTEST_SECONDS, LONGEST_SECONDS = 0.6, 5.0
"""How long a connection is looked at to know its speed."""
SLOW = 0.45
"""Who sends less than this part of its rate does not use it."""
RAISED = 1.25
"""With a rate that is so many times what it was, what was sent before means nothing."""


@dataclass
class _Seen:
    rate: float | None
    """What it may send each second; None for any number."""
    samples: deque[tuple[float, int]] = field(default_factory=deque)
    """Moments, and the bytes that were sent until then."""
    has_more: bool = False
    new_bytes: int = 0
    """Since the look before."""
    raised_at_seconds: float = 0.0

    def look(self, now_seconds: float, sent: Sent) -> None:
        before = self.samples[-1][1] if self.samples else None
        self.new_bytes = 0 if before is None else max(0, sent.total_bytes - before)
        self.has_more = sent.has_more
        self.samples.append((now_seconds, sent.total_bytes))
        oldest = now_seconds - _window_seconds(self.rate)
        while len(self.samples) > 2 and self.samples[1][0] <= oldest:  # noqa: PLR2004  a pair
            self.samples.popleft()

    def allow(self, now_seconds: float, rate: float | None) -> None:
        before, self.rate = self.rate, rate
        if before is not None and (rate is None or rate > RAISED * before):
            self.raised_at_seconds = now_seconds

    @property
    def speed(self) -> float | None:
        if len(self.samples) < 2:  # noqa: PLR2004  a pair
            return None
        (began, before), (ended, now) = self.samples[0], self.samples[-1]
        return (now - before) / max(ended - began, 1e-9)

    @property
    def is_pressing(self) -> bool:
        if not self.has_more:
            return False
        speed, rate = self.speed, self.rate
        if speed is None or rate is None or speed >= SLOW * rate:
            return True
        watched = self.samples[-1][0] - max(self.samples[0][0], self.raised_at_seconds)
        return watched < _window_seconds(rate) / 2


class Flows:
    """What the connections have sent lately."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def note(
        self, now_seconds: float, sent: Mapping[str, Sent], rates: Mapping[str, float | None]
    ) -> None:
        """Take note of a look. Connections that are not in it are forgotten.

        Args:
            now_seconds: when it was.
            sent: what each connection has sent.
            rates: what each may send each second from now on; None or left out for any number.
        """
        before, self._seen = self._seen, {}
        for name, each in sent.items():
            seen = self._seen[name] = before.get(name) or _Seen(rates.get(name))
            seen.look(now_seconds, each)
            seen.allow(now_seconds, rates.get(name))

    def knows(self, name: str) -> bool:
        """Whether a connection was seen for long enough to have a speed."""
        seen = self._seen.get(name)
        return seen is not None and seen.speed is not None

    def speed(self, name: str) -> float:
        """The bytes that a connection sends each second; 0 when it is too early to say."""
        seen = self._seen.get(name)
        return (seen.speed or 0.0) if seen else 0.0

    def new_bytes(self, names: Iterable[str]) -> int:
        """What connections have sent from the last look but one to the last."""
        return sum(self._seen[name].new_bytes for name in names if name in self._seen)

    def last_total(self, name: str) -> int:
        """What a connection had sent at the last look."""
        seen = self._seen.get(name)
        return seen.samples[-1][1] if seen else 0

    def is_pressing(self, name: str) -> bool:
        """Whether it would send more if it might."""
        seen = self._seen.get(name)
        return seen is not None and seen.is_pressing


def _window_seconds(rate: float | None) -> float:
    wanted = 0.0 if rate is None else BURSTS * BURST_BYTES / max(rate, 1)
    return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, wanted))
