"""Host cache: who speaks, and what is new for them? Looked up once for all after each change."""

import asyncio
import time
from uuid import UUID

from starlette.concurrency import run_in_threadpool

from cloudgate.api.host_protocol.directory_cache import DirectoryCache
from cloudgate.manager.backups.restored_state import note_more, shows_more
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol import authentication
from cloudgate.manager.host_protocol.authentication import HostAuthentication
from cloudgate.manager.host_protocol.host_snapshot import (
    SHOWN_IN_SNAPSHOT,
    HostEntry,
    HostSnapshot,
    host_snapshot,
)
from cloudgate.manager.host_protocol.tenant_feed import question_of
from cloudgate.manager.host_protocol.updates import Pending, pending
from cloudgate.protocol import PollRequest, Update

REST = 2.0
"""How many times as long as a look at all hosts took nobody looks again: while much changes, one
look is for more of those who ask."""


class HostCache:
    """Knows hosts by what they show, and remembers what they have to be told."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._looking: asyncio.Future[None] | None = None
        """A look at all hosts that is under way."""
        self._next_look = 0.0
        """Not before this moment of `time.monotonic`."""
        self._known: tuple[int, HostSnapshot] | None = None
        """As of which change the hosts were looked up, and what was found."""
        self._directory = DirectoryCache(manager)

    async def server_id_of(self, credential: str) -> UUID:
        """The managed server that proves itself so.

        Raises:
            NotAuthenticatedError: there is none.
        """
        listed = (await self._snapshot()).find(credential)
        if listed is not None:
            return listed.server_id
        return await run_in_threadpool(self._owner, credential)

    async def usual(self, credential: str, machine: str) -> HostEntry | None:
        """Who speaks, if nothing is unusual about it."""
        listed = (await self._snapshot()).find(credential)
        usual = listed is not None and listed.is_usual(machine, self._manager.clock())
        return listed if usual else None

    async def news(self, credential: str, message: PollRequest) -> Update | None:
        """What is new for a host; None for nothing."""
        current = await self._snapshot()
        listed = current.find(credential)
        if (
            listed is None
            or listed.assignment_revision != message.assignment_revision
            or listed.site_revision != message.site_revision
        ):
            found = await run_in_threadpool(self._read_pending, credential, message)
        else:
            known, newest = message.directory_revision, current.directory_revision
            question = question_of(listed.site_id, listed.scope, known, newest)
            found = Pending(listed.server_id, listed.scope, newest, question)
        directory = await self._directory.update(found)
        if found.assignment is None and found.site is None:
            return directory
        about = {"assignment": found.assignment, "site": found.site}
        return (directory or Update()).model_copy(update=about)

    def identify(
        self, credential: str, machine: str, *, may_renew: bool = False
    ) -> HostAuthentication:
        """Take note of who speaks. Blocks.

        Raises:
            NotAuthenticatedError: nobody knows them.
            InvalidRequestError: it is not the machine that the credential was given to.
            UnavailableError: whether it is that is known when the other has been silent for long.
        """
        with self._manager.reading() as work:
            server = authentication.authenticate(work, credential)
            if authentication.is_steady(work, server, credential, machine):
                work.hosts.presence.touch(server.id, work.now)
                return HostAuthentication(server)
        with self._manager.changing() as work:
            heard = authentication.authenticate_host(work, credential, machine, may_renew=may_renew)
        if heard.refusal is not None:
            raise heard.refusal
        return heard

    async def _snapshot(self) -> HostSnapshot:
        """The hosts as they were when it was asked, or later; looked up once for all who ask.

        What is changed while one waits is for those who come after: where a thousand hosts come
        back, each of whom changes something, they would else be looked up a thousand times.
        """
        changes = self._manager.changes.count
        if self._known is None or self._known[0] < changes:
            asked = self._manager.changes.newest_of(SHOWN_IN_SNAPSHOT)
            while self._known is None or self._known[0] < asked:
                # Not a lock: a thousand who wait are let go on at once, and not one by one.
                if self._looking is None:
                    self._looking = asyncio.ensure_future(self._look_anew())
                await asyncio.shield(self._looking)
            # What has changed since was something else: it need not be asked again.
            self._known = max(changes, self._known[0]), self._known[1]
        return self._known[1]

    async def _look_anew(self) -> None:
        try:
            await asyncio.sleep(self._next_look - time.monotonic())
            changes, began = self._manager.changes.count, time.monotonic()
            self._known = (changes, await run_in_threadpool(self._look_at_all))
            ended = time.monotonic()
            self._next_look = ended + REST * (ended - began)
            self._directory.clear()
        finally:
            self._looking = None

    def _look_at_all(self) -> HostSnapshot:
        with self._manager.reading() as work:
            return host_snapshot(work, self._known and self._known[1])

    def _owner(self, credential: str) -> UUID:
        with self._manager.reading() as work:
            return authentication.authenticate(work, credential).id

    def _read_pending(self, credential: str, message: PollRequest) -> Pending:
        with self._manager.reading() as work:
            server = authentication.authenticate(work, credential)
            knows_more = shows_more(work, message.directory_revision)
        if knows_more:
            with self._manager.changing() as work:
                note_more(work, message.directory_revision)
        with self._manager.reading() as work:
            server = authentication.authenticate(work, credential)
            if server.assignment_revision == message.assignment_revision:
                return pending(work, server, message)
        # An assignment may need a new certificate, which is kept.
        with self._manager.changing() as work:
            return pending(work, authentication.authenticate(work, credential), message)
