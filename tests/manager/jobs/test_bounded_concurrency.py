"""Are pieces of a job done beside each other, and those that fail shown, and paused for?"""

import asyncio
import threading

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.manager.jobs.bounded_concurrency import BoundedConcurrency
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio


async def ended(pieces: BoundedConcurrency[str]) -> None:
    """Wait until nothing is being done."""
    await until_async(lambda: not pieces.busy)  # of one that fails again nobody is told


async def test_one_that_takes_long_holds_up_none_but_those_there_is_no_room_for() -> None:
    pieces, gate = BoundedConcurrency[str]("piece", 2), threading.Event()
    pieces.begin("slow", gate.wait)
    pieces.begin("quick", lambda: None)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await pieces.changed.wait()
    assert pieces.busy == {"slow"}
    assert pieces.has_room
    pieces.begin("another", gate.wait)
    assert not pieces.has_room
    gate.set()
    await ended(pieces)


async def test_what_fails_is_shown_until_it_is_done_and_wakes_its_job_once() -> None:
    pieces = BoundedConcurrency[str]("piece", 2)

    def fails() -> None:
        raise UnavailableError("The database is away.")

    for wakes in (True, False, False):
        pieces.changed.clear()
        pieces.begin("it", fails)
        await ended(pieces)
        assert pieces.changed.is_set() is wakes
        with pytest.raises(UnavailableError):
            pieces.raise_failure()
    pieces.begin("it", lambda: None)
    await ended(pieces)
    assert pieces.changed.is_set()
    pieces.raise_failure()
