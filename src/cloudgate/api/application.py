"""ASGI application: which part answers a request?"""

import re
import time
from collections.abc import Callable

from starlette.datastructures import State
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cloudgate import trace_context
from cloudgate.api.authentication import RequestAuthentication
from cloudgate.api.connections.acceptor import prove
from cloudgate.api.host_protocol.application import HostProtocol
from cloudgate.api.http.login_gate import LoginGate
from cloudgate.api.http.proxies import Network
from cloudgate.api.http.repeated_requests import RepeatedRequests
from cloudgate.api.http.request_meter import RequestMeter, note_at_once, note_route
from cloudgate.api.http.response_cache import ResponseCache
from cloudgate.api.http.token_gate import TokenGate
from cloudgate.api.monitoring_endpoint import (
    WATCHED,
    MonitoringEndpoint,
    MonitoringTarget,
    may_see_all,
)
from cloudgate.api.request_origins import RequestOrigins
from cloudgate.api.rest_api import RestApi, refusal
from cloudgate.console.application import Console
from cloudgate.console.brand import Brand
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.reachability_probe import Prober, dial

_CHALLENGE = re.compile(r"/acme-challenge/([A-Za-z0-9_-]+)")
_FIRST_SEGMENT = re.compile(r"/+([^/]*)(.*)", re.DOTALL)


class Application:
    """The ASGI application: REST API under /api, host protocol under /host, pages beside them."""

    def __init__(
        self,
        manager: Manager,
        after_change: Callable[[], None],
        trusted_proxies: tuple[Network, ...] = (),
        prober: Prober = dial,
        watched: MonitoringTarget | None = None,
        *,
        brand: Brand | None = None,
    ) -> None:
        """`after_change` is called on the event loop after each request that may change things."""
        self._manager = manager
        self._after_change = after_change
        self._origins = RequestOrigins(trusted_proxies)
        self._login_gate = LoginGate()
        response_cache = ResponseCache(manager)
        tokens = TokenGate(manager, self._login_gate)
        self._authentication = RequestAuthentication(manager, self._origins, tokens, response_cache)
        self._repeated = RepeatedRequests(response_cache, tokens.acts_still)
        self._api = RestApi(
            manager,
            self._origins,
            self._authentication,
            login_gate=self._login_gate,
            response_cache=response_cache,
            repeated=self._repeated,
        )
        self._console = Console(self, manager.clock, brand, self._authentication.refusals)
        self._monitoring = MonitoringEndpoint(watched, self._may_watch) if watched else None
        self._hosts = HostProtocol(
            manager, after_change, prober, self._origins.address_of, self._login_gate
        )

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._console.stop()
        self._login_gate.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        response = self._repeated_answer(scope)
        if response is not None:
            await response(scope, receive, send)
            return
        request = Request(scope, receive)
        named = request.headers.getlist(trace_context.HEADER)
        with (
            trace_context.following(trace_context.begin(named, self._manager.clock())),
            RequestMeter(self._manager.recorder, request) as meter,
        ):
            try:
                response = await self._respond(request)
            except ClientDisconnect:
                return
            meter.status = response.status_code
        await response(scope, receive, send)

    def _repeated_answer(self, scope: Scope) -> Response | None:
        """The answer to what was asked in the same bytes before, if it is known to be true."""
        began = time.perf_counter()
        is_sure = self._manager.is_sure
        found = self._repeated.answer(scope, self._manager.clock()) if is_sure else None
        if found is None:
            return None
        response, meaning = found
        prove(State(scope.get("state")))
        took_seconds = time.perf_counter() - began
        note_at_once(self._manager.recorder, meaning.route, response.status_code, took_seconds)
        return response

    async def _respond(self, request: Request) -> Response:
        try:
            first, rest = self._path(request)
        except InvalidRequestError as problem:
            return refusal(problem, request.headers.get("accept"))
        return await self._respond_at(request, first, rest)

    async def _respond_at(self, request: Request, first: str, rest: str) -> Response:
        if first == ".well-known":
            note_route(request, "/.well-known")
            return self._challenge(request, rest)
        if self._monitoring is not None and first in WATCHED:
            note_route(request, f"/{first}")
            return await self._monitoring.respond(request, f"{first}{rest}".strip("/").lower())
        if first == "host":
            return await self._hosts.respond(request, rest)
        if self._console.is_one(first):
            note_route(request, f"/{first}")
            return await self._console.respond(request, first, rest)
        if not first and (shown := self._console.way_in(request)) is not None:
            note_route(request, "/")
            return shown
        response = await self._api.respond(request, first, rest)
        if request.method not in ("GET", "HEAD"):
            self._after_change()
        return response

    async def _may_watch(self, request: Request) -> bool:
        """Whether who asks may see all that there is to see of the manager's health.

        Raises:
            CloudgateError: there is a session, which has ended; or none, where one is needed.
        """
        logon = await self._authentication.logon(request)
        prove(request.state)
        return may_see_all(logon)

    def _path(self, request: Request) -> tuple[str, str]:
        """The first part of the path in lower case, and the rest.

        A prefix that a proxy says to have taken away may still be there: it was named all the same.

        Raises:
            InvalidRequestError: proxies and their client contradict each other.
        """
        path = request.scope["path"]
        prefix = self._origins.prefix_of(request)
        if prefix and path.startswith(f"{prefix}/"):
            path = path.removeprefix(prefix)
        match = _FIRST_SEGMENT.fullmatch(path)
        return (match[1].lower(), match[2]) if match else ("", "")

    def _challenge(self, request: Request, rest: str) -> Response:
        """What an ACME server comes for: RFC 8555, 8.3. Nothing that anybody else could use."""
        found = _CHALLENGE.fullmatch(rest)
        text = self._manager.challenges.answer(found[1]) if found else None
        if text is None or request.method not in ("GET", "HEAD"):
            return Response("There is nothing here.\n", 404, media_type="text/plain")
        return Response(text, media_type="application/octet-stream")
