"""Known hosts: many who come at once are looked up once, and nobody is told what was before."""

import asyncio

import pytest

from cloudgate.api.host_protocol import known_hosts
from cloudgate.api.host_protocol.known_hosts import KnownHosts
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.host_protocol.host_snapshot import HostSnapshot, host_snapshot
from tests.support.manager import RunningManager

MANY = 50


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many changes there were at each look at all hosts."""
    found: list[int] = []

    def counted(work: UnitOfWork, before: HostSnapshot | None) -> HostSnapshot:
        found.append(work.directory_revision())
        return host_snapshot(work, before)

    monkeypatch.setattr(known_hosts, "host_snapshot", counted)
    return found


def test_many_hosts_each_of_which_changes_something_are_looked_up_a_few_times(
    running: RunningManager, looks: list[int]
) -> None:
    async def come(known: KnownHosts, manager: Manager) -> None:
        manager.changes.note()
        assert await known.usual("nobody's", "") is None

    async def all_of_them() -> None:
        known = KnownHosts(running.manager)
        await asyncio.gather(*(come(known, running.manager) for _ in range(MANY)))

    asyncio.run(all_of_them())
    assert 1 <= len(looks) <= 3


def test_what_was_changed_before_one_asks_is_looked_up_anew(
    running: RunningManager, looks: list[int]
) -> None:
    async def ask_again_and_again() -> None:
        known = KnownHosts(running.manager)
        for _ in range(3):
            running.manager.changes.note()
            before = len(looks)
            await known.usual("nobody's", "")
            assert len(looks) == before + 1

    asyncio.run(ask_again_and_again())
