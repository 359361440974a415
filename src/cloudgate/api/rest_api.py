"""REST API: how does a request become a call, and its answer bytes?"""

from dataclasses import replace
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cloudgate.api import access, standing
from cloudgate.api.authentication import RequestAuthentication, session_token
from cloudgate.api.connections.acceptor import prove
from cloudgate.api.handlers.sessions import LONGEST_CODE, note_denied
from cloudgate.api.http import bodies
from cloudgate.api.http.bodies import LongAnswer
from cloudgate.api.http.call import Answer, Call, parameters
from cloudgate.api.http.cross_site import SAFE, is_foreign, is_form
from cloudgate.api.http.entity_tags import HEADER as ETAG
from cloudgate.api.http.entity_tags import precondition, tag
from cloudgate.api.http.failures import NoSuchVerbError, error_response
from cloudgate.api.http.login_gate import LoginGate
from cloudgate.api.http.negotiation import Form, UnsupportedFormError, answer_form
from cloudgate.api.http.repeated_requests import Meaning, RepeatedRequests
from cloudgate.api.http.request_meter import note_route
from cloudgate.api.http.response_cache import ResponseCache
from cloudgate.api.http.router import Match, Proof, Route, choose
from cloudgate.api.request_origins import RequestOrigins
from cloudgate.api.table import router
from cloudgate.errors import AccessDeniedError, NotFoundError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.portal.sessions import Visitor
from cloudgate.network.api_headers import CODE
from cloudgate.wire import json, xml
from cloudgate.wire.description import ResourceType

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


class RestApi:
    """Answers calls of the API."""

    def __init__(
        self,
        manager: Manager,
        origins: RequestOrigins,
        authentication: RequestAuthentication,
        *,
        login_gate: LoginGate,
        response_cache: ResponseCache,
        repeated: RepeatedRequests,
    ) -> None:
        """What it asks.

        Args:
            manager: whose API it is.
            origins: by which address a client came.
            authentication: who is asking.
            login_gate: slows those who guess passwords.
            response_cache: answers that stay true while nothing changes.
            repeated: is told what requests mean whose answers are kept.
        """
        self._manager = manager
        self._origins = origins
        self._authentication = authentication
        self._login_gate = login_gate
        self._response_cache = response_cache
        self._repeated = repeated
        self._router = router()

    async def respond(self, request: Request, first: str, path: str) -> Response:
        """What a call comes to: an Error, if it fails.

        Args:
            request: the call.
            first: the first part of its path, in lower case.
            path: the rest.

        Raises:
            ClientDisconnect: nobody waits for it any more.
        """
        at_logon = path.strip("/").lower() == "sessionmngr"
        form = answer_form(request.headers.get("accept"))
        try:
            response = await self._answer(request, first, path, form)
        except ClientDisconnect:
            raise
        except Exception as problem:  # noqa: BLE001  every failure is the API's Error
            response = _response(error_response(problem, at_logon=at_logon), form)
        for name, value in _BROWSERS_HEADERS.items():
            response.headers.setdefault(name, value)
        return response

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
        who = await self._authentication.logon(request) if route.needs_session else None
        came = self._origins.of(request)
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
            by_token=who is not None and not session_token(request),
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
        who = await self._authentication.logon(request)
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
        if is_foreign(request.headers, self._origins.of(request).host):
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
