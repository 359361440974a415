"""Which gateways are there, and do they answer? Asked again and again, while tunnels go on."""

import asyncio
from collections.abc import Callable

import structlog

from cloudgate.connect.choosing import Gateway, in_order, renewed
from cloudgate.connect.settings import Address
from cloudgate.connect.tunnel import Gate, Identity, SetApartError, open_tunnel, read_document
from cloudgate.errors import CloudgateError, NotAuthenticatedError, UnavailableError

REVIEW_SECONDS = 1.0
"""How often each gateway is asked whether it is there, how busy it is, and who else there is."""

_log = structlog.get_logger(__name__)


class Fleet:
    """The gateways of a tenant."""

    def __init__(self, given: Address, who: Identity) -> None:
        self._given = given
        self._who = who
        self._gateways = [Gateway(given)]
        self._used = given

    @property
    def used(self) -> Address:
        """The gateway that the last tunnel went through."""
        return self._used

    @property
    def gateways(self) -> tuple[Gateway, ...]:
        """As known now."""
        return tuple(self._gateways)

    async def learn(self) -> None:
        """Read the list from the gateway that the tenant named.

        Raises:
            CloudgateError: it does not answer, cannot be verified, or does not let the tenant in.
        """
        self._take(await read_document(self._given, self._who))

    async def run(self) -> None:
        """Look after the gateways for ever."""
        while True:
            await asyncio.gather(*(self._review(each) for each in self._gateways))
            if not any(each.healthy for each in self._gateways):
                await self._review(Gateway(self._given))
            await asyncio.sleep(REVIEW_SECONDS)

    async def open(self, target: Address) -> Gate:
        """A tunnel through the best gateway that gives one.

        Raises:
            CloudgateError: none does; the reason of the last that was asked.
        """
        last: CloudgateError = UnavailableError("No gateway is known.")
        for gateway in in_order(self._gateways):
            gateway.opened_since += 1
            try:
                gate = await open_tunnel(gateway.address, target, self._who)
            except SetApartError as problem:
                last = problem
            except UnavailableError as problem:
                last = problem
                self._note(gateway, healthy=False, reason=problem.message)
            else:
                self._used = gateway.address
                return gate
        raise last

    async def _review(self, gateway: Gateway) -> None:
        try:
            document = await read_document(gateway.address, self._who)
        except UnavailableError as problem:
            self._note(gateway, healthy=False, reason=problem.message)
            return
        except NotAuthenticatedError as problem:
            _log.error("refused", gateway=str(gateway.address), reason=problem.message)
            self._note(gateway, healthy=False, reason=problem.message)
            return
        except CloudgateError as problem:
            _log.warning("refused", gateway=str(gateway.address), reason=problem.message)
            return
        gateway.live_tunnels = int(document.get("LiveTunnels", 0))
        gateway.opened_since = 0
        self._note(gateway, healthy=True, reason="")
        self._take(document)

    def _note(self, gateway: Gateway, *, healthy: bool, reason: str) -> None:
        if healthy != gateway.healthy:
            tell: Callable[..., None] = _log.info if healthy else _log.warning
            tell("gateway is back" if healthy else "gateway lost", gateway=str(gateway.address))
            if reason:
                _log.info("because", reason=reason)
        gateway.healthy = healthy

    def _take(self, document: dict[str, object]) -> None:
        listed = document.get("Gateways")
        found = [
            (Address(str(each["Address"]), int(each["Port"])), bool(each.get("Failover")))
            for each in (listed if isinstance(listed, list) else [])
            if isinstance(each, dict) and "Address" in each and "Port" in each
        ]
        self._gateways = renewed(self._gateways, found, self._given)
