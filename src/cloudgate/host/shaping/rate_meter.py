"""Rate meter: how fast is each connection, and would it send more? Pure.

Who has more to send than it may always has something waiting in the kernel. Who has so because its
line is slow does not send what it may: it would not send more with a higher rate.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from cloudgate.host.platform import SentBytes

BURST_BYTES = 64 * 1024
"""What the kernel sends at once on a short way (tcp_tso_rtt_log in the kernel's ip-sysctl)."""
BURSTS = 3
"""So many of them are seen before a connection counts as slower than its rate."""
SHORTEST_SECONDS, LONGEST_SECONDS = 0.6, 5.0
"""How long a connection is looked at to know its speed."""
SLOW = 0.45
"""Who sends less than this part of its rate does not use it."""
USED = 0.75
"""Who has nothing to send right now, and sent this part of what it may, is between two bursts."""
RAISED = 1.25
"""With a rate that is so many times what it was, what was sent before means nothing."""
REMEMBERED_SECONDS = 20.0
"""How long after its end it is known what a connection had sent: the log speaks of it later."""


@dataclass
class _ConnectionRate:
    rate: float | None
    """What it may send each second; None for any number."""
    samples: deque[tuple[float, int]] = field(default_factory=deque)
    """Moments, and the bytes that were sent until then."""
    has_more: bool = False
    new_bytes: int = 0
    """Since the look before."""
    raised_at_seconds: float = 0.0
    had_more_at_seconds: float | None = None

    def sample(self, now_seconds: float, sent: SentBytes, *, is_new: bool) -> None:
        if self.samples and sent.total_bytes < self.samples[-1][1]:
            # Ports come back: another connection has the name now, and all that it sent is new.
            self.samples.clear()
            is_new = True
        nothing = 0 if is_new else sent.total_bytes
        before = self.samples[-1][1] if self.samples else nothing
        self.new_bytes = sent.total_bytes - before
        self.has_more = sent.has_more
        if sent.has_more:
            self.had_more_at_seconds = now_seconds
        self.samples.append((now_seconds, sent.total_bytes))
        oldest = now_seconds - _window_seconds(self.rate)
        while len(self.samples) > 2 and self.samples[1][0] <= oldest:  # noqa: PLR2004  a pair
            self.samples.popleft()

    def set_limit(self, now_seconds: float, rate: float | None) -> None:
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
        speed, rate = self.speed, self.rate
        if not self.has_more:
            return self._is_between_bursts(speed, rate)
        if speed is None or rate is None or speed >= SLOW * rate:
            return True
        watched = self.samples[-1][0] - max(self.samples[0][0], self.raised_at_seconds)
        return watched < _window_seconds(rate) / 2

    def _is_between_bursts(self, speed: float | None, rate: float | None) -> bool:
        # All that the kernel was given is sent, and whoever gives it more has not run yet.
        if speed is None or rate is None or self.had_more_at_seconds is None:
            return False
        since_seconds = self.samples[-1][0] - self.had_more_at_seconds
        return since_seconds <= _window_seconds(rate) and speed >= USED * rate


@dataclass(frozen=True)
class LastSample:
    """What is known of a connection up to the last look at which it was there."""

    total_bytes: int
    rate: float | None
    """What it might send each second after that; None for any number."""
    seen_at_seconds: float
    gone_at_seconds: float | None = None
    """At which look it was gone; None when it was there at the last one."""

    def most_bytes_until(self, end_seconds: float) -> float:
        """What it can have sent after it was seen, by its rate."""
        if self.rate is None:
            return float("inf")
        until = end_seconds
        if self.gone_at_seconds is not None:
            until = min(end_seconds, self.gone_at_seconds)
        return self.rate * max(0.0, until - self.seen_at_seconds)


class RateMeter:
    """Measures what each connection has sent between two looks."""

    def __init__(self) -> None:
        self._seen: dict[str, _ConnectionRate] = {}
        self._gone: dict[str, LastSample] = {}
        """Connections that were slowed, and whose end nobody has told of yet."""

    def sample(
        self,
        now_seconds: float,
        sent: Mapping[str, SentBytes],
        rates: Mapping[str, float | None],
        new: Collection[str] = (),
    ) -> None:
        """Take note of a look. Connections that are not in it have ended.

        Args:
            now_seconds: when it was.
            sent: what each connection has sent.
            rates: what each may send each second from now on; None or left out for any number.
            new: those of which all that they have sent was sent since the look before.
        """
        before, self._seen = self._seen, {}
        for name, each in sent.items():
            seen = self._seen[name] = before.get(name) or _ConnectionRate(rates.get(name))
            seen.sample(now_seconds, each, is_new=name in new)
            seen.set_limit(now_seconds, rates.get(name))
        oldest = now_seconds - REMEMBERED_SECONDS
        self._gone = {
            name: past
            for name, past in self._gone.items()
            if past.seen_at_seconds > oldest and name not in sent  # where another has its name
        }
        for name, gone in before.items():
            if name not in sent and gone.rate is not None:
                at, total = gone.samples[-1]
                self._gone[name] = LastSample(total, gone.rate, at, now_seconds)

    def rename(self, before: str, after: str) -> None:
        """What was known by one name is known by another, if that is new."""
        if before in self._seen and after not in self._seen:
            self._seen[after] = self._seen.pop(before)
        if before in self._gone and after not in self._gone:
            self._gone[after] = self._gone.pop(before)

    def is_measured(self, name: str) -> bool:
        """Whether a connection was seen for long enough to have a speed."""
        seen = self._seen.get(name)
        return seen is not None and seen.speed is not None

    def rate(self, name: str) -> float:
        """The bytes that a connection sends each second; 0 when it is too early to say."""
        seen = self._seen.get(name)
        return (seen.speed or 0.0) if seen else 0.0

    def new_bytes(self, names: Iterable[str]) -> int:
        """What connections have sent from the last look but one to the last."""
        return sum(self._seen[name].new_bytes for name in names if name in self._seen)

    def is_gone(self, name: str) -> bool:
        """Whether it was there at a look, and not any more at the last one."""
        return name in self._gone

    def past(self, name: str) -> LastSample | None:
        """What is known of a connection that may have ended; None when it was never seen."""
        seen = self._seen.get(name)
        if seen is None:
            return self._gone.get(name)
        at, total = seen.samples[-1]
        return LastSample(total, seen.rate, at)

    def is_pressing(self, name: str) -> bool:
        """Whether it would send more if it might."""
        seen = self._seen.get(name)
        return seen is not None and seen.is_pressing


def _window_seconds(rate: float | None) -> float:
    wanted = 0.0 if rate is None else BURSTS * BURST_BYTES / max(rate, 1)
    return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, wanted))
