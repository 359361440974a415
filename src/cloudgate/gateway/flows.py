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


@dataclass
class _Seen:
    rate: int | None
    waits_until_seconds: float = 0.0
    """The next burst may have been put off for so long when the rate was lower."""
    samples: deque[tuple[float, int]] = field(default_factory=deque)
    """Moments, and the bytes that were sent until then."""


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
            rate = rates.get(name)
            seen = before.get(name) or _Seen(rate)
            if seen.rate is not None and (rate is None or rate > RAISED * seen.rate):
                seen.samples.clear()
                seen.waits_until_seconds = now_seconds + _window_seconds(seen.rate) / 2
            seen.rate = rate
            seen.samples.append((now_seconds, total))
            oldest = now_seconds - LONGEST_SECONDS
            while len(seen.samples) > 2 and seen.samples[1][0] <= oldest:  # noqa: PLR2004  a pair
                seen.samples.popleft()
            self._seen[name] = seen

    def knows(self, name: str) -> bool:
        """Whether anything is known of a connection."""
        return name in self._seen

    def speed(self, name: str, rate: int) -> float | None:
        """The bytes that a connection sends each second; None when it is too early to say.

        `rate`: what it may send.
        """
        seen = self._seen.get(name)
        if seen is None or len(seen.samples) < 2:  # noqa: PLR2004  a pair
            return None
        now, total = seen.samples[-1]
        lately = _speed(seen.samples[-2], seen.samples[-1])
        window = _window_seconds(rate)
        spanning = (each for each in reversed(seen.samples) if each[0] <= now - window)
        began = next((each for each in spanning if each[0] < now), None)
        waits = began is None or now < seen.waits_until_seconds
        steadily = None if began is None or waits else _speed(began, (now, total))
        if lately >= USES_ITS_SHARE * rate:
            # Who uses its share is seen at once; that somebody is idle takes longer to see.
            return max(steadily or 0.0, min(lately, rate))
        return steadily


def _speed(before: tuple[float, int], now: tuple[float, int]) -> float:
    return (now[1] - before[1]) / max(now[0] - before[0], 1e-9)


def _window_seconds(rate: int) -> float:
    return min(LONGEST_SECONDS, BURSTS * BURST_BYTES / max(rate, 1))
