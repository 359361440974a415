"""Tunnel request: what does a tenant ask of one gateway? A tunnel, or which there are."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from cloudgate.connector.http1 import OK, Answer, Http1Tunnel, get, post
from cloudgate.connector.http2 import Http2Tunnel
from cloudgate.connector.tls_connection import (
    GatewayUnreachableError,
    Identity,
    TlsConnection,
    connect,
)
from cloudgate.errors import (
    AccessDeniedError,
    CloudgateError,
    NotAuthenticatedError,
    UnavailableError,
)
from cloudgate.network.hostport import HostPort
from cloudgate.network.well_known import CERTIFICATE_PATH, WELL_KNOWN
from cloudgate.values import json_texts

ANSWER_SECONDS = 20.0
"""How long a gateway has for an answer. The tenant may have to wait for a place, and whoever gave
wrong passwords waits longer each time."""


class Tunnel(Protocol):
    """Bytes to a target and back. What is read is empty when the target has said all."""

    gateway: HostPort
    line: TlsConnection
    """That carries it, and nothing else."""
    half_closes: bool
    """Whether each direction can end by itself. Where not, the first end is the end of both."""

    async def ask(self, target: HostPort, authorization: str) -> Answer:
        """Ask for it (CONNECT, RFC 9110 section 9.3.6), once and before anything else."""
        ...

    async def read(self) -> bytes:
        """What the target has sent; OSError when the tunnel was cut."""
        ...

    async def write(self, data: bytes) -> None:
        """Send to the target, and wait for room; OSError when the tunnel was cut."""
        ...

    async def end(self) -> None:
        """Nothing more will be written; the target is told where that can be."""
        ...

    def close(self) -> None:
        """Cut it, or let go of it when it has ended."""
        ...


class TunnelCutError(OSError):
    """A live tunnel was cut from the gateway's side, by it or behind it."""


class WrongPoolError(AccessDeniedError):
    """This gateway is not for this tenant; another one may be."""


async def request_tunnel(
    line: TlsConnection, target: HostPort, who: Identity, *, half_close: bool = False
) -> Tunnel:
    """A tunnel on a line that was dialled for it. The line is closed when there is none.

    Raises:
        NotAuthenticatedError: the tenant's password is not right.
        WrongPoolError: another gateway may let the tenant in.
        AccessDeniedError: the tenant may not go there.
        GatewayUnreachableError: the gateway does not answer.
        UnavailableError: the target does not, or the tenant has all its tunnels here.
    """
    tunnel: Tunnel = Http2Tunnel(line) if half_close else Http1Tunnel(line)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await tunnel.ask(target, who.authorization)
        if answer.status != OK:
            raise _refusal(line.gateway, answer, who)
    except TimeoutError:
        tunnel.close()
        raise GatewayUnreachableError(f"The gateway {line.gateway} does not answer.") from None
    except (CloudgateError, asyncio.CancelledError):
        tunnel.close()
        raise
    return tunnel


async def fetch_discovery_document(gateway: HostPort, who: Identity) -> dict[str, Any]:
    """What a gateway tells a tenant of the gateways that it may use.

    Raises:
        CloudgateError: as `connect` and `request_tunnel`.
    """
    answer = await _answer(gateway, who, lambda line: get(line, WELL_KNOWN, who.authorization))
    try:
        found = json_texts.read(answer.text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("Gateways"), list):
        raise GatewayUnreachableError(f"What answers at {gateway} is no gateway of Cloudgate.")
    return found


async def request_certificate(
    gateway: HostPort, who: Identity, request_pem: str, password: str
) -> str:
    """A certificate, in PEM, by a password; or without one by the certificate that is shown.

    Raises:
        CloudgateError: as `fetch_discovery_document`, and where the provider does not let it.
    """
    authorization = who.authorization_by(password) if password else ""
    answer = await _answer(
        gateway, who, lambda line: post(line, CERTIFICATE_PATH, authorization, request_pem)
    )
    return f"{answer.text}\n"


async def _answer(
    gateway: HostPort, who: Identity, ask: Callable[[TlsConnection], Awaitable[Answer]]
) -> Answer:
    """What a gateway says that is no refusal."""
    line = await connect(gateway, who, who.http1)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await ask(line)
    except TimeoutError:
        raise GatewayUnreachableError(f"The gateway {gateway} does not answer.") from None
    finally:
        line.close()
    if answer.status != OK:
        raise _refusal(gateway, answer, who)
    return answer


def _refusal(gateway: HostPort, answer: Answer, who: Identity) -> CloudgateError:
    if answer.status in (401, 407) and not who.password:
        return NotAuthenticatedError(f"{gateway}: {answer.text}")
    if answer.status in (401, 407):
        return NotAuthenticatedError(
            f"The gateway {gateway} does not accept the name {who.tenant} with this password."
        )
    if answer.status == 403 and "set apart" in answer.text:  # noqa: PLR2004
        return WrongPoolError(f"{gateway}: {answer.text}")
    if answer.status == 403:  # noqa: PLR2004
        return AccessDeniedError(f"{gateway}: {answer.text}")
    return UnavailableError(f"{gateway}: {answer.text or f'status {answer.status}'}")
