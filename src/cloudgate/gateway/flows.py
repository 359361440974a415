"""How fast is each connection? Over so long a time that the answer means something. Pure.

The kernel sends in bursts: two packets at once, which are 64 KiB each over loopback, and 64 KiB to
where the way is short (tcp_tso_rtt_log in the kernel's ip-sysctl). Who may send little is silent
between two of them, and would look idle from one look to the next.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudgate.sharing import USES_ITS_SHARE

BURST_BYTES = 128 * 1024
BURSTS = 4
"""So many of them are seen before a connection is judged."""
LONGEST_SECONDS = 5.0
RAISED = 1.25
"""With a rate that is so many times what it was, what was sent before means nothing."""


Sample = tuple[float, int]
"""A moment, and the bytes that were sent until then."""


@dataclass
class _Seen:
    rate: int | None
    """What it may send each second; None for any number."""
    samples: deque[Sample] = field(default_factory=deque)
    speed: float | None = None
    is_known: bool = False
    """Whether it was seen twice: what it has sent since it began says nothing of its speed."""
    waits_until_seconds: float = 0.0
    """The next burst may have been put off for so long when the rate was lower."""

    def look(self, now_seconds: float, total: int) -> None:
        """Take note of what was sent until now."""
        self.samples.append((now_seconds, total))
        while len(self.samples) > 2 and self.samples[1][0] <= now_seconds - LONGEST_SECONDS:  # noqa: PLR2004  a pair
            self.samples.popleft()
        self.is_known = self.is_known or len(self.samples) > 1
        measured = self._measured(now_seconds)
        # Somebody who was seen to be idle is so until it sends again.
        self.speed = self.speed if measured is None else measured

    def allow(self, now_seconds: float, rate: int | None) -> None:
        """It may send so much from now on."""
        before, self.rate = self.rate, rate
        if before is None or (rate is not None and rate <= RAISED * before):
            return
        if self.speed is None or self.speed >= USES_ITS_SHARE * before:
            # It was held back, and what it sent then says nothing of what it needs.
            self.samples = deque(list(self.samples)[-1:])
            self.speed = None
            self.waits_until_seconds = now_seconds + _window_seconds(before) / 2

    def _measured(self, now_seconds: float) -> float | None:
        if len(self.samples) < 2:  # noqa: PLR2004  a pair
            return None
        last = self.samples[-1]
        lately = _speed(self.samples[-2], last)
        if self.rate is None:
            return lately
        oldest = now_seconds - _window_seconds(self.rate)
        earlier = (each for each in reversed(self.samples) if each[0] <= oldest)
        began = next((each for each in earlier if each[0] < now_seconds), None)
        steadily = None if began is None else _speed(began, last)
        if lately >= USES_ITS_SHARE * self.rate:
            # Who uses its share is seen at once; that somebody is idle takes longer to see.
            return max(steadily or 0.0, min(lately, self.rate))
        return None if now_seconds < self.waits_until_seconds else steadily


class Flows:
    """What the connections have sent lately."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def note(
        self, now_seconds: float, sent: Mapping[str, int], rates: Mapping[str, int | None]
    ) -> None:
        """Take note of a look. Connections that are not in it are forgotten.

        Args:
            now_seconds: when it was.
            sent: what each connection has sent since it began, in bytes.
            rates: what each may send each second from now on; None or left out for any number.
        """
        before, self._seen = self._seen, {}
        for name, total in sent.items():
            seen = self._seen[name] = before.get(name) or _Seen(rates.get(name))
            seen.look(now_seconds, total)
            seen.allow(now_seconds, rates.get(name))

    def knows(self, name: str) -> bool:
        """Whether a connection was seen for long enough to have a speed."""
        seen = self._seen.get(name)
        return seen is not None and seen.is_known

    def speed(self, name: str) -> float | None:
        """The bytes that a connection sends each second; None when it is too early to say."""
        seen = self._seen.get(name)
        return seen.speed if seen else None


def _speed(before: Sample, now: Sample) -> float:
    return (now[1] - before[1]) / max(now[0] - before[0], 1e-9)


def _window_seconds(rate: int) -> float:
    return min(LONGEST_SECONDS, BURSTS * BURST_BYTES / max(rate, 1))
