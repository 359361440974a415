"""Health: does it live, is it ready, and what keeps it from being ready?

As Kubernetes has it (https://kubernetes.io/docs/reference/using-api/health-checks/): a process that
does not live is to be started anew; one that is not ready is to be given no work, and left alone.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cloudgate.background import Background

KEPT_SECONDS = 0.4
"""So long what was found is told again: whoever asks often costs little."""
CHECK_SECONDS = 1.2
"""What takes longer to be checked is not well. With `KEPT_SECONDS` it is below two seconds."""
LEAST_ROOM_BYTES = 16 * 1024**2
"""A disk with less room takes no changes soon."""


@dataclass(frozen=True)
class CheckResult:
    """What one check has found."""

    name: str
    problem: str = ""
    """For the operator; empty when it is well."""
    remark: str = ""
    """What does not keep it from being ready."""
    is_on_purpose: bool = False
    """Whether the problem is what an operator has asked for, and so needs nobody."""

    @property
    def line(self) -> str:
        """As Kubernetes shows it with ``?verbose``."""
        if self.problem:
            return f"[-]{self.name} failed: {self.problem}"
        return f"[+]{self.name} ok" + (f": {self.remark}" if self.remark else "")


Found = CheckResult | Iterable[CheckResult] | str
"""A string is the problem; empty when there is none."""
Check = Callable[[], Found | Awaitable[Found]]


class Health:
    """Says what is well, by checks that are made when somebody asks, together, and not too often.

    Used on the event loop.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`checks`: by name, in the order in which they are shown."""
        self._checks = checks
        self._clock_seconds = clock_seconds
        self._looking: asyncio.Task[tuple[CheckResult, ...]] | None = None
        self._looked_at_seconds = 0.0
        self._is_draining = False

    def drain(self) -> None:
        """It is about to end, and to be given no more work."""
        self._is_draining = True

    async def findings(self) -> tuple[CheckResult, ...]:
        """What every check has found, a moment ago at most."""
        now = self._clock_seconds()
        known = self._looking
        if known is None or (known.done() and now - self._looked_at_seconds > KEPT_SECONDS):
            known = self._looking = asyncio.ensure_future(self._run_checks())
            self._looked_at_seconds = now
        found = await asyncio.shield(known)
        return (*found, CheckResult("shutdown", "it is about to end" if self._is_draining else ""))

    async def problems(self) -> tuple[CheckResult, ...]:
        """What keeps it from being ready."""
        return tuple(each for each in await self.findings() if each.problem)

    async def _run_checks(self) -> tuple[CheckResult, ...]:
        found = await asyncio.gather(
            *(_checked(name, check) for name, check in self._checks.items())
        )
        return tuple(each for some in found for each in some)


async def _checked(name: str, check: Check) -> tuple[CheckResult, ...]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            said = check()
            found = await said if isinstance(said, Awaitable) else said
    except TimeoutError:
        return (CheckResult(name, f"it does not answer within {CHECK_SECONDS:g} seconds"),)
    except Exception as error:  # noqa: BLE001  what cannot be looked at is not known to be well
        return (CheckResult(name, f"it cannot be looked at ({type(error).__name__})"),)
    if isinstance(found, str):
        return (CheckResult(name, found.rstrip(".")),)
    return (found,) if isinstance(found, CheckResult) else tuple(found)


class BlockingCheck:
    """A check that blocks, in a thread of its own: one at a time, however long it hangs."""

    def __init__(self, check: Callable[[], Found]) -> None:
        self._check = check
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._asked: Future[Found] | None = None

    async def __call__(self) -> Found:
        """What the check says."""
        if self._asked is None or self._asked.done():
            self._asked = self._thread.submit(self._check)
        return await asyncio.shield(asyncio.wrap_future(self._asked))

    def close(self) -> None:
        """Begin no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def jobs_check(background: Background) -> Check:
    """Whether background work goes on. What may wait does not keep anybody from being ready."""

    def look() -> Iterable[CheckResult]:
        if not background.is_running:
            return [CheckResult("background jobs", "they do not run")]
        needed = [each for each in background.failing if each.is_needed]
        other = [each for each in background.failing if not each.is_needed]
        return [
            CheckResult(
                "background jobs",
                " ".join(each.text for each in needed).rstrip("."),
                " ".join(each.text for each in other),
            )
        ]

    return look


def disk_problem(folder: Path) -> str:
    """Why a folder's disk takes no changes; empty when it has room, or that cannot be seen."""
    if not hasattr(os, "statvfs"):
        return ""
    try:
        found = os.statvfs(folder)
    except FileNotFoundError:
        return f"{folder} is not there"
    except OSError as error:  # EIO, EACCES: the disk, or the way to it, is broken
        return f"the disk of {folder} cannot be looked at: {error.strerror}"
    room = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        return f"the disk of {folder} is mounted read-only"
    if room < LEAST_ROOM_BYTES or (found.f_files and not found.f_favail):
        return f"the disk of {folder} is full: {room // 1024**2} MiB are free"
    return ""
