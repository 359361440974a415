"""Supervisor of background work: what runs beside everything else, and what becomes of its faults?

A job is tried again and again for as long as the program runs. One attempt may fail with anything:
that is logged, waited for a little longer each time, and shown to the operator until an attempt
succeeds. Nothing else ends because of it.
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, ParamSpec, TypeVar

import structlog

from cloudgate.errors import CloudgateError
from cloudgate.values.backoff import doubled

FIRST_PAUSE_SECONDS = 0.5
"""After a first failure; twice as long after each further one."""
LONGEST_PAUSE_SECONDS = 30.0
WELL_AFTER_SECONDS = 5.0
"""An attempt that lasts is taken for well when it has gone on for so long."""
LOGGED_AGAIN_SECONDS = 600.0
"""How often the log repeats a failure that lasts."""
_LONGEST_REASON = 500
"""Characters of a reason that nobody here has worded."""

_log = structlog.get_logger(__name__)

Given = ParamSpec("Given")
Result = TypeVar("Result")
Attempt = Callable[[], "Awaitable[float | None] | float | None"]
"""Tries once; how many seconds until the next attempt, None for the interval of the job."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One kind of background work."""

    name: str
    """For the operator: what is not done while it fails, such as ``Renewing certificates``."""
    attempt: Attempt
    interval_seconds: float
    """From the end of an attempt to the next one, unless the attempt says otherwise."""
    deadline_seconds: float | None = None
    """An attempt that takes longer is cancelled and has failed; None for none."""
    longest_pause_seconds: float = LONGEST_PAUSE_SECONDS
    """Between two attempts, however often it has failed."""
    largest_part: float = 1.0
    """Of one processor, that it may take: with more to do, attempts are rarer.

    What counts is what an attempt itself does on the event loop, without the tasks that it starts,
    and in threads what `counted` calls.
    """
    first_after_seconds: float = 0.0
    """From the start to the first attempt."""
    rest_seconds: float = 0.0
    """From the end of an attempt to the next one at least, however much happens meanwhile."""
    lasts: bool = False
    """An attempt goes on as long as the program: it is well once it has gone on for a while."""
    needed: bool = False
    """While it fails, what runs it is not ready to do what it is there for."""
    news: Callable[[asyncio.Event], AbstractContextManager[object]] = nullcontext
    """While the context is open, the event is set whenever an attempt is due before its time."""


@dataclass(frozen=True)
class FailingJob:
    """A job whose last attempt has failed."""

    name: str
    since: datetime
    failures: int
    """Attempts in a row."""
    reason: str
    """One that somebody foresaw, or what to look for in the log."""
    is_needed: bool = False
    """As in its `Job`."""

    @property
    def text(self) -> str:
        """For the operator. It stays the same while nothing but the count changes."""
        return f"{self.name} has failed since {self.since:%Y-%m-%d %H:%M} UTC: {self.reason}"


@dataclass
class JobRecord:
    """What became of a job's attempts since the program began."""

    name: str
    runs: int = 0
    """Attempts that have ended, and those of lasting jobs that went on for a while."""
    failures: int = 0
    succeeded_at: datetime | None = None


class Background:
    """Runs jobs beside each other: no fault of one ends it or another."""

    def __init__(
        self,
        jobs: Iterable[Job],
        *,
        on_change: Callable[[str, FailingJob | None], None] | None = None,
        foreseen: Callable[[Exception], str | None] | None = None,
    ) -> None:
        """What it is told of.

        Args:
            jobs: what to run.
            on_change: called with a job's name when it fails, and with None when it works again.
            foreseen: the reason of a failure, in words for the operator; None for one that nobody
                foresaw. Failures of this product and of the system need none.
        """
        self._supervised = {job.name: _SupervisedJob(job) for job in jobs}
        self._on_change = on_change or _nobody
        self._foreseen = foreseen or _nothing
        self.is_running = False

    @property
    def records(self) -> tuple[JobRecord, ...]:
        """What became of the attempts of each job."""
        return tuple(each.record for each in self._supervised.values())

    @property
    def failing(self) -> tuple[FailingJob, ...]:
        """The jobs whose last attempt has failed."""
        return tuple(each.failing for each in self._supervised.values() if each.failing)

    @property
    def untried(self) -> frozenset[str]:
        """The jobs of which it is not known yet how it is with them: no attempt has ended."""
        return frozenset(name for name, each in self._supervised.items() if not each.record.runs)

    def wake(self, *names: str) -> None:
        """Try these jobs, or all of them, as soon as possible."""
        for name in names or self._supervised:
            self._supervised[name].woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        self.is_running = True
        try:
            async with asyncio.TaskGroup() as group:
                for name, each in self._supervised.items():
                    group.create_task(self._supervise(each), name=name)
        finally:
            self.is_running = False

    async def _supervise(self, each: "_SupervisedJob") -> None:
        with each.job.news(each.woken):
            if each.job.first_after_seconds:
                await _event_or(each.woken, each.job.first_after_seconds)
            await self._repeat(each)

    async def _repeat(self, each: "_SupervisedJob") -> None:
        while True:
            each.woken.clear()
            taken = _CpuTime()
            _of_attempt.set(taken)
            try:
                with self._well_after_a_while(each):
                    pause_seconds = await _try(each.job)
            except Exception as error:  # noqa: BLE001  whatever it is: it is shown, and tried again
                pause_seconds = self._note_failure(each, error)
                await asyncio.sleep(min(FIRST_PAUSE_SECONDS, pause_seconds))
                pause_seconds -= FIRST_PAUSE_SECONDS
            else:
                self._note_success(each)
                pause_seconds = max(pause_seconds, taken.seconds / each.job.largest_part)
                await asyncio.sleep(each.job.rest_seconds)
            await _event_or(each.woken, pause_seconds)

    @contextmanager
    def _well_after_a_while(self, each: "_SupervisedJob") -> Iterator[None]:
        is_known = each.record.runs and not each.failing
        if is_known or not each.job.lasts:
            yield
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(WELL_AFTER_SECONDS, self._note_success, each)
        try:
            yield
        finally:
            timer.cancel()

    def _note_failure(self, each: "_SupervisedJob", error: Exception) -> float:
        """Have it known; how many seconds to wait."""
        before = each.failing
        foreseen = self._foreseen(error) or _reason(error)
        if before is None:
            each.mark = secrets.token_hex(4)
        reason = foreseen or (
            f"an error that nobody foresaw ({type(error).__name__}); the log says more at"
            f" {each.mark}."
        )
        failing = FailingJob(
            name=each.job.name,
            since=before.since if before else datetime.now(UTC),
            failures=before.failures + 1 if before else 1,
            reason=reason,
            is_needed=each.job.needed,
        )
        each.failing = failing
        is_news = before is None or before.reason != reason
        if is_news:
            self._on_change(each.job.name, failing)
        each.record.runs += 1  # whoever is told of changes knows of it by now
        each.record.failures += 1
        now = time.monotonic()
        if before is None or now - each.logged_at >= (
            FIRST_PAUSE_SECONDS * 2 if is_news else LOGGED_AGAIN_SECONDS
        ):
            each.logged_at = now
            _log.error(
                "background work failed",
                work=each.job.name,
                id=each.mark,
                failures=failing.failures,
                reason=reason,
                exc_info=None if foreseen else error,
            )
        return doubled(FIRST_PAUSE_SECONDS, each.job.longest_pause_seconds, failing.failures)

    def _note_success(self, each: "_SupervisedJob") -> None:
        before, each.failing = each.failing, None
        each.record.runs += 1
        each.record.succeeded_at = datetime.now(UTC)
        if before is not None:
            self._on_change(each.job.name, None)
            _log.info(
                "background work succeeds again",
                work=each.job.name,
                id=each.mark,
                failures=before.failures,
            )


class _SupervisedJob:
    """A job, and how it is with it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.woken = asyncio.Event()
        self.failing: FailingJob | None = None
        self.record = JobRecord(job.name)
        self.mark = ""
        """Where the log says more about this row of failures."""
        self.logged_at = 0.0


async def _try(job: Job) -> float:
    """One attempt; how many seconds to wait after it."""
    try:
        async with asyncio.timeout(job.deadline_seconds) as limit:
            said = counted(job.attempt)
            if said is None or isinstance(said, int | float):
                pause_seconds = said
            elif job.largest_part < 1.0:
                pause_seconds = await _CountedSteps(said)
            else:
                pause_seconds = await said
    except TimeoutError:
        if not limit.expired():
            raise
        raise TooLongError(job) from None
    return job.interval_seconds if pause_seconds is None else pause_seconds


class _CpuTime:
    """What an attempt has taken of processors, in whichever threads; not what it waited for."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what this thread does meanwhile."""
        began = time.thread_time()
        try:
            yield
        finally:
            took_seconds = time.thread_time() - began
            with self._lock:
                self.seconds += took_seconds


_of_attempt: ContextVar[_CpuTime | None] = ContextVar("cpu_time_of_attempt", default=None)
"""Threads that an attempt has work see it, too, where they have its context."""


def counted(function: Callable[Given, Result], *args: Given.args, **more: Given.kwargs) -> Result:
    """Call what works for a job's attempt, as part of what the job takes of a processor."""
    taken = _of_attempt.get()
    if taken is None:
        return function(*args, **more)
    with taken.counting():
        return function(*args, **more)


class _CountedSteps(Awaitable[Any]):
    """An awaitable whose own steps on the event loop are counted, and not those of others."""

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        steps: Any = self._awaitable.__await__()
        go_on = partial(next, steps)
        while True:
            try:
                waits_for = counted(go_on)
            except StopIteration as end:
                return end.value
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001  it is the awaitable's to handle
                go_on = partial(steps.throw, error)
            else:
                go_on = partial(next, steps)


class TooLongError(CloudgateError):
    """An attempt took longer than its job may, and was cancelled."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"It was not done within {job.deadline_seconds:g} seconds.")


def _reason(error: Exception) -> str | None:
    """What the operator can do something about; None for a fault of this program."""
    if isinstance(error, CloudgateError):
        return error.message
    if isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        return _reason(error.exceptions[0])
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{where}."[:_LONGEST_REASON]
    return None


async def _event_or(event: asyncio.Event, seconds: float) -> None:
    """Returns when the event is set, or the time is over."""
    if event.is_set() or seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _nobody(_name: str, _failing: FailingJob | None) -> None:
    return


def _nothing(_error: Exception) -> str | None:
    return None
