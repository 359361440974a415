"""Directory cache: what are hosts told of the tenants? Looked up once for all that are alike.

A host that was stolen may ask for whatever it likes, as often as it likes: what is kept and what is
looked up for it has bounds, and the others have their turn.
"""

import asyncio
from dataclasses import replace
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from cloudgate.api.connections.fair_queue import FairQueue, Waiter
from cloudgate.api.connections.fair_semaphore import FairSemaphore
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol.tenant_feed import (
    DirectoryQuery,
    TenantFeed,
    look_up,
    question_as_known,
)
from cloudgate.manager.host_protocol.updates import Pending
from cloudgate.manager.servers.tenant_scope import Scope
from cloudgate.protocol import Update

MOST_KEPT = 8
"""For hosts that are alike. Nearly all of them know the same revision, and those that come none."""
LOOKS_AT_ONCE = 4
AGAIN_SECONDS = 1.0
"""Who was told of the tenants, and shows that it does not know it, is told again so much later."""

_Key = tuple[int, int]
"""Which revision is known, and which one is told."""


class DirectoryCache:
    """Remembers what hosts have to be told of tenants. Used on the event loop only."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        # Whatever one host asks for, the others have every second turn.
        self._turns = FairSemaphore(LOOKS_AT_ONCE, FairQueue())
        self._checks: dict[DirectoryQuery, asyncio.Future[DirectoryQuery]] = {}
        """Of questions about which it is being seen whether there was such a revision."""
        self._kept: dict[DirectoryQuery, dict[_Key, asyncio.Future[_DirectoryNews]]] = {}
        """By what hosts are alike in, that is the question of those that know nothing."""
        self._told: dict[UUID, tuple[int, float]] = {}
        """Which revision each host was told last, and when."""

    def clear(self) -> None:
        """Something was changed: what is told from here on has another revision."""
        self._kept.clear()
        now = asyncio.get_running_loop().time()
        self._told = {
            who: told for who, told in self._told.items() if now - told[1] < AGAIN_SECONDS
        }

    async def update(self, about: Pending) -> Update | None:
        """What is new of the tenants for a host; None for nothing."""
        if about.question is None:
            return None
        await self._pause(about)
        known = await self._as_known(about.question)
        news = await self._news(about.server_id, known, about.directory_revision)
        told_at = asyncio.get_running_loop().time()
        self._told[about.server_id] = about.directory_revision, told_at
        return news.for_host(about.scope)

    async def _pause(self, about: Pending) -> None:
        """All polls of a host that come meanwhile wait until the same moment: none is put off."""
        revision, told_at = self._told.get(about.server_id, (-1, 0.0))
        if revision == about.directory_revision:
            await asyncio.sleep(told_at + AGAIN_SECONDS - asyncio.get_running_loop().time())

    async def _as_known(self, question: DirectoryQuery) -> DirectoryQuery:
        """The question with a revision that there was: else each made-up one had its own answer."""
        is_kept = any(known == question.known_revision for known, _ in self._of_alike(question))
        if is_kept or not question.known_revision:
            return question
        checking = self._checks.get(question)
        if checking is None:
            checking = asyncio.ensure_future(run_in_threadpool(self._check, question))
            self._checks[question] = checking
            checking.add_done_callback(lambda _: self._checks.pop(question))
        return await asyncio.shield(checking)

    def _of_alike(self, question: DirectoryQuery) -> "dict[_Key, asyncio.Future[_DirectoryNews]]":
        return self._kept.setdefault(replace(question, known_revision=0), {})

    async def _news(
        self, server_id: UUID, question: DirectoryQuery, as_of: int
    ) -> "_DirectoryNews":
        kept, key = self._of_alike(question), (question.known_revision, as_of)
        found = kept.get(key)
        if found is None or (found.done() and found.exception() is not None):
            kept.pop(key, None)
            while len(kept) >= MOST_KEPT:
                del kept[next(iter(kept))]
            found = asyncio.ensure_future(self._look(Waiter(str(server_id)), question, as_of))
            kept[key] = found
        return found.result() if found.done() else await asyncio.shield(found)

    async def _look(self, waiter: Waiter, question: DirectoryQuery, as_of: int) -> "_DirectoryNews":
        async with self._turns.held(waiter):
            return await run_in_threadpool(self._look_up, question, as_of)

    def _look_up(self, question: DirectoryQuery, as_of: int) -> "_DirectoryNews":
        with self._manager.reading() as work:
            return _DirectoryNews(look_up(work, question, as_of))

    def _check(self, question: DirectoryQuery) -> DirectoryQuery:
        with self._manager.reading() as work:
            return question_as_known(work, question)


class _DirectoryNews:
    """What hosts that are alike are told of the tenants: one update for nearly all of them."""

    def __init__(self, feed: TenantFeed) -> None:
        self._feed = feed
        self._same_for_all = Update(directory=feed.same_for_all)

    def for_host(self, scope: Scope) -> Update:
        """What one of them is told."""
        change = self._feed.for_host(scope)
        is_same = change is self._feed.same_for_all
        return self._same_for_all if is_same else Update(directory=change)
