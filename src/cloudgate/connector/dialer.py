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


class NoTunnelYetError(Exception):
    """No gateway gives one, but one that did not answer may be back in a moment."""

    def __init__(self, reason: CloudgateError) -> None:
        super().__init__(reason.message)
        self.reason = reason
        """What to tell if it is not."""


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
        NoTunnelYetError: a gateway does not answer, and none that does could have given one.
        UnavailableError: one does, but the target does not or there are too many tunnels.
    """
    # Gateways take a name that is no host's in HTTP/2 only.
    asked = _TunnelAttempt(
        target, who, lost, half_close=half_close or not is_host_name(target.host)
    )
    try:
        found = await race(
            gateways,
            asked.attempt,
            patience_seconds=PATIENCE_SECONDS,
            failed=asked.failed,
            # While a gateway is thinking about the request, no other one would be faster.
            may_begin=asked.turn.is_set,
            discard=lambda tunnel: tunnel.close(),
        )
    finally:
        asked.over()
    if found is None:
        raise asked.outcome
    for late in gateways[: gateways.index(found[0])]:
        if late in asked.unconnected:
            lost(late, "Another gateway answered before it.")
    return found


class _TunnelAttempt:
    """One tunnel that gateways are asked for: who has been, whose turn it is, and why not."""

    def __init__(
        self,
        target: HostPort,
        who: Identity,
        lost: Callable[[GatewayEndpoint, str], None],
        *,
        half_close: bool,
    ) -> None:
        self._target = target
        self._who = who
        self._half_close = half_close
        self._lost = lost
        self._tried: list[GatewayEndpoint] = []
        self.unconnected: list[GatewayEndpoint] = []
        self.turn = asyncio.Event()
        """Set while another gateway may be asked."""
        self.turn.set()
        self._reason: CloudgateError = GatewayUnreachableError("No gateway is known.")
        self._may_come_back = False

    @property
    def outcome(self) -> Exception:
        """What to raise if none gives one."""
        if isinstance(self._reason, GatewayUnreachableError):
            return NoTunnelYetError(self._reason)
        # Those that answer are for others, or are no gateways: the one that is away may be.
        if self._may_come_back and isinstance(self._reason, WrongPoolError | CertificateError):
            return NoTunnelYetError(self._reason)
        return self._reason

    async def attempt(self, gateway: GatewayEndpoint) -> Tunnel:
        """Connect to a gateway, and ask it when it is its turn."""
        gateway.tunnels += 1
        self._tried.append(gateway)
        self.unconnected.append(gateway)
        who = self._who
        line = await connect(gateway.address, who, who.http2 if self._half_close else who.http1)
        self.unconnected.remove(gateway)
        return await self._ask(line)

    def failed(self, gateway: GatewayEndpoint, problem: BaseException) -> None:
        """A gateway gave none.

        Raises:
            CloudgateError: no other one would.
        """
        self._reason = _judged(problem, self._reason, gateway, self._lost)
        self._may_come_back |= isinstance(problem, GatewayUnreachableError)

    def over(self) -> None:
        """No gateway is asked any more."""
        for each in self._tried:
            each.tunnels -= 1

    async def _ask(self, line: TlsConnection) -> Tunnel:
        """Ask a gateway for the tunnel, and have no other one asked for a while."""
        try:
            while not self.turn.is_set():
                await self.turn.wait()
        except asyncio.CancelledError:
            line.close()
            raise
        self.turn.clear()
        later = asyncio.get_running_loop().call_later(ALONE_SECONDS, self.turn.set)
        try:
            return await request_tunnel(line, self._target, self._who, half_close=self._half_close)
        except BaseException:
            self.turn.set()
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
