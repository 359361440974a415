"""How does Envoy ask whether a request may become a tunnel? gRPC on a Unix socket."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import structlog
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.auth.v3 import external_auth_pb2 as messages
from envoy.service.auth.v3.external_auth_pb2_grpc import (
    AuthorizationServicer,
    add_AuthorizationServicer_to_server,
)
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.struct_pb2 import Struct
from google.rpc.status_pb2 import Status

from cloudgate.assignment import Tenant
from cloudgate.errors import UnavailableError
from cloudgate.gateway.decision import (
    CHALLENGE,
    NOT_AUTHENTICATED,
    Refusal,
    decide,
    parse_authority,
    parse_credentials,
)
from cloudgate.gateway.directory import Directory
from cloudgate.gateway.passwords import PasswordCheck
from cloudgate.gateway.resolver import Resolver
from cloudgate.gateway.role import Role

PERMISSION_DENIED = 7
"""The gRPC status code of a refusal."""
LONGEST_LOGGED = 128
"""Characters of a name that somebody unknown sent."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Verdict:
    """The answer to one request, with what the logs say of it."""

    name: str
    target: str
    tenant: Tenant | None = None
    address: str = ""
    """IP and port to connect to; empty when refused."""
    refusal: Refusal | None = None


class Authorizer:
    """Answers requests from the directory of tenants."""

    def __init__(
        self,
        directory: Directory,
        passwords: PasswordCheck,
        resolver: Resolver,
        role: Role,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = directory
        self._passwords = passwords
        self._resolver = resolver
        self._role = role
        self._now = now

    async def judge(self, authority: str, authorization: str | None) -> Verdict:
        """Whether a CONNECT to `authority` with this Proxy-Authorization may go on."""
        target = parse_authority(authority)
        said = parse_credentials(authorization)
        if said is None:
            return Verdict("", target or "", refusal=NOT_AUTHENTICATED)
        tenant = self._directory.find(said.name)
        right = await self._passwords.is_right(tenant, said.password)
        decision = decide(
            tenant,
            target,
            password_is_right=right,
            now=self._now(),
            pool_id=self._role.pool_id,
        )
        name = tenant.name if tenant else said.name[:LONGEST_LOGGED]
        if isinstance(decision, Refusal):
            return Verdict(name, target or "", tenant, refusal=decision)
        try:
            address = await self._resolver.resolve(decision.address)
        except UnavailableError as error:
            return Verdict(name, target or "", tenant, refusal=Refusal(503, error.message))
        return Verdict(name, target or "", tenant, address)


class _Service(AuthorizationServicer):  # type: ignore[misc]  # generated without types
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002  # gRPC's name
        """Answer one request."""
        http = request.attributes.request.http
        verdict = await self._authorizer.judge(http.host, http.headers.get("proxy-authorization"))
        if verdict.refusal is None:
            return _allowed(verdict)
        _log.info(
            "tunnel refused",
            tenant=verdict.name,
            target=verdict.target,
            status=verdict.refusal.status,
            reason=verdict.refusal.reason,
        )
        return _refused(verdict, verdict.refusal)


async def serve_authorizer(authorizer: Authorizer, socket_path: Path) -> grpc.aio.Server:
    """Start to answer on `socket_path`, in place of whoever did so before.

    The folder of the socket is what keeps others out.
    """
    server = grpc.aio.server()
    add_AuthorizationServicer_to_server(_Service(authorizer), server)
    server.add_insecure_port(f"unix:{socket_path}")
    await server.start()
    return server


def _allowed(verdict: Verdict) -> Any:
    headers = messages.OkHttpResponse(headers_to_remove=["proxy-authorization"])
    return messages.CheckResponse(
        status=Status(code=0), ok_response=headers, dynamic_metadata=_metadata(verdict)
    )


def _refused(verdict: Verdict, refusal: Refusal) -> Any:
    denied = messages.DeniedHttpResponse(
        status=HttpStatus(code=refusal.status),
        headers=_challenge() if refusal.status == NOT_AUTHENTICATED.status else [],
        body=f"{refusal.reason}\n",
    )
    return messages.CheckResponse(
        status=Status(code=PERMISSION_DENIED),
        denied_response=denied,
        dynamic_metadata=_metadata(verdict),
    )


def _challenge() -> list[Any]:
    return [HeaderValueOption(header=HeaderValue(key="proxy-authenticate", value=CHALLENGE))]


def _metadata(verdict: Verdict) -> Any:
    metadata = Struct()
    metadata.update(
        {
            "tenant": verdict.name,
            "tenant_id": str(verdict.tenant.tenant_id) if verdict.tenant else "",
            "target": verdict.target,
            "address": verdict.address,
            "reason": verdict.refusal.reason if verdict.refusal else "",
        }
    )
    return metadata
