"""Dialer: how does a tunnel come about? Gateways are tried side by side, the best first."""

import asyncio
from collections.abc import Callable, Sequence

from cloudgate.connector.load_balancing import PATIENCE_SECONDS, GatewayEndpoint
from cloudgate.connector.tls_connection import (
    CertificateError,
    GatewayUnreachableError,
    Identity,
    TlsConnection,
    connect,
)
from cloudgate.connector.tunnel import Tunnel, WrongPoolError, request_tunnel
from cloudgate.errors import CloudgateError, UnavailableError
from cloudgate.network.hostport import HostPort, is_host_name
from cloudgate.network.race import race

ALONE_SECONDS = 1.0
"""How long a gateway may think about a tunnel before another one is asked for it, too. It may be
waiting for one of the tenant's tunnels to end, where another gateway has room."""


async def open_first(
    gateways: Sequence[GatewayEndpoint],
    target: HostPort,
    who: Identity,
    *,
    half_close: bool,
    lost: Callable[[GatewayEndpoint, str], None],
) -> tuple[GatewayEndpoint, Tunnel]:
    """A tunnel through the first gateway that gives one.

    Args:
        gateways: the best first.
        target: where to.
        who: the tenant.
        half_close: whether each direction must be able to end by itself.
        lost: told of gateways that do not answer, or not in time, and why.

    Raises:
        NotAuthenticatedError: the tenant's password is not right.
        AccessDeniedError: the tenant may not go there.
        LostError: none of the gateways answers.
        UnavailableError: one does, but the target does not or there are too many tunnels.
    """
    # Gateways take a name that is no host's in HTTP/2 only.
    half_close = half_close or not is_host_name(target.host)
    turn = asyncio.Event()
    turn.set()
    tried: list[GatewayEndpoint] = []
    unconnected: list[GatewayEndpoint] = []
    reason: CloudgateError = GatewayUnreachableError("No gateway is known.")

    async def attempt(gateway: GatewayEndpoint) -> Tunnel:
        gateway.tunnels += 1
        tried.append(gateway)
        unconnected.append(gateway)
        line = await connect(gateway.address, who, who.http2 if half_close else who.http1)
        unconnected.remove(gateway)
        return await _ask_in_turn(line, target, who, half_close=half_close, turn=turn)

    def failed(gateway: GatewayEndpoint, problem: BaseException) -> None:
        nonlocal reason
        reason = _judged(problem, reason, gateway, lost)

    try:
        found = await race(
            gateways,
            attempt,
            patience_seconds=PATIENCE_SECONDS,
            failed=failed,
            # While a gateway is thinking about the request, no other one would be faster.
            may_begin=turn.is_set,
            discard=lambda tunnel: tunnel.close(),
        )
    finally:
        for each in tried:
            each.tunnels -= 1
    if found is None:
        raise reason
    for late in gateways[: gateways.index(found[0])]:
        if late in unconnected:
            lost(late, "Another gateway answered before it.")
    return found


async def _ask_in_turn(
    line: TlsConnection, target: HostPort, who: Identity, *, half_close: bool, turn: asyncio.Event
) -> Tunnel:
    """Ask a gateway for the tunnel, and have no other one asked for a while."""
    try:
        while not turn.is_set():
            await turn.wait()
    except asyncio.CancelledError:
        line.close()
        raise
    turn.clear()
    later = asyncio.get_running_loop().call_later(ALONE_SECONDS, turn.set)
    try:
        return await request_tunnel(line, target, who, half_close=half_close)
    except BaseException:
        turn.set()
        raise
    finally:
        later.cancel()


def _judged(
    problem: BaseException,
    before: CloudgateError,
    gateway: GatewayEndpoint,
    lost: Callable[[GatewayEndpoint, str], None],
) -> CloudgateError:
    """What to tell if no other gateway helps.

    Raises:
        CloudgateError: no other one would.
    """
    if isinstance(problem, GatewayUnreachableError | CertificateError):
        lost(gateway, problem.message)
        return problem if type(before) is GatewayUnreachableError else before
    if isinstance(problem, WrongPoolError) or type(problem) is UnavailableError:
        return problem
    raise problem
