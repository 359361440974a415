"""Tasks go long after their end, and one call shows only so many."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert, select

from cloudgate.manager.core.unit_of_work import SETTLED, Manager
from cloudgate.manager.jobs.scheduler import REMOVING_TASKS, Scheduler
from cloudgate.manager.storage.tables import Task
from cloudgate.manager.tasks import operations, retention
from cloudgate.manager.tasks.operations import list_tasks
from tests.support.running.manager import RunningManager

pytestmark = pytest.mark.both_databases

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def add_tasks(manager: Manager, *ended: datetime | None, hidden: bool = False) -> list[int]:
    """Tasks that ended then, or go on; their numbers."""
    with manager.changing() as work:
        known = set(work.session.scalars(select(Task.number)))
        rows: list[dict[str, Any]] = [
            {
                "operation": "EditCloudTenant",
                "created_at": (moment or work.now) - HOUR,
                "deadline_at": (moment or work.now) + 400 * DAY,
                "finished_at": moment,
                "success": None if moment is None else True,
                "hidden": hidden,
            }
            for moment in ended
        ]
        work.session.execute(insert(Task), rows)
        numbers = work.session.scalars(select(Task.number).order_by(Task.number)).all()
        return [each for each in numbers if each not in known]


def remove_old_ones(manager: Manager) -> set[int]:
    """Have the job do so; the numbers of those that are left."""
    jobs = Scheduler(manager, None, lambda: None).jobs()
    (job,) = [each for each in jobs if each.name == REMOVING_TASKS]
    assert job.first_after_seconds == SETTLED.total_seconds(), "the clock may be ahead at the start"
    attempt = job.attempt()
    assert attempt is not None
    assert not isinstance(attempt, int | float)

    async def wait() -> None:
        await attempt

    asyncio.run(wait())
    with manager.reading() as work:
        return set(work.session.scalars(select(Task.number)))


def test_tasks_go_90_days_after_their_end_and_never_while_they_go_on(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 2)
    now = running.manager.clock()
    old, kept = now - retention.KEPT - HOUR, now - retention.KEPT + HOUR
    add_tasks(running.manager, old, old, old, old, old)
    left = add_tasks(running.manager, kept, now, None)
    assert remove_old_ones(running.manager) == set(left)


def test_one_whose_record_was_removed_goes_a_day_after_its_end(running: RunningManager) -> None:
    now = running.manager.clock()
    add_tasks(running.manager, now - DAY - HOUR, hidden=True)
    left = add_tasks(running.manager, now - DAY + HOUR, None, hidden=True)
    left += add_tasks(running.manager, now - DAY - HOUR)
    assert remove_old_ones(running.manager) == set(left)


def test_the_newest_task_stays_as_the_next_is_numbered_after_it(running: RunningManager) -> None:
    *_, newest = add_tasks(running.manager, *[running.manager.clock() - 2 * retention.KEPT] * 3)
    assert remove_old_ones(running.manager) == {newest}


def test_a_clock_that_is_ahead_for_a_moment_removes_no_tasks(running: RunningManager) -> None:
    left = add_tasks(running.manager, running.manager.clock(), running.manager.clock())
    running.clock.stepped += 2 * retention.KEPT
    running.manager.hosts.listening.beat(running.manager.clock())
    assert remove_old_ones(running.manager) == set(left)


def test_a_list_of_tasks_has_the_newest_of_them_the_oldest_first(
    running: RunningManager, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "MOST_LISTED", 3)
    numbers = add_tasks(running.manager, *[running.manager.clock()] * 5)
    shown = client.get("/tasks").raise_for_status().json()["Tasks"]
    assert [each["TaskId"] for each in shown] == [f"task-{each}" for each in numbers[-3:]]
    found = client.get("/query?type=Task&pageSize=2&page=3&sortAsc=TaskId").raise_for_status()
    (last_page,) = found.json()["Resources"]["Tasks"]["Tasks"]
    assert last_page["TaskId"] == f"task-{numbers[-1]}", "queries have all of them"
    with running.manager.reading() as work:
        assert not {"steps", "audit"} & list_tasks(work)[0].__dict__.keys()
