"""Host protocol calls: which are there for hosts, and who answers each?"""

import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from uuid import UUID

import structlog
from sqlalchemy.exc import DatabaseError, OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from cloudgate.api.connections.acceptor import prove
from cloudgate.api.host_protocol.encoded_updates import EncodedUpdates
from cloudgate.api.host_protocol.host_cache import HostCache
from cloudgate.api.host_protocol.long_poll import LongPoll
from cloudgate.api.host_protocol.messages import MessageReader
from cloudgate.api.host_protocol.own_requests import OwnRequests
from cloudgate.api.host_protocol.reachability import Reachability
from cloudgate.api.host_protocol.refusals import RefusalRecorder, credential_of
from cloudgate.api.http.login_gate import LoginGate
from cloudgate.api.http.request_meter import note_route
from cloudgate.errors import (
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    UnavailableError,
)
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.fault_isolation import fault_id
from cloudgate.manager.host_protocol import enrolment, report_handling, reportable_tenants
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck
from cloudgate.manager.host_protocol.tenant_feed import (
    speed_limits,
    tunnel_limits,
)
from cloudgate.manager.host_protocol.versions import check_protocol
from cloudgate.manager.jobs.reachability_probe import Prober
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.storage.failures import OTHERS_WRITE
from cloudgate.manager.storage.failures import reason as database_reason
from cloudgate.manager.usage.operations import take_usage
from cloudgate.manager.usage.served_tenants import ever_served
from cloudgate.protocol import (
    REVOKED,
    SERVER_HEADER,
    Allowance,
    Allowances,
    Answer,
    DemandReport,
    Document,
    JoinRequest,
    OwnRequest,
    PollRequest,
    Report,
    UsageBatch,
)

log = structlog.get_logger(__name__)

POLL = "/v1/poll"
_STATUS = {
    InvalidRequestError: 400,
    NotAuthenticatedError: 401,
    NotFoundError: 404,
    UnavailableError: 503,
}


class HostProtocol:
    """Answers the calls of hosts."""

    def __init__(
        self,
        manager: Manager,
        after_change: Callable[[], None],
        probe: Prober,
        address_of: Callable[[Request], str],
        gate: LoginGate,
    ) -> None:
        """`address_of` says from which IP address a request came; `gate` has passwords checked."""
        self._manager = manager
        self._address_of = address_of
        self._refusals = RefusalRecorder(manager, address_of)
        self._reachability = Reachability(manager, probe, after_change)
        self._hosts = HostCache(manager)
        self._long_poll = LongPoll(manager, self._hosts)
        self._encoded = EncodedUpdates()
        self._dividing = threading.Lock()
        self._messages = MessageReader()
        self._own = OwnRequests(manager, gate)
        self._after_change = after_change
        self._calls: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/v1/authority": self._authority,
            "/v1/join": self._join,
            POLL: self._poll,
            "/v1/report": self._report,
            "/v1/usage": self._usage,
            "/v1/demand": self._demand,
            "/v1/answer": self._take_answer,
            "/v1/here": self._here,
            "/v1/own": self._take_own,
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
        found = database_reason(problem) if isinstance(problem, DatabaseError) else None
        if found in OTHERS_WRITE:
            log.warning("a host was not answered", call=path[:200], fault=name, reason=found)
        else:
            log.error("a host was not answered", call=path[:200], fault=name, exc_info=problem)
        if found:
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
            await self._refusals.record_fault(request, path, server_id, reason)
        self._after_change()
        return JSONResponse({"message": reason}, 503)

    async def _respond(self, request: Request, path: str) -> Response:
        call = self._calls.get(path)
        try:
            self._manager.check_sure()
            verb = "GET" if path == "/v1/authority" else "POST"
            if call is None or request.method != verb:
                raise NotFoundError(f"The host protocol has no call {path[:200]!r}.")
            note_route(request, f"/host{path}")
            return await call(request)
        except CloudgateError as problem:
            status = _STATUS.get(type(problem), 500)
            noted = not isinstance(problem, NotFoundError)
            if isinstance(problem, InvalidRequestError | NotAuthenticatedError):
                noted = await self._refusals.record(request, path, problem.message)
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
        message = await self._messages.read(request, JoinRequest)
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
        message = await self._messages.read(request, PollRequest)
        check_protocol(message)
        news = await self._long_poll.answer(
            credential, message, self._address_of(request), request.is_disconnected
        )
        lease = self._manager.lease
        return self._encoded.response(news, (lease.managers or None) if lease is not None else None)

    async def _here(self, request: Request) -> Response:
        """A host sees that it is heard, while its poll is held."""
        await self._known_host(request)
        return Response(status_code=204)

    async def _known_host(self, request: Request) -> str:
        """The credential of a request, before anything else of it is looked at.

        Raises:
            NotAuthenticatedError: it is nobody's.
        """
        credential = credential_of(request)
        request.state.server_id = await self._hosts.server_id_of(credential)
        prove(request.state)
        return credential

    async def _report(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await self._messages.read(request, Report)
        check_protocol(message)
        server_id = request.state.server_id
        named = reportable_tenants.named_in(message)
        if message.outsiders or not self._manager.figures.tenants.are_of(server_id, named):
            message = await run_in_threadpool(self._of_served, server_id, message)
        if message.figures is not None and await self._has_nothing_but_figures(credential, message):
            return Response(status_code=204)

        def report() -> ReachabilityCheck | None:
            server_id = self._hosts.identify(credential, message.machine).server.id
            with self._manager.changing() as work:
                server = get_managed_server(work, server_id)
                self._check_order(server_id, message)
                found = report_handling.handle_report(work, server, message)
            self._manager.figures.keep(server_id, message, self._manager.clock())
            return found

        reach = await run_in_threadpool(report)
        if reach is not None:
            self._reachability.check(reach)
        self._after_change()
        return Response(status_code=204)

    def _of_served(self, server_id: UUID, message: Report) -> Report:
        with self._manager.reading() as work:
            return reportable_tenants.of_served(work, get_managed_server(work, server_id), message)

    async def _has_nothing_but_figures(self, credential: str, message: Report) -> bool:
        """Keep the figures of a report that says nothing else that is new. Whether that is all.

        It touches no database: hosts tell figures a few times a minute, nearly always of those
        that they told of before.
        """
        listed = await self._hosts.usual(credential, message.machine)
        if listed is None or not self._manager.figures.reports.is_repeated(
            listed.server_id, message
        ):
            return False
        self._check_order(listed.server_id, message)
        now = self._manager.clock()
        self._manager.hosts.presence.touch(listed.server_id, now)
        self._manager.figures.keep(listed.server_id, message, now)
        return True

    def _check_order(self, server_id: UUID, message: Report | DemandReport) -> None:
        """See that nothing newer was heard of a host, and have this as the newest.

        Raises:
            UnavailableError: it came late. Nobody waits for the answer, or whoever does says it
                again.
        """
        if self._manager.hosts.order.is_late(server_id, message, self._manager.clock()):
            raise UnavailableError("It came late: this host was heard to say something newer.")

    async def _usage(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await self._messages.read(request, UsageBatch)
        check_protocol(message)

        def use() -> str:
            server_id = self._hosts.identify(credential, message.machine).server.id
            with self._manager.changing() as work:
                return take_usage(work, get_managed_server(work, server_id), message)

        refused = await run_in_threadpool(use)
        if refused:
            # What is counted, is: the host says it again, and is heard then.
            raise InvalidRequestError(refused)
        return Response(status_code=204)

    async def _demand(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await self._messages.read(request, DemandReport)
        check_protocol(message)

        def divide() -> tuple[Document, frozenset[UUID]]:
            server_id = self._hosts.identify(credential, message.machine).server.id
            with self._manager.reading() as work:
                server = get_managed_server(work, server_id)
                served = sorted(
                    ever_served(work, server, (each.tenant_id for each in message.demands))
                )
                speeds = speed_limits(work, served)
                tunnels = tunnel_limits(work, server.backup_server_id, served)
            with self._dividing:  # or a late one would be heard beside a newer one
                self._check_order(server_id, message)
                now = time.monotonic()
                parts = self._manager.rate_allocator.allocate(
                    server_id, message.demands, speeds, now
                )
                tokens = self._manager.slot_tokens.allocate(
                    server_id, message.demands, tunnels, now
                )
            return _allowances(parts, tokens.tunnels), tokens.ask_again

        told, ask_again = await run_in_threadpool(divide)
        self._manager.wakeups.wake(ask_again)
        return _answer(told)

    async def _take_answer(self, request: Request) -> Response:
        credential = await self._known_host(request)
        questions, server_id = self._manager.host_queries, request.state.server_id
        # A long one is as costly as it is rare: there is none unless somebody waits for it.
        message = await self._messages.read_wanted(
            request, Answer, lambda: questions.is_awaited(server_id)
        )
        if message is None:
            return Response(status_code=204)
        check_protocol(message)

        def authenticated() -> UUID:
            return self._hosts.identify(credential, message.machine).server.id

        questions.answered(await run_in_threadpool(authenticated), message)
        return Response(status_code=204)

    async def _take_own(self, request: Request) -> Response:
        credential = await self._known_host(request)
        message = await self._messages.read(request, OwnRequest)
        check_protocol(message)

        def authenticated() -> UUID:
            return self._hosts.identify(credential, message.machine).server.id

        answer = await self._own.answer(request, await run_in_threadpool(authenticated), message)
        self._after_change()
        return _answer(answer)


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


def _answer(document: Document) -> Response:
    return Response(document.model_dump_json(), media_type="application/json")
