"""Host protocol application: how do hosts talk to the manager over HTTP?"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TypeVar
from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import DatabaseError, OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from cloudgate.api.connections.acceptor import prove
from cloudgate.api.host_protocol.refusals import RefusalRecorder, credential_of
from cloudgate.api.http.request_meter import note_route
from cloudgate.errors import (
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    UnavailableError,
)
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol import enrolment, report_handling
from cloudgate.manager.host_protocol.enrolment import HostAuthentication
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck, finish_reachability
from cloudgate.manager.host_protocol.host_snapshot import HostEntry, HostSnapshot, host_snapshot
from cloudgate.manager.host_protocol.report_handling import NothingNew
from cloudgate.manager.host_protocol.tenant_feed import (
    Question,
    TenantFeed,
    look_up,
    question_of,
    speed_limits,
    tunnel_limits,
)
from cloudgate.manager.jobs.reachability_probe import Prober
from cloudgate.manager.registries import seen_addresses
from cloudgate.manager.registries.faults import fault_id
from cloudgate.manager.registries.host_figures import WANTED_SECONDS
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.storage.failures import reason as database_reason
from cloudgate.manager.usage.billable import ever_served
from cloudgate.manager.usage.operations import take_usage
from cloudgate.protocol import (
    POLL_SECONDS,
    REVOKED,
    SERVER_HEADER,
    Allowance,
    Allowances,
    Answer,
    DemandReport,
    Document,
    JoinRequest,
    PollRequest,
    Report,
    Update,
    UsageBatch,
)
from cloudgate.protocol.bounds import readable

log = structlog.get_logger(__name__)
Message = TypeVar("Message", bound=Document)

POLL = "/v1/poll"
_MIB = 1024 * 1024
BODY_LIMIT_BYTES = 16 * _MIB
"""No message is longer, whatever it is."""
BODY_LIMITS_BYTES: dict[type[Document], int] = {
    JoinRequest: _MIB // 4,
    PollRequest: _MIB // 64,
    Report: _MIB // 2,
    UsageBatch: 8 * _MIB,
    DemandReport: 12 * _MIB,
    Answer: BODY_LIMIT_BYTES,
}
"""The longest message of each kind."""
_STATUS = {
    InvalidRequestError: 400,
    NotAuthenticatedError: 401,
    NotFoundError: 404,
    UnavailableError: 503,
}


class HostProtocol:
    """The ASGI application of the host protocol: joining, polls, reports, usage, demands."""

    def __init__(
        self,
        manager: Manager,
        after_change: Callable[[], None],
        probe: Prober,
        address_of: Callable[[Request], str],
    ) -> None:
        """`address_of` says from which IP address a request came."""
        self._manager = manager
        self._probe = probe
        self._address_of = address_of
        self._refusing = RefusalRecorder(manager, address_of)
        self._trying: dict[ReachabilityCheck, asyncio.Task[None]] = {}
        self._looking = asyncio.Lock()
        self._known: tuple[int, HostSnapshot] | None = None
        """As of which change the hosts were looked up, and what was found."""
        self._directory_changes: dict[Question, asyncio.Future[TenantFeed]] = {}
        """What hosts that are alike have to be told, as of that change."""
        self._after_change = after_change
        self._calls: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/v1/authority": self._authority,
            "/v1/join": self._join,
            POLL: self._poll,
            "/v1/report": self._report,
            "/v1/usage": self._usage,
            "/v1/demand": self._demand,
            "/v1/answer": self._take_answer,
        }

    async def respond(self, request: Request, path: str) -> Response:
        """Answer one request below /host. Failures are JSON with a ``message``."""
        try:
            return await self._respond(request, path)
        except ClientDisconnect:
            raise
        except Exception as problem:  # noqa: BLE001  a host is told of every failure, and tries again
            return await self._failed(request, path, problem)

    async def _failed(self, request: Request, path: str, problem: Exception) -> Response:
        """Nobody foresaw it: the host tries again, and the operator is told where to look."""
        name = fault_id()
        log.error("a host was not answered", call=path[:200], fault=name, exc_info=problem)
        if isinstance(problem, DatabaseError) and (found := database_reason(problem)):
            return JSONResponse({"message": f"{found} ({name} in the manager's log)"}, 503)
        if isinstance(problem, OperationalError):
            reason = f"The database cannot be used right now ({name} in the manager's log)."
            return JSONResponse({"message": reason}, 503)
        reason = f"The manager failed to answer: its log says why under {name}."
        server_id = getattr(request.state, "server_id", None)
        if server_id is not None and path == POLL:
            self._manager.faults.cut_off(
                server_id,
                f"It hears of no change, as the manager failed to answer it: the manager's log says"
                f" why under {name}.",
            )
        if server_id is not None:
            await self._refusing.record_fault(request, path, server_id, reason)
        self._after_change()
        return JSONResponse({"message": reason}, 503)

    async def _respond(self, request: Request, path: str) -> Response:
        call = self._calls.get(path)
        try:
            verb = "GET" if path == "/v1/authority" else "POST"
            if call is None or request.method != verb:
                raise NotFoundError(f"The host protocol has no call {path[:200]!r}.")
            note_route(request, f"/host{path}")
            return await call(request)
        except CloudgateError as problem:
            status = _STATUS.get(type(problem), 500)
            noted = not isinstance(problem, NotFoundError)
            if isinstance(problem, InvalidRequestError | NotAuthenticatedError):
                noted = await self._refusing.record(request, path, problem.message)
            if noted:
                log.warning("a host was refused", call=path[:200], reason=problem.message)
            said: dict[str, object] = {"message": problem.message}
            if status == HTTPStatus.UNAUTHORIZED and await self._is_revoked(request):
                said[REVOKED] = True
            return JSONResponse(said, status)

    async def _is_revoked(self, request: Request) -> bool:
        """Whether who asks says that it is a managed server that was shut out."""
        try:
            claimed = UUID(request.headers.get(SERVER_HEADER, ""))
        except ValueError:
            return False

        def look() -> bool:
            with self._manager.reading() as work:
                return enrolment.is_revoked(work, claimed)

        return await run_in_threadpool(look)

    async def _authority(self, request: Request) -> Response:
        del request
        return PlainTextResponse(self._manager.authority.certificate_pem)

    async def _join(self, request: Request) -> Response:
        message = await _read(request, JoinRequest)
        request.state.join_token = message.token

        def join() -> Document:
            # Looked up before anything is locked: anybody may say a token.
            with self._manager.reading() as work:
                enrolment.check_token(work, message)
            with self._manager.changing(address=self._address_of(request)) as work:
                return enrolment.join(work, message)

        return _answer(await run_in_threadpool(join))

    async def _poll(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await _read(request, PollRequest)
        enrolment.check_protocol(message)
        deadline = asyncio.get_running_loop().time() + POLL_SECONDS
        listed = await self._usual(credential, message)
        heard = None
        if listed is None:
            heard = await run_in_threadpool(self._hear, credential, message.machine, may_renew=True)
            keys = (heard.server.id, heard.server.backup_server_id)
            seen = heard.server.seen_addresses
        else:
            seen = listed.seen_addresses
            keys = (listed.server_id, listed.site_id)
            self._manager.presence.touch(listed.server_id, self._manager.clock())
        await self._note_address(keys[0], seen, self._address_of(request))
        while True:
            with self._manager.bell.subscribe(keys) as rung:
                found = await self._news(credential, message)
                if self._manager.faults.answered(keys[0]):
                    await run_in_threadpool(self._hear, credential, message.machine)
                question = self._manager.questions.next(keys[0])
                if question is not None:
                    news = found if isinstance(found, Update) else Update()
                    found = news.model_copy(update={"question": question})
                if self._manager.tokens.takes_back(keys[0]):
                    news = found if isinstance(found, Update) else Update()
                    found = news.model_copy(update={"demand": True})
                if heard is not None and heard.credential is not None:
                    news = found if isinstance(found, Update) else Update()
                    news = self._traced(keys, news)
                    return _told(news.model_copy(update={"credential": heard.credential}))
                if isinstance(found, Update):
                    return _told(self._traced(keys, found))
                if self._manager.presence.is_contested(keys[0]):
                    # A host that is there polls again at once; one that is not says nothing.
                    return _told(Update())
                left = deadline - asyncio.get_running_loop().time()
                if self._manager.bell.closed or not await _happens(rung, left):
                    return _told(Update())

    def _traced(self, keys: tuple[UUID, UUID], update: Update) -> Update:
        """What a host is told, with the requests that it is for; their timelines have it."""
        return self._manager.timelines.tell(*keys, update, self._manager.clock())

    async def _note_address(self, server_id: UUID, seen: str, shown: str) -> None:
        """Keep from where a host speaks, should that be new."""
        address, now = seen_addresses.usable(shown), self._manager.clock()
        heard = self._manager.presence.hear_from(server_id, address, now)
        now_seen = seen_addresses.after(seen, address, heard, now)
        if now_seen == seen:
            return

        def note() -> None:
            with self._manager.changing() as work:
                report_handling.note_addresses(work, get_managed_server(work, server_id), now_seen)

        await run_in_threadpool(note)

    async def _known_host(self, request: Request) -> str:
        """The credential of a request, before anything else of it is looked at.

        Raises:
            NotAuthenticatedError: it is nobody's.
        """
        credential = credential_of(request)
        listed = (await self._roster()).find(credential)
        if listed is not None:
            request.state.server_id = listed.server_id
        else:
            request.state.server_id = await run_in_threadpool(self._owner, credential)
        prove(request.state)
        return credential

    def _owner(self, credential: str) -> UUID:
        with self._manager.reading() as work:
            return enrolment.authenticate(work, credential).id

    async def _roster(self) -> HostSnapshot:
        """The hosts as they are now; looked up once for all after each change."""
        async with self._looking:
            changes = self._manager.changes.count
            if self._known is None or self._known[0] != changes:
                self._known = (changes, await run_in_threadpool(self._look_at_all))
                self._directory_changes.clear()
            return self._known[1]

    def _look_at_all(self) -> HostSnapshot:
        with self._manager.reading() as work:
            return host_snapshot(work)

    async def _usual(self, credential: str, message: PollRequest | Report) -> HostEntry | None:
        """Who speaks, if nothing is unusual about it."""
        listed = (await self._roster()).find(credential)
        usual = listed is not None and listed.is_usual(message.machine, self._manager.clock())
        return listed if usual else None

    async def _news(self, credential: str, message: PollRequest) -> Update | NothingNew:
        """What is new for a host. The same change of the directory is looked up once for all."""
        current = await self._roster()
        listed = current.find(credential)
        if (
            listed is None
            or listed.assignment_revision != message.assignment_revision
            or listed.site_revision != message.site_revision
        ):
            return await run_in_threadpool(self._look, credential, message)
        if current.directory_revision == message.directory_revision:
            return NothingNew(keys=())
        question = question_of(
            listed.site_id, listed.scope, message.directory_revision, current.directory_revision
        )
        known = self._directory_changes.get(question)
        if known is None or (known.done() and known.exception() is not None):
            known = asyncio.ensure_future(run_in_threadpool(self._look_at_directory, question))
            self._directory_changes[question] = known
        found = await asyncio.shield(known)
        return Update(directory=found.for_host(listed.scope))

    def _look_at_directory(self, question: Question) -> TenantFeed:
        with self._manager.reading() as work:
            return look_up(work, question)

    def _hear(
        self, credential: str, machine: str, *, may_renew: bool = False
    ) -> HostAuthentication:
        """Take note of who speaks.

        Raises:
            NotAuthenticatedError: nobody knows them.
            InvalidRequestError: it is not the machine that the credential was given to.
            UnavailableError: whether it is that is known when the other has been silent for long.
        """
        with self._manager.reading() as work:
            server = enrolment.authenticate(work, credential)
            if enrolment.is_steady(work, server, credential, machine):
                work.presence.touch(server.id, work.now)
                return HostAuthentication(server)
        with self._manager.changing() as work:
            heard = enrolment.authenticate_host(work, credential, machine, may_renew=may_renew)
        if heard.refusal is not None:
            raise heard.refusal
        return heard

    def _look(self, credential: str, message: PollRequest) -> Update | NothingNew:
        with self._manager.reading() as work:
            server = enrolment.authenticate(work, credential)
            if server.assignment_revision == message.assignment_revision:
                return report_handling.pending_update(work, server, message)
        # An assignment may need a new certificate, which is kept.
        with self._manager.changing() as work:
            return report_handling.pending_update(
                work, enrolment.authenticate(work, credential), message
            )

    async def _report(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await _read(request, Report)
        enrolment.check_protocol(message)
        if message.figures is not None and await self._has_nothing_but_figures(credential, message):
            return Response(status_code=204)

        def report() -> ReachabilityCheck | None:
            server_id = self._hear(credential, message.machine).server.id
            with self._manager.changing() as work:
                server = get_managed_server(work, server_id)
                found = report_handling.handle_report(work, server, message)
            self._manager.figures.keep(server_id, message)
            return found

        reach = await run_in_threadpool(report)
        if reach is not None:
            self._try(reach)
        self._after_change()
        return Response(status_code=204)

    async def _has_nothing_but_figures(self, credential: str, message: Report) -> bool:
        """Keep the figures of a report that says nothing else that is new. Whether that is all.

        It touches no database: hosts tell figures a few times a minute.
        """
        listed = await self._usual(credential, message)
        if listed is None or not self._manager.figures.is_repeated(listed.server_id, message):
            return False
        self._manager.presence.touch(listed.server_id, self._manager.clock())
        self._manager.figures.keep(listed.server_id, message)
        return True

    async def _usage(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await _read(request, UsageBatch)
        enrolment.check_protocol(message)

        def use() -> str:
            server_id = self._hear(credential, message.machine).server.id
            with self._manager.changing() as work:
                return take_usage(work, get_managed_server(work, server_id), message)

        refused = await run_in_threadpool(use)
        if refused:
            # What is counted, is: the host says it again, and is heard then.
            raise InvalidRequestError(refused)
        return Response(status_code=204)

    async def _demand(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await _read(request, DemandReport)
        enrolment.check_protocol(message)

        def divide() -> tuple[Document, frozenset[UUID]]:
            server_id = self._hear(credential, message.machine).server.id
            with self._manager.reading() as work:
                server = get_managed_server(work, server_id)
                served = sorted(
                    ever_served(work, server, (each.tenant_id for each in message.demands))
                )
                speeds = speed_limits(work, served)
                tunnels = tunnel_limits(work, server.backup_server_id, served)
            now = time.monotonic()
            parts = self._manager.sharing.allocate(server_id, message.demands, speeds, now)
            tokens = self._manager.tokens.allocate(server_id, message.demands, tunnels, now)
            return _allowances(parts, tokens.tunnels), tokens.ask_again

        told, ask_again = await run_in_threadpool(divide)
        self._manager.bell.notify(ask_again)
        return _answer(told)

    async def _take_answer(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await _read(request, Answer)
        enrolment.check_protocol(message)

        def hear() -> UUID:
            return self._hear(credential, message.machine).server.id

        self._manager.questions.answered(await run_in_threadpool(hear), message)
        return Response(status_code=204)

    def _try(self, reach: ReachabilityCheck) -> None:
        """See in the background whether tenants reach the gateway; then its task ends.

        Once at a time, however often its host reports.
        """
        if reach in self._trying:
            return

        def end(warning: str) -> None:
            with self._manager.changing() as work:
                finish_reachability(work, reach, warning)

        async def probe() -> None:
            warning = await self._probe(reach)
            await run_in_threadpool(end, warning)
            self._after_change()

        # Should this end with the manager, the host's next report brings it up again.
        trying = asyncio.create_task(probe())
        self._trying[reach] = trying
        trying.add_done_callback(lambda _: self._trying.pop(reach))


def _allowances(parts: Iterable[Allowance], tunnels: Mapping[UUID, int]) -> Allowances:
    """What a host is told of its parts of speed and tunnels."""
    speeds = {each.tenant_id: each.limit_bytes for each in parts}
    return Allowances(
        allowances=tuple(
            Allowance(tenant_id=each, limit_bytes=speeds.get(each), tunnels=tunnels.get(each))
            for each in speeds.keys() | tunnels.keys()
        ),
        tunnels_are_divided=True,
    )


async def _happens(event: asyncio.Event, within_seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), max(within_seconds, 0))
    except TimeoutError:
        return False
    return True


async def _read(request: Request, kind: type[Message]) -> Message:
    limit, body = BODY_LIMITS_BYTES[kind], bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise InvalidRequestError(
                f"The message is larger than {limit} bytes, and so than any that a host sends."
            )
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequestError(
            readable(f"The message is malformed: {where}: {first['msg']}.")
        ) from None


def _told(update: Update) -> Response:
    """News, with how often the host's figures are wanted."""
    return _answer(update.model_copy(update={"figures_seconds": WANTED_SECONDS}))


def _answer(document: Document) -> Response:
    return Response(document.model_dump_json(), media_type="application/json")
