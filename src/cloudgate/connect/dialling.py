"""How does a tunnel come about? Gateways are tried one beside the other, the best first."""

import asyncio
from collections.abc import Callable, Sequence

from cloudgate.connect.choosing import Gateway
from cloudgate.connect.line import Identity, LostError, UntrustedError, dial
from cloudgate.connect.settings import Address
from cloudgate.connect.tunnel import SetApartError, Tunnel, request_tunnel
from cloudgate.errors import CloudgateError, UnavailableError

PATIENCE_SECONDS = 0.4
"""How long a gateway is waited for alone. Two that are dead cost less than a second."""


async def first_tunnel(
    gateways: Sequence[Gateway],
    target: Address,
    who: Identity,
    *,
    half_close: bool,
    lost: Callable[[Gateway, str], None],
) -> tuple[Gateway, Tunnel]:
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
    waiting = list(gateways)
    turn = asyncio.Lock()
    trying: dict[asyncio.Task[Tunnel], Gateway] = {}
    reason: CloudgateError = LostError("No gateway is known.")
    try:
        while waiting or trying:
            # While a gateway is thinking about the request, no other one would be faster.
            if waiting and not turn.locked():
                gateway = waiting.pop(0)
                gateway.opened_since += 1
                attempt = _attempt(gateway.address, target, who, half_close=half_close, turn=turn)
                trying[asyncio.create_task(attempt)] = gateway
            done, _ = await asyncio.wait(
                trying,
                timeout=PATIENCE_SECONDS if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                gateway = trying.pop(task)
                problem = task.exception()
                if problem is None:
                    for late in _older(trying, gateway, gateways):
                        lost(late, "Another gateway answered before it.")
                    return gateway, task.result()
                reason = _judged(problem, reason, gateway, lost)
        raise reason
    finally:
        for task in trying:
            task.cancel()
        await asyncio.gather(*trying, return_exceptions=True)


async def _attempt(
    gateway: Address, target: Address, who: Identity, *, half_close: bool, turn: asyncio.Lock
) -> Tunnel:
    """One gateway. Only one at a time is asked for the tunnel, and none after one gave it."""
    line = await dial(gateway, who, who.http2 if half_close else who.http1)
    try:
        await turn.acquire()
    except asyncio.CancelledError:
        line.close()
        raise
    try:
        return await request_tunnel(line, target, who, half_close=half_close)
    except BaseException:
        turn.release()
        raise


def _judged(
    problem: BaseException,
    before: CloudgateError,
    gateway: Gateway,
    lost: Callable[[Gateway, str], None],
) -> CloudgateError:
    """What to tell if no other gateway helps.

    Raises:
        CloudgateError: no other one would.
    """
    if isinstance(problem, LostError | UntrustedError):
        lost(gateway, problem.message)
        return problem if type(before) is LostError else before
    if isinstance(problem, SetApartError) or type(problem) is UnavailableError:
        return problem
    raise problem


def _older(
    trying: dict[asyncio.Task[Tunnel], Gateway], winner: Gateway, order: Sequence[Gateway]
) -> list[Gateway]:
    """Those that began before the winner, and are still not connected."""
    first = order.index(winner)
    return [each for each in trying.values() if order.index(each) < first]
