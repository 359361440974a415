"""Host refusals: who hears of what hosts are refused? The operator."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cloudgate.api.http.token_gate import bearer_token
from cloudgate.errors import NotAuthenticatedError
from cloudgate.manager.audit.refusals import REFUSED_JOIN, REFUSED_SERVER, UNKNOWN_HOST
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol import authentication, enrolment
from cloudgate.manager.registries.unknown_hosts import RefusedPoll
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.servers.observed_addresses import usable
from cloudgate.protocol import SERVER_HEADER
from cloudgate.trust.token_hashes import token_hash

JOIN = "/v1/join"


class RefusalRecorder:
    """Has it on record that hosts were refused: each sender once a minute for each call."""

    def __init__(self, manager: Manager, address_of: Callable[[Request], str]) -> None:
        """`address_of` says from which IP address a request came."""
        self._manager = manager
        self._address_of = address_of

    async def record(self, request: Request, call: str, reason: str) -> bool:
        """A request was refused. Whether it is written down, and not only counted."""
        address, now = self._address_of(request), self._manager.clock()
        server_id = None if call == JOIN else await run_in_threadpool(self._sender, request)
        if server_id is not None:
            return await self._note_known(address, call, server_id, reason)
        if call != JOIN:
            self._note_knock(request, address, now)
        event = REFUSED_JOIN if call == JOIN else UNKNOWN_HOST
        if not self._manager.strangers.is_to_be_noted(event.operation, "", address, now, call):
            return False
        token = getattr(request.state, "join_token", "") if call == JOIN else None
        await run_in_threadpool(self._note_unknown, address, token, reason)
        return True

    def _note_knock(self, request: Request, address: str, now: datetime) -> None:
        """It may be a host that a database which was put back does not know any more."""
        try:
            known = token_hash(credential_of(request))
        except NotAuthenticatedError:
            return
        try:
            claimed = UUID(request.headers.get(SERVER_HEADER, ""))
        except ValueError:
            claimed = None
        self._manager.refused_polls.record(RefusedPoll(known, usable(address), claimed, now))

    async def record_fault(self, request: Request, call: str, server_id: UUID, reason: str) -> None:
        """The manager could not answer a host, by its own fault or that of what is kept."""
        await self._note_known(self._address_of(request), call, server_id, reason)

    async def _note_known(self, address: str, call: str, server_id: UUID, reason: str) -> bool:
        now = self._manager.clock()
        self._manager.hosts.refusals.record(server_id, now)
        if not self._manager.strangers.is_to_be_noted(
            REFUSED_SERVER.operation, str(server_id), "", now, call
        ):
            return False
        await run_in_threadpool(self._note_host, address, server_id, reason)
        return True

    def _sender(self, request: Request) -> UUID | None:
        """Who speaks, by the credential; None when it is nobody's."""
        try:
            credential = credential_of(request)
        except NotAuthenticatedError:
            return None
        with self._manager.reading() as work:
            server = authentication.owner_of(work, credential)
            return server.id if server else None

    def _note_host(self, address: str, server_id: UUID, reason: str) -> None:
        with self._manager.changing(address=address) as work:
            authentication.record_refusal(work, get_managed_server(work, server_id), reason)

    def _note_unknown(self, address: str, token: str | None, reason: str) -> None:
        with self._manager.changing(address=address) as work:
            if token is None:
                authentication.record_unknown_host(work, reason)
            else:
                enrolment.record_refused_join(work, token, reason)


def credential_of(request: Request) -> str:
    """What a host proves with who it is.

    Raises:
        NotAuthenticatedError: there is none.
    """
    credential = bearer_token(request.headers.get("authorization", ""))
    if not credential:
        raise NotAuthenticatedError("The header Authorization: Bearer is missing.")
    return credential
