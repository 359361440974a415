"""What cannot end: does it say where it stands, and end the service?"""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from cloudgate.processes import end_deadline
from cloudgate.processes.end_deadline import ended_within


async def waits_for_nothing() -> None:
    await asyncio.Event().wait()


def test_what_does_not_end_says_where_its_tasks_and_threads_are_and_ends_the_service() -> None:
    given_up, free = threading.Event(), threading.Event()
    statuses: list[int] = []

    def give_up(status: int) -> None:
        statuses.append(status)
        given_up.set()

    def stay_locked_out() -> None:
        free.wait()

    async def run() -> None:
        stuck = asyncio.create_task(waits_for_nothing(), name="stuck")
        beside = asyncio.to_thread(stay_locked_out)
        with ended_within(0.05, "leading", give_up) as is_to_end:
            is_to_end()
            waiting = asyncio.create_task(beside)
            await asyncio.to_thread(given_up.wait)
        free.set()
        await waiting
        stuck.cancel()

    with capture_logs() as logs:
        asyncio.run(run())
    assert statuses == [end_deadline.STATUS]
    said = [str(each.get("at")) for each in logs]
    assert any(each.startswith("task stuck: ") and "waits_for_nothing" in each for each in said)
    assert any("stay_locked_out" in each for each in said)
    assert logs[-1]["event"] == "what was to end does not; this service ends"


@pytest.mark.parametrize("asked", [True, False])
def test_what_ends_in_time_ends_nothing_else(asked: bool) -> None:
    statuses: list[int] = []

    async def run() -> None:
        with ended_within(0.05, "leading", statuses.append) as is_to_end:
            if asked:
                is_to_end()

    asyncio.run(run())
    for each in threading.enumerate():
        if each.name == "end deadline":
            each.join()
    assert statuses == []
