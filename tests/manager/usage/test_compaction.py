"""Old usage is in one row for each stretch, with thousands who are active at once, too."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.jobs.scheduler import COMPACTING, Scheduler
from cloudgate.manager.storage.tables import BackupServer, CloudTenant, HeldBackTime, Usage
from cloudgate.manager.usage import compaction
from cloudgate.manager.usage.compaction import DAY, HOUR, MINUTE
from tests.support.running.manager import RunningManager

pytestmark = pytest.mark.both_databases

AT_ONCE = 7
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
LATELY, LONG_AGO = TODAY - timedelta(days=5), TODAY - timedelta(days=200)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_AT_ONCE", AT_ONCE)


def row(at: datetime, tenant: int, minutes: int = MINUTE, **more: Any) -> dict[str, Any]:
    alike = {
        "tenant_id": UUID(int=tenant),
        "subtenant_id": None,
        "managed_server_id": UUID(int=0),
        "gateway_name": "gw1",
        "target": "vault.example:8443",
    }
    return {"at": at, "minutes": minutes, "tunnels": 1, "bytes_up": 5, "bytes_down": 2**40} | (
        alike | more
    )


def add(work: UnitOfWork, rows: Iterable[dict[str, Any]]) -> None:
    work.session.execute(insert(Usage), list(rows))


def alike(work: UnitOfWork) -> Counter[tuple[Any, ...]]:
    """How many rows there are of what is alike and of one stretch."""
    return Counter(
        (each.minutes, each.at, each.tenant_id, each.subtenant_id, each.gateway_name)
        for each in work.session.execute(select(Usage.__table__))
    )


def used(work: UnitOfWork) -> Counter[tuple[Any, ...]]:
    """What each used in all, and when by the day."""
    found: Counter[tuple[Any, ...]] = Counter()
    for each in work.session.execute(select(Usage.__table__)):
        whose = (each.at.date(), each.tenant_id, each.subtenant_id, each.gateway_name)
        found[*whose, "tunnels"] += each.tunnels
        found[*whose, "up"] += each.bytes_up
        found[*whose, "down"] += each.bytes_down
    return found


def compact(work: UnitOfWork) -> int:
    """Do all that is to be done; in how many turns."""
    before, turns = used(work), 1
    while compaction.compact_usage(work):
        assert used(work) == before, "also if it ends here"
        turns += 1
    for kind in compaction.ALL:
        place: compaction.Place | None = compaction.START
        while place is not None:
            found, place = compaction.find_alike(work, kind, place)
            compaction.merge_alike(work, kind, found)
            assert used(work) == before, "also if it ends here"
    return turns


def test_of_more_than_one_turn_takes_there_is_one_row_for_each_hour_and_day(
    running: RunningManager,
) -> None:
    tenants = range(3 * AT_ONCE)
    with running.rolled_back() as work:
        for begin in (LATELY, LONG_AGO):
            minutes = [begin + timedelta(minutes=n) for n in (0, 1, 59, 60)]
            add(work, (row(minute, tenant) for minute in minutes for tenant in tenants))
        before = used(work)
        turns = compact(work)
        assert turns < len(tenants) * 8 / AT_ONCE * 2, "of each hour whole tenants at once"
        assert used(work) == before
        expected = {(HOUR, LATELY), (HOUR, LATELY + timedelta(hours=1)), (DAY, LONG_AGO)}
        assert {each[:2] for each in alike(work)} == expected
        assert set(alike(work).values()) == {1}
        assert len(alike(work)) == 3 * len(tenants)


def test_a_tenant_that_has_more_in_an_hour_than_one_turn_takes_keeps_no_turn_from_an_end(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        users = [UUID(int=100 + n) for n in range(2 * AT_ONCE)]
        minutes = [LATELY + timedelta(minutes=n) for n in range(2)]
        add(work, (row(each, 1, subtenant_id=user) for each in minutes for user in users))
        compact(work)
        assert set(alike(work).values()) == {1}
        assert {each[:2] for each in alike(work)} == {(HOUR, LATELY)}
        assert len(alike(work)) == len(users)


def test_what_is_told_late_is_added_to_the_hour_and_the_day_that_there_are(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        for _ in range(3):
            add(work, [row(LATELY + timedelta(minutes=3), 1), row(LONG_AGO, 1)])
            compact(work)
        found = work.session.execute(select(Usage.at, Usage.minutes, Usage.tunnels))
        assert {tuple(each) for each in found} == {(LATELY, HOUR, 3), (LONG_AGO, DAY, 3)}


def test_days_in_many_rows_as_older_releases_left_them_become_one(running: RunningManager) -> None:
    with running.manager.changing() as work:
        days = [row(LONG_AGO, tenant, DAY) for _ in range(2 * AT_ONCE) for tenant in range(3)]
        hours = [row(LATELY, tenant, HOUR) for _ in range(2) for tenant in range(AT_ONCE)]
        other = row(LONG_AGO, 1, DAY, gateway_name="gw2")
        add(work, [*days, *hours, other])
        before = used(work)
    (job,) = [
        each
        for each in Scheduler(running.manager, None, lambda: None).jobs()
        if each.name == COMPACTING
    ]

    async def wait() -> None:
        await job.attempt()  # type: ignore[misc]

    asyncio.run(wait())
    with running.manager.reading() as work:
        assert set(alike(work).values()) == {1}
        assert len(alike(work)) == 3 + AT_ONCE + 1
        assert used(work) == before


def test_times_in_which_tenants_were_held_back_are_put_together_as_well(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        site = work.session.scalars(select(BackupServer.id)).first()
        tenants = [UUID(int=n) for n in range(2 * AT_ONCE)]
        row_of: dict[str, Any] = {
            "backup_server_id": site,
            "directory_revision": 1,
            "target_ends": {},
        }
        named = [{"id": each, "name": str(each), "login": str(each), **row_of} for each in tenants]
        work.session.execute(insert(CloudTenant), named)
        seconds = {"minutes": HOUR, "limit_seconds": 3, "share_seconds": 4}
        hours = [LONG_AGO + timedelta(hours=n) for n in range(5)]
        rows = [{"at": at, "tenant_id": each, **seconds} for at in hours for each in tenants]
        work.session.execute(insert(HeldBackTime), rows)
        compact(work)
        found = work.session.scalars(select(HeldBackTime)).all()
        assert {(each.at, each.minutes) for each in found} == {(LONG_AGO, DAY)}
        assert {(each.limit_seconds, each.share_seconds) for each in found} == {(15, 20)}
        assert sorted(each.tenant_id for each in found) == tenants


STRETCH = st.sampled_from([(MINUTE, 1), (MINUTE, 59), (HOUR, 60), (HOUR, 120), (DAY, DAY)])
SOMEBODY = st.tuples(st.integers(1, 3), st.sampled_from([None, UUID(int=9)]))


def test_whatever_there_is_nothing_is_lost_and_each_stretch_has_one_row(
    running: RunningManager,
) -> None:
    @given(st.lists(st.tuples(STRETCH, SOMEBODY, st.integers(0, 3), st.booleans()), max_size=60))
    @example([((MINUTE, 1), (1, None), 0, True)] * (3 * AT_ONCE))
    @example([((DAY, DAY), (1, None), 0, True)] * (3 * AT_ONCE))
    def holds(drawn: list[tuple[tuple[int, int], tuple[int, UUID | None], int, bool]]) -> None:
        with running.rolled_back() as work:
            rows = [
                row(
                    (LATELY if is_late and minutes < DAY else LONG_AGO)
                    + timedelta(minutes=of_hour * minutes)
                    + timedelta(minutes=offset if minutes == MINUTE else 0),
                    tenant,
                    minutes,
                    subtenant_id=user,
                )
                for (minutes, offset), (tenant, user), of_hour, is_late in drawn
            ]
            if rows:
                add(work, rows)
            compact(work)
            assert not [each for each, count in alike(work).items() if count > 1]
            assert {each[:2] for each in alike(work) if each[0] == MINUTE} == set()

    holds()
