"""ASGI application: how does a request become a call, and an answer bytes?"""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import DatabaseError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cloudgate import trace_context
from cloudgate.api import access, standing
from cloudgate.api.connections.acceptor import prove
from cloudgate.api.handlers.sessions import (
    LONGEST_CODE,
    note_denied,
    session_id_of,
)
from cloudgate.api.host_protocol.application import HostProtocol
from cloudgate.api.http import bodies
from cloudgate.api.http.bodies import LongAnswer
from cloudgate.api.http.call import Answer, Call, parameters
from cloudgate.api.http.cross_site import SAFE, is_foreign, is_form
from cloudgate.api.http.entity_tags import HEADER as ETAG
from cloudgate.api.http.entity_tags import precondition, tag
from cloudgate.api.http.failures import NoSuchVerbError, error_response
from cloudgate.api.http.login_gate import LoginGate
from cloudgate.api.http.negotiation import (
    Form,
    UnsupportedFormError,
    answer_form,
)
from cloudgate.api.http.proxies import Network, Origin, is_host, origin, own_host
from cloudgate.api.http.repeated_requests import Meaning, RepeatedRequests
from cloudgate.api.http.request_meter import RequestMeter, note_at_once, note_route
from cloudgate.api.http.response_cache import ResponseCache
from cloudgate.api.http.router import Match, Proof, Route, choose
from cloudgate.api.http.token_gate import TokenGate, bearer_token
from cloudgate.api.monitoring_endpoint import (
    WATCHED,
    WATCHERS,
    MonitoringEndpoint,
    MonitoringTarget,
)
from cloudgate.api.rights import refusals_of
from cloudgate.api.table import router
from cloudgate.console.application import Console
from cloudgate.console.brand import Brand
from cloudgate.console.section import Refusal
from cloudgate.errors import (
    AccessDeniedError,
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
)
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.reachability_probe import Prober, dial
from cloudgate.manager.portal import sessions as portal_sessions
from cloudgate.manager.portal.sessions import Visitor
from cloudgate.manager.sessions.administration import roles_of
from cloudgate.manager.sessions.operations import use_session
from cloudgate.manager.sessions.second_factor import owes_one
from cloudgate.manager.sessions.tokens import watches
from cloudgate.manager.storage.tables import LogonSession
from cloudgate.network.api_headers import CODE, SESSION_ID
from cloudgate.values import ip_addresses
from cloudgate.wire import json, xml
from cloudgate.wire.description import ResourceType

log = structlog.get_logger(__name__)

API = "api"
BODY_LIMIT_BYTES = 1024 * 1024
STRANGERS_BODY_LIMIT_BYTES = 16 * 1024
"""Of a call that needs no session: nobody has proved anything yet."""
_BROWSERS_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What browsers and proxies between are told of every answer: not to keep, guess or frame it."""
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
        self._trusted_proxies = trusted_proxies
        self._after_change = after_change
        self._router = router()
        self._login_gate = LoginGate()
        self._response_cache = ResponseCache(manager)
        self._tokens = TokenGate(manager, self._login_gate)
        self._repeated = RepeatedRequests(self._response_cache, self._tokens.acts_still)
        self._console = Console(self, manager.clock, brand, self._refusals)
        self._monitoring = MonitoringEndpoint(watched, self._may_watch) if watched else None
        self._hosts = HostProtocol(
            manager,
            after_change,
            prober,
            lambda request: self._origin(request).address,
            self._login_gate,
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
            form = answer_form(request.headers.get("accept"))
            return _response(error_response(problem, at_logon=False), form)
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
        at_logon = rest.strip("/").lower() == "sessionmngr"
        form = answer_form(request.headers.get("accept"))
        try:
            response = await self._answer(request, first, rest, form)
        except ClientDisconnect:
            raise
        except Exception as problem:  # noqa: BLE001  every failure is the API's Error
            response = _response(error_response(problem, at_logon=at_logon), form)
        for name, value in _BROWSERS_HEADERS.items():
            response.headers.setdefault(name, value)
        if request.method not in ("GET", "HEAD"):
            self._after_change()
        return response

    async def _refusals(self, request: Request, token: str) -> Refusal | None:
        """What the session of a token would be told of each call; None where it has ended."""
        try:
            self._manager.check_sure()
            return refusals_of(await self._session_of(request, token))
        except (CloudgateError, DatabaseError):  # which each call is told in its turn
            return None

    async def _may_watch(self, request: Request) -> bool:
        """Whether who asks may see all that there is to see of the manager's health.

        Raises:
            CloudgateError: there is a session, which has ended; or none, where one is needed.
        """
        logon = await self._logon(request)
        prove(request.state)
        if isinstance(logon, Visitor):
            return False
        if watches(logon):
            return True
        if owes_one(logon):
            return False
        return logon.tenant_id is None and not roles_of(logon.account).isdisjoint(WATCHERS)

    def _path(self, request: Request) -> tuple[str, str]:
        """The first part of the path in lower case, and the rest.

        A prefix that a proxy says to have taken away may still be there: it was named all the same.

        Raises:
            InvalidRequestError: proxies and their client contradict each other.
        """
        path = request.scope["path"]
        prefix = self._origin(request).prefix if self._trusted_proxies else ""
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

    async def _answer(self, request: Request, first: str, path: str, form: Form) -> Response:
        self._manager.check_sure()
        found, verb = self._matched(request, first, path)
        given = parameters(request)
        query = {name.lower(): value for name, value in given}
        route = choose(found.routes[verb], query.get("action"))
        note_route(request, f"/{API}{route.path}")
        if verb not in SAFE:
            self._check_no_foreign_page(request)
        changes = self._response_cache.changes
        who = await self._logon(request) if route.needs_session else None
        came = self._origin(request)
        call = Call(
            manager=self._manager,
            root=f"{came.scheme}://{came.host}{came.prefix}/{API}",
            address=came.address,
            path=found.variables,
            query=query,
            parameters=given,
            authorization=request.headers.get("authorization", ""),
            code=request.headers.get(CODE, "")[:LONGEST_CODE],
            logon=None if isinstance(who, Visitor) else who,
            visiting=who if isinstance(who, Visitor) else None,
            by_token=who is not None and not _session_token(request),
            changes=changes,
            check_standing=partial(standing.check, route),
            precondition=precondition(request.headers, verb, found.routes),
        )
        if who is not None:
            prove(request.state)
            await self._check_access(call, route)
            if request.method == "GET" and route.cached:
                return await self._remembered(request, route, call, form, found)
        return await self._done(request, route, call, form, found)

    def _matched(self, request: Request, first: str, path: str) -> tuple[Match, str]:
        """What is at a path, and the verb that is asked of it.

        Raises:
            NotFoundError: there is nothing.
            NoSuchVerbError: there is something, which cannot be asked that.
        """
        if first != API:
            raise NotFoundError(
                f"There is nothing at {request.scope['path'][:200]!r}; the API is at /api/."
            )
        found = self._router.match(path)
        if found is None:
            raise NotFoundError(f"The API has no resource at {f'/{API}{path}'[:200]!r}.")
        verb = "GET" if request.method == "HEAD" else request.method
        if verb not in found.routes:
            allowed = ", ".join(sorted(found.routes))
            raise NoSuchVerbError(
                f"Method is not Allowed: {verb[:20]}; allowed here: {allowed}.", allowed
            )
        return found, verb

    async def _done(
        self, request: Request, route: Route, call: Call, form: Form, found: Match
    ) -> Response:
        """What the route's handler answers, once the body is here and the password found right."""
        limit = STRANGERS_BODY_LIMIT_BYTES if call.logon is None else BODY_LIMIT_BYTES
        body = await bodies.received(request, limit)
        content_type = request.headers.get("content-type")
        if body.strip() and not route.bodies and is_form(content_type):
            raise UnsupportedFormError(
                "The body is a form's; this call needs none. Leave it out, and the Content-Type."
            )

        def given() -> tuple[ResourceType, ...]:
            return bodies.described(route, body, content_type)

        if route.proof is None:
            whole = await self._as_it_is(request, route, call)
            return await run_in_threadpool(lambda: _handled(route, whole, given(), form, found))
        read = await run_in_threadpool(given)
        proven = await self._proven(request, route.proof, call, read)
        if not route.proof.changes:
            proven = await self._as_it_is(request, route, proven)
        return await run_in_threadpool(lambda: _handled(route, proven, read, form, found))

    async def _as_it_is(self, request: Request, route: Route, call: Call) -> Call:
        """The call with who is asking as they are now: body and password took their time.

        A change looks again, when it has its turn: `Call.changing`.

        Raises:
            CloudgateError: they are not there any more, or may not do this any more.
        """
        changes = self._response_cache.changes
        if call.who is None or changes == call.changes:
            return call
        who = await self._logon(request)
        now = replace(
            call,
            logon=None if isinstance(who, Visitor) else who,
            visiting=who if isinstance(who, Visitor) else None,
            changes=changes,
        )
        await self._check_access(now, route)
        return now

    async def _proven(
        self, request: Request, proof: Proof, call: Call, given: tuple[ResourceType, ...]
    ) -> Call:
        """The call once its password was found right, in its turn."""
        proof.require(call)
        gate = self._login_gate
        proven = await (gate.log_on_elsewhere if proof.waits else gate.log_on)(
            request,
            proof.account(call),
            call.address,
            lambda: proof.check(call, *given),
            lambda: proof.note(call),
        )
        prove(request.state)
        return replace(call, proven=proven)

    async def _remembered(
        self, request: Request, route: Route, call: Call, form: Form, found: Match
    ) -> Response:
        """What a GET is answered: as before, while nothing has changed that it could show."""
        key = (call.root, request.scope["path"], request.url.query, form.value)
        response = self._response_cache.answer(key)
        if response is None:
            changes, shown = self._response_cache.changes, replace(call, logon=None)
            response = await run_in_threadpool(lambda: _handled(route, shown, (), form, found))
            self._response_cache.keep_answer(key, response, changes)
        if call.logon is not None:
            meaning = Meaning(call.logon, f"/{API}{route.path}", key)
            self._repeated.keep(request.scope, meaning, self._manager.clock())
        return response

    def _check_no_foreign_page(self, request: Request) -> None:
        """See whether it was not another site's page that had a browser send this.

        Raises:
            AccessDeniedError: it was.
        """
        if is_foreign(request.headers, self._origin(request).host):
            raise AccessDeniedError(
                "Access denied: the page that sent this belongs to another site than the manager."
                " Pages of other sites may read and change nothing here."
            )

    async def _check_access(self, call: Call, route: Route) -> None:
        """See whether who is asking may do this; it is noted when it is for others.

        Raises:
            AccessDeniedError: they may not.
        """
        who = call.visiting or call.session
        if not access.is_open_to(route, who):
            await run_in_threadpool(note_denied, self._manager, call, route.verb, route.path)
        access.check(route, who, by_token=call.by_token)

    def _origin(self, request: Request) -> Origin:
        """By which address the client came, and from where."""
        host = request.headers.get("host", "")
        if not is_host(host):
            server = request.scope.get("server") or ("localhost", 9398)
            host = own_host(*server)
        peer = ip_addresses.plain(request.client.host) if request.client else ""
        direct = Origin(request.scope["scheme"], host, peer)
        if not self._trusted_proxies:
            return direct
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        return origin(direct, headers, self._trusted_proxies)

    async def _logon(self, request: Request) -> LogonSession | Visitor:
        """The session of a request. The cookie wins over the header, as in the original.

        A token stands for one where there is none. A session of a tenant is looked at anew each
        time: what takes its right away holds at once.
        """
        token = _session_token(request)
        if not token and (secret := bearer_token(request.headers.get("authorization", ""))):
            return await self._tokens.session(
                request, secret, lambda: self._origin(request).address
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
        address = self._origin(request).address
        session = await run_in_threadpool(_session, self._manager, identifier, address)
        if not isinstance(session, Visitor):
            self._response_cache.keep_session(session, changes)
        return session


def _session(manager: Manager, identifier: UUID, address: str) -> LogonSession | Visitor:
    """The session of that id: an account's, or a tenant's.

    Raises:
        NotAuthenticatedError: there is none, or it has ended.
    """
    try:
        return use_session(manager, identifier)
    except NotAuthenticatedError:
        return portal_sessions.use(manager, identifier, address)


def _session_token(request: Request) -> str:
    return request.cookies.get(SESSION_ID) or request.headers.get(SESSION_ID) or ""


def refusal(problem: Exception, accept: str | None) -> Response:
    """What a call of the API is told that fails before anything of it is looked at."""
    return _response(error_response(problem), answer_form(accept))


def _handled(
    route: Route, call: Call, given: tuple[ResourceType, ...], form: Form, found: Match
) -> Response:
    """What a call comes to; with a tag, if it shows an entity that can be changed."""
    if call.precondition is not None:
        call.precondition.check(call)
    answer = route.handler(call, *given)
    response = _response(answer, form)
    if route.verb == "GET" and (known := tag(answer, found.routes, form.name.lower())):
        response.headers[ETAG] = known
    return response


def _response(answer: Answer, form: Form) -> Response:
    headers = dict(answer.headers)
    if answer.document is not None:
        return Response(answer.document, answer.status, headers, answer.media_type)
    if answer.resource is None:
        return Response(status_code=answer.status, headers=headers)
    write = xml.write if form is Form.XML else json.write
    response = LongAnswer(write(answer.resource), answer.status, headers)
    response.headers["Content-Type"] = form.value
    return response
