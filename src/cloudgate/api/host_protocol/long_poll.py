"""Long poll: what is a host told, and when? At once where there is news, else once it comes."""

import asyncio
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from cloudgate.api.host_protocol.host_cache import HostCache
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol import report_handling
from cloudgate.manager.servers import observed_addresses
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.protocol import POLL_SECONDS, PollRequest, Update

NOTHING = Update()
"""What a host is told whose poll was held in vain."""


class LongPoll:
    """Answers polls; one without news is held for a while."""

    def __init__(self, manager: Manager, hosts: HostCache) -> None:
        self._manager = manager
        self._hosts = hosts

    async def answer(self, credential: str, message: PollRequest, address: str) -> Update:
        """What a host is told that has shown its credential, and speaks from an IP address.

        Raises:
            CloudgateError: it is told nothing; see `HostCache.identify`.
        """
        deadline = asyncio.get_running_loop().time() + POLL_SECONDS
        listed = await self._hosts.usual(credential, message.machine)
        heard = None
        if listed is None:
            heard = await run_in_threadpool(
                self._hosts.identify, credential, message.machine, may_renew=True
            )
            keys = (heard.server.id, heard.server.backup_server_id)
            seen = heard.server.seen_addresses
        else:
            seen = listed.seen_addresses
            keys = (listed.server_id, listed.site_id)
            self._manager.hosts.presence.touch(listed.server_id, self._manager.clock())
        await self._note_address(keys[0], seen, address)
        while True:
            with self._manager.wakeups.subscribe(keys) as woken:
                found = await self._hosts.news(credential, message)
                if self._manager.faults.reconnect(keys[0]):
                    await run_in_threadpool(self._hosts.identify, credential, message.machine)
                more = self._query_members(keys[0])
                if heard is not None and heard.credential is not None:
                    more["credential"] = heard.credential
                if more:
                    found = (found or NOTHING).model_copy(update=more)
                if found is not None:
                    return self._traced(keys, found)
                if self._manager.hosts.clones.is_contested(keys[0], self._manager.clock()):
                    # A host that is there polls again at once; one that is not says nothing.
                    return NOTHING
                left = deadline - asyncio.get_running_loop().time()
                if self._manager.wakeups.closed or not await _happens(woken, left):
                    return NOTHING

    def _query_members(self, server_id: UUID) -> dict[str, object]:
        """What a host is asked, as members of an update."""
        found: dict[str, object] = {}
        question = self._manager.host_queries.next(server_id)
        if question is not None:
            found["question"] = question
        if self._manager.slot_tokens.takes_back(server_id):
            found["demand"] = True
        return found

    def _traced(self, keys: tuple[UUID, UUID], update: Update) -> Update:
        """What a host is told, with the requests that it is for; their timelines have it."""
        return self._manager.timelines.with_traces(*keys, update, self._manager.clock())

    async def _note_address(self, server_id: UUID, seen: str, shown: str) -> None:
        """Keep from where a host speaks, should that be new."""
        address, now = observed_addresses.usable(shown), self._manager.clock()
        heard = self._manager.hosts.addresses.record(server_id, address, now)
        now_seen = observed_addresses.after(seen, address, heard, now)
        if now_seen == seen:
            return

        def note() -> None:
            with self._manager.changing() as work:
                report_handling.note_addresses(work, get_managed_server(work, server_id), now_seen)

        await run_in_threadpool(note)


async def _happens(event: asyncio.Event, within_seconds: float) -> bool:
    try:
        async with asyncio.timeout(max(within_seconds, 0)):
            await event.wait()
    except TimeoutError:
        return False
    return True
