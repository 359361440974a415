"""External authorization: how does Envoy ask whether a request may become a tunnel?

Its connection manager by gRPC, its module by messages of its own, both at one socket.
"""

import asyncio
from collections.abc import Callable
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
from cloudgate.host.authorization.module.decision_cache import SILENT, DecisionCache, Question
from cloudgate.host.authorization.own.desk import OwnResult
from cloudgate.host.authorization.own.requests import change_of
from cloudgate.host.authorization.policy import BAD_REQUEST, CHALLENGE, NOT_AUTHENTICATED, Denial
from cloudgate.host.authorization.refusal_log import Refused
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.start_rates import CLUSTER_HEADER
from cloudgate.host.envoy.xds_listener import CERTIFICATE_HEADER, CONNECTION_HEADER
from cloudgate.host.envoy.xds_resources import OTHER_ADDRESSES
from cloudgate.host.state.site import OWN_METHODS, WELL_KNOWN
from cloudgate.protocol import Refusal

PERMISSION_DENIED = 7
"""The gRPC status code of a refusal."""
_CHALLENGES = {
    NOT_AUTHENTICATED.status: "proxy-authenticate",
    BAD_REQUEST.status: "www-authenticate",
}


async def serve_authorizer(gatekeeper: Authorizer, endpoints: LocalEndpoints) -> GrpcServer:
    """Start to answer Envoy."""
    decided = DecisionCache()

    async def check(question: bytes) -> bytes:
        request = messages.CheckRequest.FromString(question)
        try:
            answer = await _check(gatekeeper, decided, request.attributes)
        except asyncio.CancelledError:
            gatekeeper.refusals.record_given_up()
            raise
        said: bytes = answer.SerializeToString()
        return said

    async def decide(question: Question) -> AuthorizationResult:
        verdict = await _decide(gatekeeper, question)
        decided.note(question, verdict)
        return verdict

    def give_up(question: Question, verdict: AuthorizationResult | None) -> None:
        decided.forget(question)
        if verdict is None:
            gatekeeper.refusals.record_given_up()
        else:
            gatekeeper.take_back(verdict, question.address, question.port)

    def made(
        on_lost: Callable[[ServedConnection], None],
    ) -> tuple[ModuleConnection, ServedConnection]:
        line = ModuleConnection(Decisions(decide, give_up, decided.forget), on_lost)
        return line, line

    other = AlternativeProtocol(GREETING, made)
    return await serve_grpc(check, endpoints.listen(), endpoints.context, other)


async def _decide(gatekeeper: Authorizer, question: Question) -> AuthorizationResult:
    with gatekeeper.meter.answering() as answer:
        verdict = await gatekeeper.authorize(
            question.authority,
            question.authorization,
            question.address,
            question.port,
            question.connection,
            certificate=question.certificate,
        )
        answer.is_guess = _is_guess(verdict.refusal)
    return verdict


def _is_guess(refusal: Denial | None) -> bool:
    return refusal is not None and refusal.kind is Refusal.CREDENTIALS


async def _check(gatekeeper: Authorizer, decided: DecisionCache, asked: Any) -> Any:
    http = asked.request.http
    source = asked.source.address.socket_address
    address = source.address
    connection = http.headers.get(CONNECTION_HEADER, "")
    certificate = _certificate(asked)
    authorization = http.headers.get("proxy-authorization")
    path = http.path.partition("?")[0]
    if path in OWN_METHODS:
        return await _answer_own(gatekeeper, asked, path)
    if http.method != "CONNECT":
        authorization = authorization or http.headers.get("authorization")
        with gatekeeper.meter.answering() as answer:
            proxied = gatekeeper.proxy_denial(address, source.port_value, connection)
            told = (
                DiscoveryResult("", refusal=proxied)
                if proxied
                else await gatekeeper.describe_gateways(authorization, address, certificate)
            )
            answer.is_guess = _is_guess(told.refusal)
        if told.refusal is not None:
            gatekeeper.meter.note_refused(_kind(told.refusal, authorization))
        _note(gatekeeper, told.name, WELL_KNOWN, told.refusal, address)
        return _discovery_response(told)
    question = Question(
        http.host, authorization, address, source.port_value, connection, certificate
    )
    verdict = decided.take(question) or await _decide(gatekeeper, question)
    if verdict.refusal is None:
        return _allowed(verdict)
    if verdict.refusal is SILENT:  # it was let in, and its target is not there
        gatekeeper.take_back(verdict, address, source.port_value)
        return _refused(verdict.refusal, _metadata(verdict))
    gatekeeper.meter.note_refused(_kind(verdict.refusal, authorization), verdict.tenant_id)
    _note(gatekeeper, verdict.name, verdict.target, verdict.refusal, address)
    return _refused(verdict.refusal, _metadata(verdict))


def _certificate(asked: Any) -> str:
    """That a client shows, as Envoy says it: of its TLS, or where the module has handed it over.

    No other connection manager passes that header on.
    """
    return str(asked.source.certificate or asked.request.http.headers.get(CERTIFICATE_HEADER, ""))


async def _answer_own(gatekeeper: Authorizer, asked: Any, path: str) -> Any:
    """What somebody is told who wants something for itself."""
    http, source = asked.request.http, asked.source.address.socket_address
    address, connection = source.address, http.headers.get(CONNECTION_HEADER, "")
    authorization = http.headers.get("authorization")
    refusal = gatekeeper.proxy_denial(address, source.port_value, connection)
    if refusal is None:
        change = change_of(path, http.body)
        # What is wrong with a body is told to who has proved to be somebody, and to no stranger.
        told = await gatekeeper.ask_manager(change, authorization, address, _certificate(asked))
    else:
        told = OwnResult("", refusal=refusal)
    if told.refusal is not None:
        gatekeeper.meter.note_refused(_kind(told.refusal, authorization))
        _note(gatekeeper, told.name, path, told.refusal, address)
        return _refused(told.refusal, _struct(tenant=told.name, reason=told.refusal.reason))
    return _document(told.name, told.text, "text/plain; charset=utf-8")


def _kind(refusal: Denial, authorization: str | None) -> Refusal:
    """What it is counted as: programs ask once without a password, and then with it."""
    is_first = refusal.kind is Refusal.CREDENTIALS and not authorization
    return Refusal.CHALLENGE if is_first else refusal.kind


def _note(
    gatekeeper: Authorizer, name: str, target: str, refusal: Denial | None, address: str
) -> None:
    if refusal is not None:
        gatekeeper.refusals.record(Refused(name, target, refusal.status, refusal.reason, address))


def _allowed(verdict: AuthorizationResult) -> Any:
    # It replaces what a client says there.
    cluster = _header(CLUSTER_HEADER, verdict.cluster)
    headers = messages.OkHttpResponse(headers=[cluster], headers_to_remove=["proxy-authorization"])
    return messages.CheckResponse(
        status=Status(code=0), ok_response=headers, dynamic_metadata=_metadata(verdict)
    )


def _discovery_response(told: DiscoveryResult) -> Any:
    if told.refusal is not None:
        return _refused(told.refusal, _struct(tenant=told.name, reason=told.refusal.reason))
    return _document(told.name, told.document, "application/json")


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


def _refused(refusal: Denial, metadata: Any) -> Any:
    challenge = _CHALLENGES.get(refusal.status)
    headers = [_header(challenge, CHALLENGE)] if challenge else []
    if refusal.retry_after_seconds is not None:
        headers.append(_header("retry-after", str(refusal.retry_after_seconds)))
    denied = messages.DeniedHttpResponse(
        status=HttpStatus(code=refusal.status),
        headers=headers,
        body=f"{refusal.reason}\n",
    )
    return messages.CheckResponse(
        status=Status(code=PERMISSION_DENIED), denied_response=denied, dynamic_metadata=metadata
    )


def _header(key: str, value: str) -> Any:
    return HeaderValueOption(
        header=HeaderValue(key=key, value=value),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _metadata(verdict: AuthorizationResult) -> Any:
    said = {"tenant": verdict.name, "target": verdict.target}
    if verdict.refusal is not None:
        return _struct(**said, reason=verdict.refusal.reason)
    if verdict.others:
        said[OTHER_ADDRESSES] = " ".join(verdict.others)
    return _struct(**said, address=verdict.address, **{"pass": str(verdict.holder)})


def _struct(**said: str) -> Any:
    metadata = Struct()
    for key, value in said.items():
        metadata.fields[key].string_value = value
    return metadata
