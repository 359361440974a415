"""External authorization: how does Envoy ask whether a request may become a tunnel?

Its connection manager by gRPC, its module by messages of its own, both at one socket.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.auth.v3 import external_auth_pb2 as messages
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.struct_pb2 import Struct
from google.rpc.status_pb2 import Status

from cloudgate.host.authorization.authorizer import (
    AuthorizationResult,
    Authorizer,
    DiscoveryResult,
)
from cloudgate.host.authorization.grpc.connection import AlternativeProtocol, ServedConnection
from cloudgate.host.authorization.grpc.server import GrpcServer, serve_grpc
from cloudgate.host.authorization.module.connection import GREETING, Decisions, ModuleConnection
from cloudgate.host.authorization.module.decision_cache import SILENT, ConnectRequest, DecisionCache
from cloudgate.host.authorization.own.broker import OwnResult
from cloudgate.host.authorization.own.requests import change_of
from cloudgate.host.authorization.policy import BAD_REQUEST, CHALLENGE, NOT_AUTHENTICATED, Denial
from cloudgate.host.authorization.refusal_log import RefusedRequest
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.start_rates import CLUSTER_HEADER
from cloudgate.host.envoy.xds_listener import CERTIFICATE_HEADER, CONNECTION_HEADER
from cloudgate.host.envoy.xds_resources import OTHER_ADDRESSES, RETRIES_HEADER
from cloudgate.host.state.site import OWN_METHODS
from cloudgate.network.well_known import WELL_KNOWN
from cloudgate.protocol import Refusal

PERMISSION_DENIED = 7
"""The gRPC status code of a refusal."""
_CHALLENGES = {
    NOT_AUTHENTICATED.status: "proxy-authenticate",
    BAD_REQUEST.status: "www-authenticate",
}


async def serve_authorizer(authorizer: Authorizer, endpoints: LocalEndpoints) -> GrpcServer:
    """Start to answer Envoy."""
    decisions = DecisionCache()

    async def check(question: bytes) -> bytes:
        attributes = messages.CheckRequest.FromString(question).attributes
        try:
            answer = await _check(authorizer, decisions, _read(attributes))
        except asyncio.CancelledError:
            authorizer.refusals.record_given_up()
            raise
        serialized: bytes = answer.SerializeToString()
        return serialized

    async def decide(question: ConnectRequest) -> AuthorizationResult:
        result = await _decide(authorizer, question)
        decisions.remember(question, result)
        return result

    def give_up(question: ConnectRequest, result: AuthorizationResult | None) -> None:
        decisions.forget(question)
        if result is None:
            authorizer.refusals.record_given_up()
        else:
            authorizer.take_back(result, question.address, question.port)

    def made(
        on_lost: Callable[[ServedConnection], None],
    ) -> tuple[ModuleConnection, ServedConnection]:
        line = ModuleConnection(Decisions(decide, give_up, decisions.forget), on_lost)
        return line, line

    other = AlternativeProtocol(GREETING, made)
    return await serve_grpc(check, endpoints.listen(), endpoints.context, other)


async def _decide(authorizer: Authorizer, question: ConnectRequest) -> AuthorizationResult:
    with authorizer.meter.answering() as answer:
        result = await authorizer.authorize(
            question.authority,
            question.authorization,
            question.address,
            question.port,
            question.connection,
            certificate=question.certificate,
        )
        answer.is_guess = _is_guess(result.denial)
    return result


def _is_guess(denial: Denial | None) -> bool:
    return denial is not None and denial.kind is Refusal.CREDENTIALS


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that Envoy asks about, whatever it is for."""

    http: Any
    """Its method, path, headers and body (Envoy: attribute_context.proto)."""
    address: str
    """IP address that it comes from."""
    port: int
    connection: str
    """Address and port of its connection, where a load balancer's may be for others."""
    certificate: str
    """That the client shows, as Envoy says it: of its TLS, or where the module has handed it over.
    No other connection manager passes that header on."""

    @property
    def path(self) -> str:
        """Without its query."""
        return str(self.http.path.partition("?")[0])

    @property
    def proxy_authorization(self) -> str | None:
        """As it would be for a proxy; None when it has none."""
        return self.http.headers.get("proxy-authorization")  # type: ignore[no-any-return]

    @property
    def authorization(self) -> str | None:
        """As it would be for a server; None when it has none."""
        return self.http.headers.get("authorization")  # type: ignore[no-any-return]


def _read(attributes: Any) -> _Request:
    http, source = attributes.request.http, attributes.source
    socket_address = source.address.socket_address
    return _Request(
        http,
        socket_address.address,
        socket_address.port_value,
        http.headers.get(CONNECTION_HEADER, ""),
        str(source.certificate or http.headers.get(CERTIFICATE_HEADER, "")),
    )


async def _check(authorizer: Authorizer, decisions: DecisionCache, request: _Request) -> Any:
    if request.path in OWN_METHODS:
        return await _answer_own(authorizer, request)
    if request.http.method != "CONNECT":
        return await _answer_discovery(authorizer, request)
    return await _answer_connect(authorizer, decisions, request)


async def _answer_connect(
    authorizer: Authorizer, decisions: DecisionCache, request: _Request
) -> Any:
    """Whether it may become a tunnel."""
    question = ConnectRequest(
        request.http.host,
        request.proxy_authorization,
        request.address,
        request.port,
        request.connection,
        request.certificate,
    )
    result = decisions.take(question) or await _decide(authorizer, question)
    if result.denial is None:
        return _allowed(result)
    if result.denial is SILENT:  # it was let in, and its target is not there
        authorizer.take_back(result, request.address, request.port)
        return _refused(result.denial, _metadata(result))
    kind = _kind(result.denial, request.proxy_authorization)
    authorizer.meter.note_refused(kind, result.tenant_id)
    _log_refusal(authorizer, result.name, result.target, result.denial, request.address)
    return _refused(result.denial, _metadata(result))


async def _answer_discovery(authorizer: Authorizer, request: _Request) -> Any:
    """By which gateways a tenant may come in."""
    authorization = request.proxy_authorization or request.authorization
    with authorizer.meter.answering() as answer:
        denial = authorizer.proxy_denial(request.address, request.port, request.connection)
        result = (
            DiscoveryResult("", denial=denial)
            if denial
            else await authorizer.describe_gateways(
                authorization, request.address, request.certificate
            )
        )
        answer.is_guess = _is_guess(result.denial)
    if result.denial is None:
        return _document(result.name, result.document, "application/json")
    authorizer.meter.note_refused(_kind(result.denial, authorization))
    _log_refusal(authorizer, result.name, WELL_KNOWN, result.denial, request.address)
    return _refused(result.denial, _struct(tenant=result.name, reason=result.denial.reason))


async def _answer_own(authorizer: Authorizer, request: _Request) -> Any:
    """What somebody is told who wants something for itself."""
    denial = authorizer.proxy_denial(request.address, request.port, request.connection)
    if denial is None:
        change = change_of(request.path, request.http.body)
        # What is wrong with a body is told to who has proved to be somebody, and to no stranger.
        result = await authorizer.ask_manager(
            change, request.authorization, request.address, request.certificate
        )
    else:
        result = OwnResult("", denial=denial)
    if result.denial is None:
        return _document(result.name, result.text, "text/plain; charset=utf-8")
    authorizer.meter.note_refused(_kind(result.denial, request.authorization))
    _log_refusal(authorizer, result.name, request.path, result.denial, request.address)
    return _refused(result.denial, _struct(tenant=result.name, reason=result.denial.reason))


def _kind(denial: Denial, authorization: str | None) -> Refusal:
    """What it is counted as: programs ask once without a password, and then with it."""
    is_first = denial.kind is Refusal.CREDENTIALS and not authorization
    return Refusal.CHALLENGE if is_first else denial.kind


def _log_refusal(
    authorizer: Authorizer, name: str, target: str, denial: Denial, address: str
) -> None:
    authorizer.refusals.record(RefusedRequest(name, target, denial.status, denial.reason, address))


def _allowed(result: AuthorizationResult) -> Any:
    # They replace what a client says there.
    said = [
        _header(CLUSTER_HEADER, result.cluster),
        _header(RETRIES_HEADER, str(len(result.others))),
    ]
    headers = messages.OkHttpResponse(headers=said, headers_to_remove=["proxy-authorization"])
    return messages.CheckResponse(
        status=Status(code=0), ok_response=headers, dynamic_metadata=_metadata(result)
    )


def _document(name: str, text: str, media_type: str) -> Any:
    # A document is an answer that is not Envoy's, which is what Envoy calls a refusal.
    answer = messages.DeniedHttpResponse(
        status=HttpStatus(code=200), headers=[_header("content-type", media_type)]
    )
    answer.body = text
    return messages.CheckResponse(
        status=Status(code=PERMISSION_DENIED),
        denied_response=answer,
        dynamic_metadata=_struct(tenant=name),
    )


def _refused(denial: Denial, metadata: Any) -> Any:
    challenge = _CHALLENGES.get(denial.status)
    headers = [_header(challenge, CHALLENGE)] if challenge else []
    if denial.retry_after_seconds is not None:
        headers.append(_header("retry-after", str(denial.retry_after_seconds)))
    denied = messages.DeniedHttpResponse(
        status=HttpStatus(code=denial.status),
        headers=headers,
        body=f"{denial.reason}\n",
    )
    return messages.CheckResponse(
        status=Status(code=PERMISSION_DENIED), denied_response=denied, dynamic_metadata=metadata
    )


def _header(key: str, value: str) -> Any:
    return HeaderValueOption(
        header=HeaderValue(key=key, value=value),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _metadata(result: AuthorizationResult) -> Any:
    said = {"tenant": result.name, "target": result.target}
    if result.denial is not None:
        return _struct(**said, reason=result.denial.reason)
    if result.others:
        said[OTHER_ADDRESSES] = " ".join(result.others)
    return _struct(**said, address=result.address, **{"pass": str(result.metadata)})


def _struct(**said: str) -> Any:
    metadata = Struct()
    for key, value in said.items():
        metadata.fields[key].string_value = value
    return metadata
