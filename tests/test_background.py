"""Background work: one attempt may fail with anything, and nothing else ends because of it."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs

from cloudgate import background
from cloudgate.background import Background, FailingJob, Job, counted
from cloudgate.errors import UnavailableError
from cloudgate.manager.jobs.threads import run_in_thread
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio


class Work:
    """A job that does as it is told."""

    def __init__(self) -> None:
        self.attempts = 0
        self.problem: BaseException | None = None
        self.changed = asyncio.Event()

    async def attempt(self) -> None:
        """Fail, or do not."""
        self.attempts += 1
        self.changed.set()
        if self.problem is not None:
            raise self.problem

    async def wait_until_tried(self, times: int) -> None:
        """Wait until it was tried so often more."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(times):
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0.01)


def job(work: Work, name: str = "Counting", **more: object) -> Job:
    return Job(name=name, attempt=work.attempt, **{"interval_seconds": 0.01, **more})  # type: ignore[arg-type]


SURPRISES = [
    OSError(28, "No space left on device", "/data/state"),
    UnavailableError("The disk is away."),
    ValueError("nobody foresaw this"),
    TimeoutError(),
    ExceptionGroup("several", [OSError(5, "Input/output error")]),
    ExceptionGroup("several", [KeyError("a"), KeyError("b")]),
    asyncio.InvalidStateError(),
    AssertionError("a fault of this program"),
]


@pytest.mark.parametrize("surprise", SURPRISES, ids=repr)
async def test_a_job_that_fails_with_anything_is_tried_again_and_others_go_on(
    surprise: Exception,
) -> None:
    failing, other = Work(), Work()
    failing.problem = surprise
    together = Background((job(failing), job(other, "Looking")))
    running = asyncio.create_task(together.run())
    await failing.wait_until_tried(3)
    await other.wait_until_tried(3)
    assert [each.name for each in together.failing] == ["Counting"]
    assert together.failing[0].failures >= 2
    failing.problem = None
    await until_async(lambda: not together.failing)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_job_that_rests_is_tried_once_for_all_that_happens_meanwhile() -> None:
    work = Work()
    together = Background((job(work, "Resting", interval_seconds=3600.0, rest_seconds=0.1),))
    running = asyncio.create_task(together.run())
    await work.wait_until_tried(1)
    for _ in range(20):
        together.wake("Resting")
        await asyncio.sleep(0)
    await work.wait_until_tried(1)
    assert work.attempts == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_job_that_has_time_is_first_tried_then_or_when_it_is_woken() -> None:
    at_once, soon, woken = Work(), Work(), Work()
    together = Background(
        (
            job(at_once, "At once"),
            job(soon, "Soon", first_after_seconds=0.05),
            job(woken, "Woken", first_after_seconds=3600.0),
        )
    )
    running = asyncio.create_task(together.run())
    await at_once.wait_until_tried(1)
    assert not soon.attempts
    await soon.wait_until_tried(1)
    assert not woken.attempts
    together.wake("Woken")
    await woken.wait_until_tried(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    ("surprise", "said"),
    [
        (OSError(28, "No space left on device", "/d/s"), "No space left on device (/d/s)."),
        (UnavailableError("The disk is away."), "The disk is away."),
        (ExceptionGroup("", [OSError(5, "Input/output error")]), "Input/output error."),
        (ValueError("secret-looking text"), "an error that nobody foresaw (ValueError)"),
        (TimeoutError(), "an error that nobody foresaw (TimeoutError)"),
    ],
)
async def test_the_operator_is_told_why_and_of_a_fault_of_the_program_where_the_log_says_more(
    surprise: Exception, said: str
) -> None:
    work = Work()
    work.problem = surprise
    told: list[tuple[str, FailingJob | None]] = []
    together = Background([job(work)], on_change=lambda *each: told.append(each))
    with capture_logs() as logged:
        running = asyncio.create_task(together.run())
        await until_async(lambda: told)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    name, failing = told[0]
    assert name == "Counting"
    assert failing is not None
    assert said in failing.text
    assert "secret-looking" not in failing.text
    entry = logged[0]
    unforeseen = "nobody foresaw" in said
    assert (entry["exc_info"] is surprise) == unforeseen
    assert (entry["id"] in failing.text) == unforeseen


async def test_how_it_is_with_a_job_is_known_when_whoever_is_told_of_changes_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "WELL_AFTER_SECONDS", 0.02)
    fails, works, lasts = Work(), Work(), asyncio.Event()
    fails.problem = OSError(28, "No space left on device")
    untried_then: list[frozenset[str]] = []
    together = Background(
        [
            replace(job(fails), name="failing"),
            replace(job(works), name="working"),
            replace(job(Work()), name="lasting", attempt=lasts.wait, lasts=True),
            replace(job(Work()), name="later", first_after_seconds=PATIENCE_SECONDS),
        ],
        on_change=lambda name, _: untried_then.append(together.untried & {name}),
    )
    assert together.untried == {"failing", "working", "lasting", "later"}
    running = asyncio.create_task(together.run())
    await until_async(lambda: together.untried == {"later"})
    assert not lasts.is_set()
    assert untried_then[0] == {"failing"}, "what is not awaited any more is in the warnings"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_lasts_is_told_once_and_logged_rarely() -> None:
    work = Work()
    work.problem = OSError(28, "No space left on device")
    told: list[FailingJob | None] = []
    together = Background(
        [job(work, longest_pause_seconds=0.02)], on_change=lambda _, each: told.append(each)
    )
    with capture_logs() as logged:
        running = asyncio.create_task(together.run())
        await work.wait_until_tried(20)
        assert len(told) == 1
        assert len(logged) == 1
        work.problem = None
        await until_async(lambda: told[-1] is None)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [each["event"] for each in logged] == [
        "background work failed",
        "background work succeeds again",
    ]
    assert logged[1]["failures"] >= 19


async def test_pauses_grow_up_to_the_longest() -> None:
    structlog.reset_defaults()
    one = background._SupervisedJob(job(Work(), longest_pause_seconds=1.0))
    together = Background(())
    pauses = [together._note_failure(one, OSError(28, "full")) for _ in range(40)]
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.08]
    assert pauses[-1] == 1.0


async def test_an_attempt_that_takes_too_long_has_failed() -> None:
    stuck = asyncio.Event()
    tried: list[int] = []

    async def hang() -> None:
        tried.append(1)
        await stuck.wait()

    slow = Job(name="Waiting", attempt=hang, interval_seconds=1, deadline_seconds=0.02)
    together = Background([slow])
    running = asyncio.create_task(together.run())
    await until_async(lambda: len(tried) > 1)
    assert together.failing[0].reason == "It was not done within 0.02 seconds."
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_is_woken_is_tried_at_once_and_says_itself_when_to_come_again() -> None:
    woken = Work()
    tried: list[int] = []

    def plain() -> float:
        tried.append(1)
        return 0.0

    together = Background(
        (
            job(woken, interval_seconds=3600),
            Job(name="Plain", attempt=plain, interval_seconds=3600),
        )
    )
    running = asyncio.create_task(together.run())
    await until_async(lambda: woken.attempts == 1 and len(tried) > 3)
    together.wake("Counting")
    await until_async(lambda: woken.attempts == 2)
    together.wake()
    await until_async(lambda: woken.attempts == 3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_whoever_ends_it_ends_it_also_while_it_fails() -> None:
    work = Work()
    work.problem = KeyError("x")
    running = asyncio.create_task(Background([job(work)]).run())
    await work.wait_until_tried(2)
    running.cancel()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await running


class Processors:
    """What each thread has had of a processor, as a test says."""

    def __init__(self) -> None:
        self._seconds: Counter[int] = Counter()

    def thread_time(self) -> float:
        """Of the thread that asks."""
        return self._seconds[threading.get_ident()]

    def work(self) -> None:
        """Take a processor for an hour."""
        self._seconds[threading.get_ident()] += 3600


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> Processors:
    found = Processors()
    monkeypatch.setattr(time, "thread_time", found.thread_time)
    return found


async def _on_the_loop(work: Callable[[], None]) -> None:
    await asyncio.sleep(0)
    work()
    await asyncio.sleep(0)


async def _in_a_thread(work: Callable[[], None]) -> None:
    await run_in_thread(work)


async def _in_a_thread_of_a_task(work: Callable[[], None]) -> None:
    await asyncio.gather(asyncio.to_thread(counted, work))


@pytest.mark.parametrize(
    "attempt", [lambda work: work(), _on_the_loop, _in_a_thread, _in_a_thread_of_a_task]
)
async def test_who_takes_much_of_a_processor_is_tried_rarely_wherever_it_does_so(
    processors: Processors, attempt: Callable[[Callable[[], None]], Awaitable[None] | None]
) -> None:
    busy, other = 0, Work()

    def work() -> None:
        nonlocal busy
        busy += 1
        processors.work()

    heavy = Job(name="Heavy", attempt=lambda: attempt(work), interval_seconds=0.0, largest_part=0.5)
    running = asyncio.create_task(Background((heavy, job(other, "Looking"))).run())
    await until_async(lambda: busy)
    await other.wait_until_tried(5)
    assert busy == 1, "its next attempt is hours away"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_others_take_of_the_processor_meanwhile_is_not_held_against_a_job(
    processors: Processors,
) -> None:
    light = Work()

    async def attempt() -> None:
        asyncio.get_running_loop().call_soon(processors.work)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await light.attempt()

    waiting = Job(name="Light", attempt=attempt, interval_seconds=0.01, largest_part=0.5)
    running = asyncio.create_task(Background((waiting,)).run())
    await light.wait_until_tried(3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_attempt_whose_steps_are_counted_is_ended_by_its_deadline_as_any() -> None:
    ended = asyncio.Event()

    async def attempt() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    late = Job(
        name="Late",
        attempt=attempt,
        interval_seconds=0.01,
        largest_part=0.5,
        deadline_seconds=0.01,
    )
    together = Background((late,))
    running = asyncio.create_task(together.run())
    await until_async(lambda: together.failing)
    assert ended.is_set()
    assert "0.01 seconds" in together.failing[0].reason
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
