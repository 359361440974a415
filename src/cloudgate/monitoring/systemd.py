"""Notifications to systemd: how does a service say that it is ready, lives, and how it is?

The protocol of sd_notify(3): datagrams of ``NAME=value`` lines to the socket that systemd names in
the environment. Where it names none, nobody is told.
"""

import asyncio
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from cloudgate.monitoring.health import Health

STATUS_SECONDS = 5.0
"""How often the status is looked at."""
_LONGEST_STATUS = 400
"""Characters."""

_NUMBER = re.compile("[0-9]{1,18}")

_log = structlog.get_logger(__name__)


class Notifier:
    """Tells the service manager that started this process."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        known = os.environ if environment is None else environment
        self._address = known.get("NOTIFY_SOCKET", "")
        self.watchdog_seconds = _watchdog_seconds(known)
        """It wants to hear within so long that this process lives; None where it does not ask."""
        self._status = ""

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def notify(self, *lines: str) -> None:
        """Say something. It is lost where systemd takes nothing: it asks nobody twice."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]  # the abstract namespace (unix(7))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(0)
                line.sendto("\n".join(lines).encode(), address)
        except OSError as error:  # ENOENT, ECONNREFUSED, EAGAIN: it is gone, or has no time
            _log.warning("systemd is not told", reason=error.strerror)

    def status(self, text: str) -> None:
        """Show it in ``systemctl status``, if it is new."""
        shown = " ".join(text.split())[:_LONGEST_STATUS]
        if shown != self._status:
            self._status = shown
            self.notify(f"STATUS={shown}")


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    microseconds = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID", "")
    if not _NUMBER.fullmatch(microseconds) or int(microseconds) == 0:
        return None
    if _NUMBER.fullmatch(meant) and int(meant) != os.getpid():
        return None  # it is about the process that started this one
    return int(microseconds) / 1_000_000


async def keep_informed(
    notifier: Notifier,
    health: Health,
    describe: Callable[[], Awaitable[str] | str],
    starts_anew: Callable[[], bool] = lambda: False,
) -> None:
    """Say for ever that the event loop turns, and how this service is; first that it is ready.

    Args:
        notifier: who is told.
        health: what keeps it from being ready.
        describe: how it is while nothing does, in a few words.
        starts_anew: whether the same process is ready again soon after it has ended: systemd
            would end it by force if it were told that it stops.
    """
    if not notifier.is_heard:
        return
    notifier.notify("READY=1")
    try:
        async with asyncio.TaskGroup() as group:
            if notifier.watchdog_seconds is not None:
                group.create_task(_bark(notifier, notifier.watchdog_seconds / 3))
            group.create_task(_show(notifier, health, describe))
    finally:
        if starts_anew():
            microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            notifier.notify("RELOADING=1", f"MONOTONIC_USEC={microseconds}")
        else:
            notifier.notify("STOPPING=1")


async def _bark(notifier: Notifier, seconds: float) -> None:
    while True:
        notifier.notify("WATCHDOG=1")
        await asyncio.sleep(seconds)


async def _show(
    notifier: Notifier, health: Health, describe: Callable[[], Awaitable[str] | str]
) -> None:
    while True:
        problems = await health.problems()
        if problems:
            notifier.status("not ready: " + "; ".join(f"{e.name}: {e.problem}" for e in problems))
        else:
            said = describe()
            notifier.status("ready: " + (said if isinstance(said, str) else await said))
        await asyncio.sleep(STATUS_SECONDS)
