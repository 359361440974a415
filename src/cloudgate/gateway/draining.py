"""Since when is the gateway closed? The deadline of its tunnels holds over restarts."""

import time
from collections.abc import Callable

from cloudgate.gateway.files import read_if_there, write_private
from cloudgate.gateway.layout import Layout


class Drain:
    """The moment since which no new tunnels are taken."""

    def __init__(self, layout: Layout, now_seconds: Callable[[], float] = time.time) -> None:
        self._path = layout.drain
        self._now_seconds = now_seconds

    def seconds_left(self, drain_seconds: float) -> float:
        """How long tunnels may still go on; the first call starts the time."""
        started = _number(read_if_there(self._path))
        if started is None:
            started = self._now_seconds()
            write_private(self._path, repr(started))
        return started + drain_seconds - self._now_seconds()

    def forget(self) -> None:
        """The gateway is open; the next drain starts anew."""
        self._path.unlink(missing_ok=True)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
