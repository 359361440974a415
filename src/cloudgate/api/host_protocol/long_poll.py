"""Long poll: what is a host told, and when? At once where there is news, else once it comes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class _Caller:
    """A host that polls."""

    server_id: UUID
    site_id: UUID
    seen_addresses: str
    new_credential: str | None = field(default=None, repr=False)
    """For it to use from now on."""


class LongPoll:
    """Answers polls; one without news is held for a while."""

    def __init__(self, manager: Manager, hosts: HostCache) -> None:
        self._manager = manager
        self._hosts = hosts

    async def answer(
        self,
        credential: str,
        message: PollRequest,
        address: str,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> Update:
        """What a host is told that has shown its credential, and speaks from an IP address.

        `is_gone` says whether it has hung up. That is not seen of each one that has gone: so what
        is told once is told to the newest poll alone.

        Raises:
            CloudgateError: it is told nothing; see `HostCache.identify`.
        """
        polls = self._manager.hosts.polls
        number = polls.next_number()
        deadline = asyncio.get_running_loop().time() + POLL_SECONDS
        caller = await self._identify(credential, message)
        keys = (caller.server_id, caller.site_id)
        polls.begin(caller.server_id, number)

        async def is_awaited() -> bool:
            return not await is_gone() and polls.is_newest(caller.server_id, number)

        await self._note_address(caller.server_id, caller.seen_addresses, address)
        while True:
            with self._manager.wakeups.subscribe(keys) as woken:
                found = await self._hosts.news(credential, message)
                if await is_awaited() and self._manager.faults.reconnect(keys[0]):
                    await run_in_threadpool(self._hosts.identify, credential, message.machine)
                more = self._query_members(keys[0]) if await is_awaited() else {}
                if caller.new_credential is not None:
                    more["credential"] = caller.new_credential
                if more:
                    found = (found or NOTHING).model_copy(update=more)
                if found is not None:
                    return self._traced(keys, found)
                if self._manager.hosts.clones.is_contested(keys[0], self._manager.clock()):
                    # A host that is there polls again at once; one that is not says nothing.
                    return NOTHING
                left = deadline - asyncio.get_running_loop().time()
                is_woken = not self._manager.wakeups.closed and await _happens(woken, left)
                # One that is not awaited ends only now: two machines that show the same credential
                # would else end each other's polls without a pause.
                if not is_woken or not await is_awaited():
                    return NOTHING

    async def _identify(self, credential: str, message: PollRequest) -> "_Caller":
        """Who polls.

        Raises:
            CloudgateError: see `HostCache.identify`.
        """
        listed = await self._hosts.usual(credential, message.machine)
        if listed is not None:
            self._manager.hosts.presence.touch(listed.server_id, self._manager.clock())
            return _Caller(listed.server_id, listed.site_id, listed.seen_addresses)
        heard = await run_in_threadpool(
            self._hosts.identify, credential, message.machine, may_renew=True
        )
        server = heard.server
        return _Caller(server.id, server.backup_server_id, server.seen_addresses, heard.credential)

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
