"""Balancer: which gateways are there, and do they answer? Asked while tunnels go on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeGuard

import structlog

from cloudgate.background import Job
from cloudgate.connector.dialer import NoTunnelYetError, open_first
from cloudgate.connector.health_schedule import is_due
from cloudgate.connector.load_balancing import (
    PATIENCE_SECONDS,
    GatewayEndpoint,
    listed,
    merged,
    ranked,
)
from cloudgate.connector.silence import SilenceWatch
from cloudgate.connector.tls_connection import CertificateError, GatewayUnreachableError, Identity
from cloudgate.connector.tunnel import Tunnel, TunnelCutError, fetch_discovery_document
from cloudgate.errors import CloudgateError, NotAuthenticatedError, UnavailableError
from cloudgate.network.hostport import HostPort
from cloudgate.network.race import race

AFTER_REFUSAL_SECONDS = 30.0
"""A wrong password does not become right by being sent often."""
AFTER_REFUSAL_ASIDE_SECONDS = 300.0
"""One that no list has any more, and that does not know the tenant, may be for others by now."""
GIVE_UP_SECONDS = 6.0
"""How long a local program waits while no gateway answers. One that restarts needs two seconds."""
TRY_AGAIN_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_LOOK_SECONDS = 0.5
"""How often it is seen to whom has to be asked."""

_log = structlog.get_logger(__name__)


class Balancer:
    """The gateways of a tenant: which there are, which answer, and which is the best next one.

    Which there are is decided by the newest list of those that the tenant named, for as long as one
    of them tells any. Others are heard only while none does: one that the provider has taken away,
    since it was stolen, would keep the tenant by a list of its own.
    """

    def __init__(
        self,
        given: Sequence[HostPort],
        who: Identity,
        *,
        half_close: bool,
        silence: SilenceWatch | None = None,
    ) -> None:
        """How it comes by tunnels, and whom it asks first.

        Args:
            given: the gateways that the tenant named.
            who: the tenant.
            half_close: see `Tunnel.half_closes`.
            silence: sees which gateways are gone without a word.
        """
        self.on_refused: Callable[[], None] = lambda: None
        """Called when a gateway does not believe that it is the tenant."""
        self._given = tuple(GatewayEndpoint(each) for each in given)
        self._who = who
        self._half_close = half_close
        self._silence = silence or SilenceWatch()
        self._gateways = list(self._given)
        self._used: HostPort | None = None
        self._dialled_at = 0.0
        self._maintenance: str | None = None

    @property
    def used(self) -> HostPort | None:
        """The gateway that the last tunnel went through; None before the first."""
        return self._used

    @property
    def addresses(self) -> list[HostPort]:
        """Where all gateways are that may be asked for something, the best first."""
        return [each.address for each in self._candidates()]

    @property
    def gateways(self) -> tuple[GatewayEndpoint, ...]:
        """As known now."""
        return tuple(self._gateways)

    async def discover(self) -> None:
        """Read the list from the first of the named gateways that answers.

        Raises:
            CloudgateError: none answers, can be verified, or lets the tenant in.
        """
        problems: list[CloudgateError] = []

        def failed(_gateway: GatewayEndpoint, problem: BaseException) -> None:
            if not _another_may_help(problem):
                raise problem
            problems.append(problem)

        found = await race(
            self._given,
            lambda each: fetch_discovery_document(each.address, self._who),
            patience_seconds=PATIENCE_SECONDS,
            failed=failed,
        )
        if found is None:
            raise problems[0] if problems else GatewayUnreachableError("No gateway is named.")
        self._take(*found)

    def job(self) -> Job:
        """What is to be run: looking after the gateways."""
        return Job(
            name="Looking after the gateways",
            attempt=self._look_after,
            interval_seconds=_LOOK_SECONDS,
            longest_pause_seconds=_LONGEST_PAUSE_SECONDS,
            lasts=True,
        )

    async def _look_after(self) -> None:
        reviews: dict[HostPort, asyncio.Task[None]] = {}
        try:
            while True:
                for gateway, dialled_at in self._watched():
                    review = reviews.get(gateway.address)
                    if review is not None and not review.done():
                        continue
                    if review is not None:
                        review.result()  # one that failed is told, and tried again
                    if is_due(gateway, _now(), dialled_at=dialled_at):
                        reviews[gateway.address] = asyncio.create_task(self._health_check(gateway))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            for review in reviews.values():
                review.cancel()
            await asyncio.gather(*reviews.values(), return_exceptions=True)

    @asynccontextmanager
    async def tunnel(self, target: HostPort) -> AsyncIterator[Tunnel]:
        """A tunnel through the best gateway that gives one; closed at the end of the block.

        Raises:
            CloudgateError: none does, and why.
        """
        gateway, tunnel = await self._open(target)
        gateway.tunnels += 1
        try:
            with self._silence.over(tunnel.line):
                yield tunnel
        except TunnelCutError:
            gateway.doubted_at = _now()  # how is it?
            raise
        finally:
            gateway.tunnels -= 1
            tunnel.close()

    async def _open(self, target: HostPort) -> tuple[GatewayEndpoint, Tunnel]:
        self._dialled_at = _now()
        give_up_at = self._dialled_at + GIVE_UP_SECONDS
        while True:
            try:
                gateway, tunnel = await open_first(
                    self._candidates(),
                    target,
                    self._who,
                    half_close=self._half_close,
                    lost=lambda each, why: self._set_health(each, healthy=False, reason=why),
                )
            except NotAuthenticatedError as problem:
                if type(problem) is NotAuthenticatedError:  # and not that it is no gateway
                    self.on_refused()
                raise
            except NoTunnelYetError as problem:
                if _now() > give_up_at:
                    raise problem.reason from None
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            else:
                self._set_health(gateway, healthy=True)
                self._used = gateway.address
                return gateway, tunnel

    def _candidates(self) -> list[GatewayEndpoint]:
        """All to try, the best first. Those that only the tenant named come last."""
        return [*ranked(self._gateways), *self._unlisted()]

    def _watched(self) -> Iterator[tuple[GatewayEndpoint, float]]:
        """All to ask, and when a tunnel was last asked for, as far as that matters to each."""
        for each in self._gateways:
            yield each, self._dialled_at
        for each in self._unlisted():
            yield each, 0.0 if self._is_aside(each) else self._dialled_at

    def _is_aside(self, gateway: GatewayEndpoint) -> bool:
        """Whether only the tenant named it, and another one answers."""
        is_listed = any(each is gateway for each in self._gateways)
        return not is_listed and any(each.healthy for each in self._gateways)

    def _unlisted(self) -> list[GatewayEndpoint]:
        listed = {each.address for each in self._gateways}
        return [each for each in self._given if each.address not in listed]

    async def _health_check(self, gateway: GatewayEndpoint) -> None:
        gateway.asked_at = _now()
        try:
            document = await fetch_discovery_document(gateway.address, self._who)
        except (GatewayUnreachableError, CertificateError) as problem:
            self._set_health(gateway, healthy=False, reason=problem.message)
        except CloudgateError as problem:
            if problem.message != gateway.refusal:
                _log.warning("refused", gateway=str(gateway.address), reason=problem.message)
            gateway.refusal, gateway.tells = problem.message, False
            if isinstance(problem, NotAuthenticatedError):
                await self._after_refusal(gateway)
        else:
            live = document.get("LiveTunnels")
            gateway.record_load(live if isinstance(live, int) else 0)
            gateway.refusal = ""
            self._set_health(gateway, healthy=True)
            self._take(gateway, document)

    async def _after_refusal(self, gateway: GatewayEndpoint) -> None:
        if self._is_aside(gateway):
            await asyncio.sleep(AFTER_REFUSAL_ASIDE_SECONDS)
            return
        self.on_refused()
        await asyncio.sleep(AFTER_REFUSAL_SECONDS)

    def _set_health(self, gateway: GatewayEndpoint, *, healthy: bool, reason: str = "") -> None:
        if healthy == gateway.healthy:
            return
        if healthy:
            gateway.lost_at = None
            _log.info("gateway is back", gateway=str(gateway.address))
        else:
            gateway.lost_at, gateway.maintenance, gateway.tells = _now(), None, False
            _log.warning("gateway lost", gateway=str(gateway.address), reason=reason)

    def _take(self, gateway: GatewayEndpoint, document: dict[str, object]) -> None:
        message = document.get("Maintenance")
        gateway.maintenance = message if isinstance(message, str) else None
        gateway.tells = True
        deciding = [each for each in self._given if each.tells]
        if not deciding or any(each is gateway for each in deciding):
            self._gateways = merged(self._gateways, listed(document), self._given)
        self._tell_maintenance()

    def _tell_maintenance(self) -> None:
        """Say what the provider says of its work: once when it begins, and once when it is over."""
        said = (each.maintenance for each in self._gateways)
        message = next((each for each in said if each is not None), None)
        if message == self._maintenance:
            return
        self._maintenance = message
        if message is None:
            _log.info("the provider's maintenance is over")
        else:
            _log.warning("the provider is at work", message=message)


def _another_may_help(problem: BaseException) -> TypeGuard[CloudgateError]:
    return (
        isinstance(problem, GatewayUnreachableError | CertificateError)
        or type(problem) is UnavailableError
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
