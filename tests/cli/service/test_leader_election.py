"""A manager leads and stands by in turn: what if another one leads before it has begun?"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cloudgate.cli.service.manager.leader_election import run_elected
from cloudgate.errors import UnavailableError
from cloudgate.manager.lease import MARK, Lease
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.marks import put_mark, read_mark
from tests.support.programs.postgres import needs_postgresql, shared_server

pytestmark = needs_postgresql
LONG_AGO = "2020-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def url() -> str:
    return shared_server().new_database()


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    """A role in which nothing is done."""
    yield


def test_who_is_followed_before_it_has_begun_to_lead_stands_by(url: str) -> None:
    mine, others = Database(url), Database(url, as_it_is=True)
    lease, other = Lease(mine, "one"), Lease(others, "other")
    stop, roles = asyncio.Event(), list[str]()

    def begin() -> None:
        # It stood still here, for so long that another one leads.
        with others.beside() as session, session.begin():
            known = json.loads(read_mark(session, MARK) or "")
            put_mark(session, MARK, json.dumps(known | {"given_back": True, "until": LONG_AGO}))
        other.take()
        with mine.writing() as session, session.begin():
            put_mark(session, "changed", "by who does not lead")

    @asynccontextmanager
    async def lead() -> AsyncIterator[None]:
        roles.append("leads")
        await asyncio.to_thread(begin)
        yield

    @asynccontextmanager
    async def stand_by() -> AsyncIterator[None]:
        roles.append("stands by")
        stop.set()
        yield

    asyncio.run(asyncio.wait_for(run_elected(lease, stop, lead=lead, stand_by=stand_by), 60))
    assert roles == ["leads", "stands by"]
    other.give_back()
    for each in (mine, others):
        each.close()


def test_who_cannot_lead_though_nobody_else_does_says_so_and_ends(url: str) -> None:
    database = Database(url)

    @asynccontextmanager
    async def lead() -> AsyncIterator[None]:
        raise UnavailableError("made by a newer release")
        yield

    lease = Lease(database, "one")
    with pytest.raises(UnavailableError, match="newer release"):
        asyncio.run(
            asyncio.wait_for(run_elected(lease, asyncio.Event(), lead=lead, stand_by=nothing), 60)
        )
    database.close()
