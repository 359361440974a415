"""Which gateways are there, and do they answer? Asked again and again, while tunnels go on."""

import asyncio
import random
from collections.abc import Sequence

import structlog

from cloudgate.connect.choosing import Gateway, in_order, renewed
from cloudgate.connect.dialling import first_tunnel
from cloudgate.connect.line import Identity, LostError, UntrustedError
from cloudgate.connect.settings import Address
from cloudgate.connect.tunnel import Tunnel, read_document
from cloudgate.errors import CloudgateError, NotAuthenticatedError

REVIEW_SECONDS = 2.0
"""How often each gateway is asked whether it is there, how busy it is, and who else there is."""
AFTER_REFUSAL_SECONDS = 30.0
"""A wrong password does not become right by being sent often."""
GIVE_UP_SECONDS = 6.0
"""How long a local program waits while no gateway answers. One that restarts needs two seconds."""
TRY_AGAIN_SECONDS = 0.5

_log = structlog.get_logger(__name__)


class Fleet:
    """The gateways of a tenant."""

    def __init__(self, given: Sequence[Address], who: Identity, *, half_close: bool) -> None:
        """`given`: those that the tenant named; `half_close`: see `Tunnel.half_closes`."""
        self._given = tuple(given)
        self._who = who
        self._half_close = half_close
        self._gateways = [Gateway(each) for each in given]
        self._used: Address | None = None

    @property
    def used(self) -> Address | None:
        """The gateway that the last tunnel went through; None before the first."""
        return self._used

    @property
    def gateways(self) -> tuple[Gateway, ...]:
        """As known now."""
        return tuple(self._gateways)

    async def learn(self) -> None:
        """Read the list from the first of the named gateways that answers.

        Raises:
            CloudgateError: none answers, can be verified, or lets the tenant in.
        """
        problem: CloudgateError | None = None
        for address in self._given:
            try:
                self._take(await read_document(address, self._who))
            except (LostError, UntrustedError) as found:
                problem = problem or found
            else:
                return
        raise problem or LostError("No gateway is named.")

    async def run(self) -> None:
        """Look after the gateways for ever."""
        reviews: dict[Address, asyncio.Task[None]] = {}
        try:
            while True:
                for gateway in self._watched():
                    review = reviews.get(gateway.address)
                    if review is None or review.done():
                        reviews[gateway.address] = asyncio.create_task(self._review(gateway))
                # Connectors do not ask in step.
                await asyncio.sleep(REVIEW_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
        finally:
            for review in reviews.values():
                review.cancel()
            await asyncio.gather(*reviews.values(), return_exceptions=True)

    async def open(self, target: Address) -> Tunnel:
        """A tunnel through the best gateway that gives one.

        Raises:
            CloudgateError: none does, and why.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + GIVE_UP_SECONDS
        while True:
            try:
                gateway, tunnel = await first_tunnel(
                    self._candidates(),
                    target,
                    self._who,
                    half_close=self._half_close,
                    lost=lambda each, why: self._note(each, healthy=False, reason=why),
                )
            except LostError:
                if loop.time() > give_up_at:
                    raise
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            else:
                self._used = gateway.address
                return tunnel

    def _candidates(self) -> list[Gateway]:
        """All to try, the best first. Those that only the tenant named come last."""
        return [*in_order(self._gateways), *self._unlisted()]

    def _watched(self) -> list[Gateway]:
        """All to ask. Those that only the tenant named count while no other answers."""
        if any(each.healthy for each in self._gateways):
            return self._gateways
        return [*self._gateways, *self._unlisted()]

    def _unlisted(self) -> list[Gateway]:
        listed = {each.address for each in self._gateways}
        return [Gateway(each) for each in self._given if each not in listed]

    async def _review(self, gateway: Gateway) -> None:
        try:
            document = await read_document(gateway.address, self._who)
        except (LostError, UntrustedError) as problem:
            self._note(gateway, healthy=False, reason=problem.message)
        except CloudgateError as problem:
            _log.warning("refused", gateway=str(gateway.address), reason=problem.message)
            if isinstance(problem, NotAuthenticatedError):
                await asyncio.sleep(AFTER_REFUSAL_SECONDS)
        else:
            live = document.get("LiveTunnels")
            gateway.live_tunnels = live if isinstance(live, int) else 0
            gateway.opened_since = 0
            self._note(gateway, healthy=True)
            self._take(document)

    def _note(self, gateway: Gateway, *, healthy: bool, reason: str = "") -> None:
        if healthy != gateway.healthy:
            if healthy:
                _log.info("gateway is back", gateway=str(gateway.address))
            else:
                _log.warning("gateway lost", gateway=str(gateway.address), reason=reason)
        gateway.healthy = healthy

    def _take(self, document: dict[str, object]) -> None:
        listed = document.get("Gateways")
        found = [
            (Address(str(each["Address"]), int(each["Port"])), bool(each.get("Failover")))
            for each in (listed if isinstance(listed, list) else [])
            if isinstance(each, dict) and "Address" in each and "Port" in each
        ]
        self._gateways = renewed(self._gateways, found, self._given)
