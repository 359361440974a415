"""Monitoring endpoint: what does the API's port show of health and figures, and to whom?

Load balancers and orchestrators have no session: whether the manager lives and is ready is told to
everybody, in one word. All else is for those who may see it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from cloudgate.api.access import PROVIDERS
from cloudgate.api.connections.acceptor import prove
from cloudgate.api.metrics_tokens import MetricsTokens
from cloudgate.errors import CloudgateError
from cloudgate.manager.portal.sessions import Visitor
from cloudgate.manager.sessions.administration import roles_of
from cloudgate.manager.sessions.second_factor import owes_one
from cloudgate.manager.sessions.tokens import watches
from cloudgate.manager.storage.tables import LogonSession
from cloudgate.monitoring.endpoint import LIVE, METRICS, READY, Monitoring

WATCHED = (LIVE, READY, METRICS)
"""First parts of the paths."""
WATCHERS = PROVIDERS
"""The roles that see all of it."""


@dataclass(frozen=True)
class MonitoringTarget:
    """What there is to see, and who may see it without a session."""

    monitoring: Monitoring
    tokens: MetricsTokens | None = None


class MonitoringEndpoint:
    """Answers who watches, on a port that strangers reach."""

    def __init__(
        self, watched: MonitoringTarget, may_watch: Callable[[Request], Awaitable[bool]]
    ) -> None:
        """`may_watch` says whether a session may; it raises CloudgateError where there is none."""
        self._monitoring = watched.monitoring
        self._tokens = watched.tokens
        self._may_watch = may_watch

    async def respond(self, request: Request, path: str) -> Response:
        """The answer to one request."""
        if request.method not in ("GET", "HEAD"):
            return _plain("Only GET and HEAD are allowed here.", 405, Allow="GET, HEAD")
        wants_all = "verbose" in request.url.query.lower()
        is_for_all = path in (LIVE, READY)
        sees_all = False
        if wants_all or not is_for_all:
            try:
                sees_all = self._has_token(request) or await self._may_watch(request)
            except CloudgateError as problem:
                if not is_for_all:
                    return _plain(problem.message, 401, **{"WWW-Authenticate": "Bearer"})
            except SQLAlchemyError:
                # Who asks cannot be known, which is no reason not to say that all is not well.
                if not is_for_all:
                    return _plain("The database cannot be used right now.", 503)
        if not (sees_all or is_for_all):
            return _plain("Access denied", 403)
        headers = {name.lower(): value for name, value in request.headers.items()}
        said = await self._monitoring.answer(path, headers, verbose=wants_all and sees_all)
        if said is None:
            return _plain("There is nothing here.", 404)
        return Response(
            said.body,
            said.status,
            {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **said.headers},
            said.media_type,
        )

    def _has_token(self, request: Request) -> bool:
        shown = request.headers.get("authorization", "")
        if self._tokens is None or not self._tokens.has(shown):
            return False
        prove(request.state)
        return True


def may_see_all(logon: LogonSession | Visitor) -> bool:
    """Whether who has logged on may see all that there is to see of the manager's health. Pure."""
    if isinstance(logon, Visitor):
        return False
    if watches(logon):
        return True
    if owes_one(logon):
        return False
    return logon.tenant_id is None and not roles_of(logon.account).isdisjoint(WATCHERS)


def _plain(text: str, status: int, **headers: str) -> Response:
    return Response(
        f"{text}\n", status, {"Cache-Control": "no-store", **headers}, media_type="text/plain"
    )
