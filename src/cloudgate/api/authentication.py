"""Request authentication: who is asking, by the session or API token that a request shows?"""

from uuid import UUID

from sqlalchemy.exc import DatabaseError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cloudgate.api.handlers.sessions import session_id_of
from cloudgate.api.http.response_cache import ResponseCache
from cloudgate.api.http.token_gate import TokenGate, bearer_token
from cloudgate.api.request_origins import RequestOrigins
from cloudgate.api.rights import refusals_of
from cloudgate.console.section import Refusal
from cloudgate.errors import CloudgateError, NotAuthenticatedError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.portal import sessions as portal_sessions
from cloudgate.manager.portal.sessions import Visitor
from cloudgate.manager.sessions.operations import use_session
from cloudgate.manager.storage.tables import LogonSession
from cloudgate.network.api_headers import SESSION_ID


class RequestAuthentication:
    """Tells whose request it is."""

    def __init__(
        self,
        manager: Manager,
        origins: RequestOrigins,
        tokens: TokenGate,
        response_cache: ResponseCache,
    ) -> None:
        """`response_cache` keeps sessions that are known to be there, while nothing changes."""
        self._manager = manager
        self._origins = origins
        self._tokens = tokens
        self._response_cache = response_cache

    async def logon(self, request: Request) -> LogonSession | Visitor:
        """The session of a request. The cookie wins over the header, as in the original.

        A token stands for one where there is none. A session of a tenant is looked at anew each
        time: what takes its right away holds at once.
        """
        token = session_token(request)
        if not token and (secret := bearer_token(request.headers.get("authorization", ""))):
            return await self._tokens.session(
                request, secret, lambda: self._origins.address_of(request)
            )
        if not token:
            raise NotAuthenticatedError(
                f"The header {SESSION_ID} is missing. Log on with POST /api/sessionMngr/?v=latest,"
                " or show an API token as Authorization: Bearer."
            )
        return await self._session_of(request, token)

    async def _session_of(self, request: Request, token: str) -> LogonSession | Visitor:
        identifier = session_id_of(token)
        known = self._response_cache.session(identifier, self._manager.clock())
        if known is not None:
            return known
        changes = self._response_cache.changes
        address = self._origins.address_of(request)
        session = await run_in_threadpool(_session, self._manager, identifier, address)
        if not isinstance(session, Visitor):
            self._response_cache.keep_session(session, changes)
        return session

    async def refusals(self, request: Request, token: str) -> Refusal | None:
        """What the session of a token would be told of each call; None where it has ended."""
        try:
            self._manager.check_sure()
            return refusals_of(await self._session_of(request, token))
        except (CloudgateError, DatabaseError):  # which each call is told in its turn
            return None


def session_token(request: Request) -> str:
    """The id of a logon session that a request shows; empty where it shows none."""
    return request.cookies.get(SESSION_ID) or request.headers.get(SESSION_ID) or ""


def _session(manager: Manager, identifier: UUID, address: str) -> LogonSession | Visitor:
    """The session of that id: an account's, or a tenant's.

    Raises:
        NotAuthenticatedError: there is none, or it has ended.
    """
    try:
        return use_session(manager, identifier)
    except NotAuthenticatedError:
        return portal_sessions.use(manager, identifier, address)
